"""Is this muscle ultrasound? The gate on real images: muscle of held-out groups, lung, breast, and sample pictures.

Run from the root of the repository, with the real images beside it (or MYOSONO_SHARED set) and the simulated cohort:

    OMP_NUM_THREADS=1 python benchmarks/ood.py

Writes ``benchmarks/results/ood.csv``; with ``--ship`` it also puts the gate, fitted on all muscle images, into the
model inside the package, with the range of grey levels of its training images. The gate learns from the lung images
under CC BY, which may be built upon; the people on the other lung images, all breast images and the sample pictures
are never fitted.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import skimage
import sklearn
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from myosono.cohort import Cohort
from myosono.cohort.near_duplicates import SimilarPair, fingerprint, similar_pairs, similarity_groups
from myosono.errors import ImageError
from myosono.export.artefact import cohort_features, grey_range
from myosono.export.int8 import training_ids
from myosono.export.ood import (
    COHORT_IMAGES,
    GateFeatures,
    GateImages,
    fit_gate,
    gate_metadata,
    look_alike_groups,
    outlier_features,
    restate,
)
from myosono.imaging import Frame, read_frame
from myosono.progress import track
from myosono.reading import embedded_model
from myosono.reading.ood_checks import picture_fault
from myosono.reading.ood_features import STATISTICS
from myosono.reading.quality import blocking_fault
from myosono.training import Recipe
from myosono.training.train import make_recipe_split, target_rows

ROOT = Path(__file__).resolve().parents[1]
FOLDS, RESAMPLES = 5, 1000
MUSCLE = ("muscle_timtrack", "muscle_dltrack")
COMMAND = "OMP_NUM_THREADS=1 python benchmarks/ood.py"
VARIANTS = (
    "both looks",
    "whole image alone",
    "its embedding alone",
    "its statistics alone",
    "both, drawn outliers only",
    "both, no real muscle fitted",
)
FREE = ("CC BY 4.0", "CC BY 2.0")
FITTED_LUNG, LUNG = "pocus_lung, CC BY", "pocus_lung, other people"


@dataclass
class Measured:
    """One set's features, and whether the plain checks refuse each image."""

    images: GateImages
    refused: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("MYOSONO_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--cohort", type=Path, default=ROOT / "cohorts" / "simulated")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ood.csv")
    parser.add_argument("--ship", action="store_true", help="Put the gate into the model inside the package, too.")
    arguments = parser.parse_args()
    data = arguments.shared / "data"
    if not data.is_dir():
        sys.exit(f"{data} is not there: set MYOSONO_SHARED to the folder that holds data/")
    model = onnx.load(embedded_model())
    features = GateFeatures(model)
    simulated = Cohort.open(arguments.cohort)
    cohort = shipped_training_images(features, simulated)
    drawn = outlier_features(features)
    sets = measure_sets(features, data)
    outliers = [drawn, replace(sets[FITTED_LUNG].images, name="lung images under CC BY")]
    if arguments.ship:
        ood = gate_metadata(model, cohort, outliers, [data / name / "images" for name in MUSCLE])
        grey = asdict(grey_range(simulated, shipped_training_ids(simulated)))
        restate(embedded_model(), {"ood": ood, "grey": grey}, embedded_model())
    rows = [row for variant in VARIANTS for row in evaluate(variant, cohort, outliers, sets)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with arguments.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(" ".join(str(value) for value in row.values()))


def shipped_training_images(features: GateFeatures, cohort: Cohort) -> GateImages:
    """Of the patients that the shipped model was trained on."""
    return cohort_features(features, cohort, shipped_training_ids(cohort))


def shipped_training_ids(cohort: Cohort) -> list[str]:
    """Fold 0 of the default recipe's split."""
    recipe = Recipe()
    rows, _ = target_rows(cohort, recipe)
    return training_ids(make_recipe_split(cohort, rows, recipe).table, cohort, fold=0, count=COHORT_IMAGES)


def measure_sets(features: GateFeatures, data: Path) -> dict[str, Measured]:
    listed = {name: read_index(data / name) for name in (*MUSCLE, "pocus_lung", "busi_breast")}
    frames = {name: [read_frame(path) for path, _ in track(rows, name)] for name, rows in listed.items()}
    named = {name: [group for _, group in rows] for name, rows in listed.items()}
    joined = join_groups([f for name in MUSCLE for f in frames[name]], [g for name in MUSCLE for g in named[name]])
    named["muscle_timtrack"] = joined[: len(named["muscle_timtrack"])]
    named["muscle_dltrack"] = joined[len(named["muscle_timtrack"]) :]
    named["busi_breast"] = [str(group) for group in look_alike_groups([f.b_mode for f in frames["busi_breast"]])]
    frames["johns_hopkins_samples"] = [read_frame(path) for path in sorted((data / "myositis_samples").glob("*_?.png"))]
    frames["sample_pictures"] = list(sample_pictures())
    free = free_people(data / "pocus_lung")
    lung = list(zip(frames.pop("pocus_lung"), named.pop("pocus_lung"), strict=True))
    for name, chosen in ((FITTED_LUNG, free), (LUNG, {person for _, person in lung} - free)):
        frames[name], named[name] = map(list, zip(*((f, p) for f, p in lung if p in chosen), strict=True))
    return {
        name: measure(features, name, found, named.get(name, [str(number) for number in range(len(found))]))
        for name, found in frames.items()
    }


def free_people(folder: Path) -> set[str]:
    """Those all of whose images are under a licence that allows to build upon them."""
    with (folder / "index.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {row["patient_id"] for row in rows} - {row["patient_id"] for row in rows if row["licence"] not in FREE}


def measure(features: GateFeatures, name: str, frames: list[Frame], groups: list[str]) -> Measured:
    areas = [np.ascontiguousarray(frame.b_mode) for frame in frames]
    refused = [
        bool(blocking_fault(area) or picture_fault(area, frame.colour_share))
        for area, frame in zip(areas, frames, strict=True)
    ]
    return Measured(features.of_images(name, track(areas, name), groups), np.array(refused))


def read_index(folder: Path) -> list[tuple[Path, str]]:
    """Path and subject of each image; an image without a subject stands for itself."""
    with (folder / "index.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if folder.name == "muscle_timtrack":
        return [(folder / row["file"], f"{Path(row['file']).parent.name} {row['subject']}") for row in rows]
    return [(folder / row["file"], row.get("patient_id") or row["file"]) for row in rows]


def join_groups(frames: list[Frame], subjects: list[str]) -> list[str]:
    """Groups in which neither a subject's images nor look-alikes are apart, across both muscle sets."""
    pairs = similar_pairs([fingerprint(frame.b_mode) for frame in frames], max_distance=64, min_correlation=0.9)
    first = {subject: subjects.index(subject) for subject in set(subjects)}
    pairs += [SimilarPair(first[subject], number, 0, 1.0) for number, subject in enumerate(subjects)]
    return [f"muscle {group}" for group in similarity_groups(len(frames), pairs)]


def sample_pictures() -> Iterator[Frame]:
    """Photographs, documents and drawings that come with scikit-image and scikit-learn."""
    folders = (Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images")
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        if path.suffix in (".png", ".jpg", ".tif", ".gif"):
            try:
                yield read_frame(path)
            except ImageError as error:
                print(f"left out: {error}", file=sys.stderr)


def evaluate(
    variant: str, cohort: GateImages, outliers: list[GateImages], sets: dict[str, Measured]
) -> Iterator[dict[str, object]]:
    def select(source: GateImages) -> GateImages:
        return seen_by(variant, source)

    cohort, *outliers = (select(source) for source in (cohort, *outliers))
    if "drawn" in variant:
        outliers = outliers[:1]
    sources = [select(sets[name].images) for name in MUSCLE]
    real = [] if "no real" in variant else list(MUSCLE)
    margins = cross_validate(cohort, outliers, sources, {n: select(s.images) for n, s in sets.items()}, real)
    muscle = np.concatenate([margins[name].mean(axis=1) for name in MUSCLE])
    groups = [group for source in sources for group in source.groups]
    passing = np.concatenate([passed(margins[name], sets[name].refused) for name in MUSCLE])
    yield row(variant, "real muscle", groups, passing)
    yield row(
        variant, cohort.name, list(cohort.groups), passed(margins[cohort.name], np.zeros(len(cohort.groups), bool))
    )
    for name, measured in sets.items():
        if name == FITTED_LUNG:  # its images are among the outliers
            continue
        found = row(variant, name, list(measured.images.groups), passed(margins[name], measured.refused))
        if name not in (*MUSCLE, "johns_hopkins_samples"):
            outside = margins[name].mean(axis=1)
            found |= dict(zip(("auroc", "auroc_lo", "auroc_hi"),
                              auroc(muscle, groups, outside, list(measured.images.groups)), strict=True))  # fmt: skip
        yield found


def cross_validate(
    cohort: GateImages,
    outliers: list[GateImages],
    sources: list[GateImages],
    sets: dict[str, GateImages],
    real: list[str],
) -> dict[str, np.ndarray]:
    """Smaller margin of the looks: ``(images, 1)`` of muscle, its group held out, ``(images, folds)`` of all others."""
    pool = [cohort, *sources]
    owner = np.concatenate([np.full(len(source.groups), number) for number, source in enumerate(pool)])
    everything = joined(pool)
    groups = np.array(everything.groups)
    held, others = np.empty(len(groups)), {name: [] for name in sets if name not in MUSCLE}
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=0).split(owner, groups=groups):
        chosen = [
            replace(rows_of(everything, train[owner[train] == number]), name=source.name)
            for number, source in enumerate(pool)
            if number == 0 or real
        ]
        gate = fit_gate(chosen, outliers, real=real)
        tested = rows_of(everything, test)
        held[test] = gate.margin(tested.whole, tested.deep)
        for name, margins in others.items():
            margins.append(gate.margin(sets[name].whole, sets[name].deep))
    found = {name: np.stack(margins, axis=1) for name, margins in others.items()}
    return found | {source.name: held[owner == number][:, None] for number, source in enumerate(pool)}


def joined(sources: list[GateImages]) -> GateImages:
    deep = [source.deep for source in sources if source.deep is not None]
    return GateImages(
        "all",
        np.concatenate([source.whole for source in sources]),
        tuple(group for source in sources for group in source.groups),
        np.concatenate(deep) if deep else None,
    )


def rows_of(source: GateImages, rows: np.ndarray) -> GateImages:
    deep = None if source.deep is None else source.deep[rows]
    return GateImages(source.name, source.whole[rows], tuple(np.array(source.groups)[rows]), deep)


def seen_by(variant: str, source: GateImages) -> GateImages:
    """The features that a variant of the gate sees."""
    channels = source.whole.shape[1] - len(STATISTICS)
    if variant.startswith("both"):
        return source
    part = {"its embedding alone": slice(channels), "its statistics alone": slice(channels, None)}
    return replace(source, whole=source.whole[:, part.get(variant, slice(None))], deep=None)


def passed(margins: np.ndarray, refused: np.ndarray) -> np.ndarray:
    """Share of folds in which each image passes gate and plain checks."""
    return np.where(refused, 0.0, (margins >= 0).mean(axis=1))


def row(variant: str, name: str, groups: list[str], passing: np.ndarray) -> dict[str, object]:
    draws = [float(np.average(passing, weights=w)) for w in resample(groups, 1) if w.any()]
    low, high = np.quantile(draws, (0.025, 0.975))
    return {
        "gate": variant, "set": name, "images": len(groups), "groups": len(set(groups)),
        "passed": round(float(passing.mean()), 4), "passed_lo": round(low, 4), "passed_hi": round(high, 4),
        "auroc": "", "auroc_lo": "", "auroc_hi": "", "command": COMMAND,
    }  # fmt: skip


def auroc(inside: np.ndarray, groups: list[str], outside: np.ndarray, others: list[str]) -> Iterable[float]:
    truth, scores = np.repeat([1, 0], [len(inside), len(outside)]), np.concatenate([inside, outside])
    draws = [
        roc_auc_score(truth, scores, sample_weight=np.concatenate(pair))
        for pair in zip(resample(groups, 2), resample(others, 3), strict=True)
    ]
    return [round(float(v), 4) for v in (roc_auc_score(truth, scores), *np.quantile(draws, (0.025, 0.975)))]


def resample(groups: list[str], seed: int) -> Iterator[np.ndarray]:
    """Weights of images in draws of whole groups with replacement."""
    names, place = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        yield rng.multinomial(len(names), np.full(len(names), 1 / len(names)))[place].astype(float)


if __name__ == "__main__":
    main()
