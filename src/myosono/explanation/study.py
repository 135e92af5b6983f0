"""A run's heat maps under test: held-out images, every kind of map, faithfulness, sanity check, examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from myosono.cohort import Cohort
from myosono.errors import RunError, UsageError
from myosono.evaluation import PatientBootstrap
from myosono.explanation.heat_maps import CLASS_MAP, METHODS, RANDOM, HeatMaps, Network, ignorant_maps
from myosono.explanation.randomisation import randomisation_check
from myosono.export.artefact import load_network
from myosono.faithfulness import Example, HeatMapStudy, MapScores, SimilarityRow, score_map, summarise
from myosono.networks import Preprocess, STANet
from myosono.provenance import now, versions
from myosono.training import Run

_FILL_IMAGES = 200
_EXAMPLES = 2
CHECK_IMAGES = 24
"""Images of the randomisation check, at most; it makes the maps of each anew for every layer."""


@dataclass(frozen=True, eq=False)
class _Images:
    """Held-out images at the network's input size."""

    table: pd.DataFrame
    grey: NDArray[np.float32]
    fill: float

    @property
    def patients(self) -> list[str]:
        return [str(patient) for patient in self.table["patient_id"]]


def explain_run(
    run: Run,
    cohort: Cohort,
    *,
    fold: int = 0,
    limit: int | None = 3,
    resamples: int = 1000,
    randomisations: int = 3,
    seed: int = 0,
    command: str = "",
    on_start: Callable[[int], None] | None = None,
    on_image: Callable[[], None] | None = None,
) -> tuple[HeatMapStudy, list[Example]]:
    """Score the heat maps of one fold's network on its test images.

    The predicted class is explained, and its uncalibrated probability followed.

    Parameters
    ----------
    run
        Run with this fold finished, of a network that has class maps.
    cohort
        The cohort of the run.
    limit
        Most images of a patient, drawn by ``seed``; None for all.
    resamples
        Draws of patients behind intervals.
    randomisations
        Fresh networks of the sanity check; 0 leaves it out.
    on_start, on_image
        Called with the number of steps before the first, and after each, for progress.

    Raises
    ------
    UsageError
        If the cohort is another than the run's, or the network has no class maps.
    RunError
        If the fold is not finished.
    MissingExtraError
        If pytorch-grad-cam is not installed.
    """
    if cohort.info.content_hash != run.facts["cohort"]["content_hash"]:
        raise UsageError("the cohort is not the one that the run was trained on", path=cohort.folder)
    if limit is not None and limit < 1:
        raise UsageError(f"at least one image of a patient is needed, not {limit}")
    trained = load_network(run, fold)
    if not isinstance(trained, STANet):
        raise UsageError(f"{run.recipe.model} has no threshold to explain", remedy="Give a run of a network of ours")
    network, images = Network(trained), _held_out(run, cohort, fold, limit, seed)
    if on_start is not None:
        on_start(len(images.table))
    maps = network.maps(images.grey)
    bootstrap = PatientBootstrap(images.patients, resamples=resamples, seed=seed)
    scores = _score_all(network, images, maps, seed, on_image)
    rows, curves = summarise(scores, images.patients, bootstrap, random=RANDOM, class_map=CLASS_MAP)
    explained = [run.classes[target] for target in maps.targets]
    study = HeatMapStudy(
        model=run.recipe.model,
        run=run.path.name,
        fold=fold,
        cohort=cohort.info.name,
        content_hash=cohort.info.content_hash,
        simulated=cohort.info.simulated,
        leaks=bool(run.facts["split"]["leaks"]),
        split=str(run.facts["split"]["kind"]),
        images=len(images.table),
        patients=len(bootstrap.patients),
        limit=limit,
        accuracy=float(np.mean([a == b for a, b in zip(explained, images.table["target"], strict=True)])),
        size=run.recipe.size,
        grid=maps.grid,
        resamples=resamples,
        seed=seed,
        methods=METHODS,
        rows=rows,
        curves=curves,
        similarities=_check(network, images, resamples, randomisations, seed),
        created=now(),
        versions=versions(),
        command=command,
        chance=_chance(images.table),
    )
    return study, _examples(network, images, maps, run.classes, seed)


def _held_out(run: Run, cohort: Cohort, fold: int, limit: int | None, seed: int) -> _Images:
    """The fold's test images, at most ``limit`` of a patient, and the mean grey level of training images."""
    table = run.predictions().query("fold == @fold and role == 'test'").sort_values("image_id")
    if table.empty:
        raise RunError(f"fold {fold} has no test images", path=run.path)
    if limit is not None:
        kept = table.sample(frac=1, random_state=seed).groupby("patient_id").head(limit)
        table = kept.sort_values("image_id")
    split = pd.read_parquet(run.path / "splits.parquet").query("fold == @fold and role == 'train'")
    learned = split.sample(min(_FILL_IMAGES, len(split)), random_state=seed)["image_id"]
    fill = float(np.mean([_resized(cohort, str(name), run.recipe.size).mean() for name in learned]))
    grey = np.stack([_resized(cohort, str(name), run.recipe.size) for name in table["image_id"]])
    return _Images(table.reset_index(drop=True), grey, fill)


def _chance(table: pd.DataFrame) -> float:
    targets = table.drop_duplicates("patient_id")["target"]
    return float(targets.value_counts(normalize=True).max())


@torch.no_grad()
def _resized(cohort: Cohort, image_id: str, size: int) -> NDArray[np.float32]:
    """Grey levels at the network's input size, as its own preprocessing resizes them."""
    resize = Preprocess(size, mean=0.0, std=1.0)
    return np.asarray(resize(torch.from_numpy(np.array(cohort.image(image_id))))[0, 0].numpy())


def _score_all(
    network: Network, images: _Images, maps: HeatMaps, seed: int, on_image: Callable[[], None] | None
) -> dict[str, list[list[MapScores]]]:
    scores: dict[str, list[list[MapScores]]] = {method.name: [] for method in METHODS}
    for place, image in enumerate(images.grey):
        rng = np.random.default_rng([seed, place])
        for method in METHODS:
            known = maps.maps.get(method.name)
            drawn = [known[place]] if known is not None else ignorant_maps(method, maps.grid, image.shape, rng)
            target = int(maps.targets[place])
            scores[method.name].append(
                [score_map(network.predict, image, one, target, rng, fill=images.fill) for one in drawn]
            )
        if on_image is not None:
            on_image()
    return scores


def _check(network: Network, images: _Images, resamples: int, draws: int, seed: int) -> tuple[SimilarityRow, ...]:
    if not draws:
        return ()
    first = check_images(images.table)
    patients = [images.patients[place] for place in first]
    bootstrap = PatientBootstrap(patients, resamples=resamples, seed=seed)
    found = randomisation_check(network.network, images.grey[first], patients, bootstrap, draws=draws, seed=seed)
    return tuple(found)


def check_images(table: pd.DataFrame) -> pd.Index[int]:
    """The first image of each patient, so that the few images are of many patients, and of every class in turn.

    Patients are often numbered class by class: the first of them all would be of one class alone.
    """
    first = table.groupby("patient_id").head(1)
    turn = first.groupby("target").cumcount()
    return turn.sort_values(kind="stable").index[:CHECK_IMAGES].sort_values()


def _examples(network: Network, images: _Images, maps: HeatMaps, classes: tuple[str, ...], seed: int) -> list[Example]:
    """For each true class the first images of different patients, right or wrong: none is picked for its map."""
    probabilities = network.predict(images.grey)
    firsts = images.table.groupby(["target", "patient_id"], sort=True).head(1)
    chosen = [place for name in classes for place in firsts.index[firsts["target"] == name][:_EXAMPLES]]
    return [_example(place, images, maps, classes, probabilities, seed) for place in chosen]


def _example(
    place: int,
    images: _Images,
    maps: HeatMaps,
    classes: tuple[str, ...],
    probabilities: NDArray[np.float64],
    seed: int,
) -> Example:
    rng = np.random.default_rng([seed, place])
    image, target = images.grey[place], int(maps.targets[place])
    drawn = {
        method.name: maps.maps[method.name][place]
        if method.knows
        else ignorant_maps(method, maps.grid, (image.shape[0], image.shape[1]), rng)[0]
        for method in METHODS
    }
    row = images.table.loc[place]
    return Example(
        image_id=str(row["image_id"]),
        patient=str(row["patient_id"]),
        truth=str(row["target"]),
        explained=classes[target],
        probability=float(probabilities[place, target]),
        image=np.clip(image.round(), 0, 255).astype(np.uint8),
        maps=drawn,
    )
