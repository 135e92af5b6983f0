"""Train the network that proposes the muscle region, measure it on held-out groups, and write its ONNX file.

Run from the root of the repository, with the real images beside it (or MYOSONO_SHARED set):

    OMP_NUM_THREADS=1 python benchmarks/muscle_region.py

Trains on four fifths of the DL_Track images with drawn aponeuroses (look-alikes grouped before the split, kinds of
screen in equal shares) and on simulated images; stopped, it goes on from its last epoch. Writes
``benchmarks/results/muscle_region.csv`` (comment lines with the command and the summary, then one line per held-out
image) and, with ``--ship``, the file inside the package. The network measured is the network shipped.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from myosono import __version__
from myosono.export.region import export_region
from myosono.networks import measure_cost
from myosono.networks.region import RegionConfig
from myosono.quantification.decode import borders_to_mask, decode_borders
from myosono.quantification.quantifier import LOW_SUPPORT
from myosono.training.segmentation import (
    RegionRecipe,
    RegionScore,
    Sample,
    group_samples,
    hold_out,
    read_aponeurosis_folder,
    score_samples,
    simulate_samples,
    train_region,
)
from myosono.training.segmentation.score import Propose, dice

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "src" / "myosono" / "quantification" / "models" / "muscle_region.onnx"
SIMULATED_TRAIN, SIMULATED_TEST = 200, 60
TRAIN_SEED, TEST_SEED = 11, 12
LIMITS = (("dice", 0.8), ("support", LOW_SUPPORT))
TRAINED_ON = (
    "DL_Track training images of healthy leg muscle with drawn aponeuroses (Cronin et al. 2020, Apache-2.0), the "
    "look-alike groups of one split, and simulated images"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("MYOSONO_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "muscle_region", help="Folder of the checkpoint.")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "muscle_region.csv")
    parser.add_argument("--epochs", type=int, default=RegionRecipe.epochs)
    parser.add_argument("--ship", action="store_true", help="Write the file inside the package, too.")
    arguments = parser.parse_args()
    data = arguments.shared / "data"
    if not data.is_dir():
        sys.exit(f"{data} is not there: set MYOSONO_SHARED to the folder that holds data/")
    real = read_aponeurosis_folder(data / "muscle_dltrack")
    train, test = hold_out(real)
    network = train_region(
        [*train, *simulate_samples(SIMULATED_TRAIN, seed=TRAIN_SEED)],
        arguments.work,
        RegionRecipe(epochs=arguments.epochs),
    )
    model = export_region(
        network, arguments.work / "muscle_region.onnx", {"name": "muscle_region", "trained_on": TRAINED_ON}
    )
    propose = onnx_proposer(model)
    scores = [*score_samples(propose, test), *score_samples(propose, simulate_samples(SIMULATED_TEST, seed=TEST_SEED))]
    summary = summarise(scores, train, test, len(set(group_samples(real))), arguments.epochs)
    summary += external(propose, data / "myositis_samples")
    write(arguments.out, summary, scores)
    print("\n".join(summary))
    if arguments.ship:
        facts = {
            "name": "muscle_region",
            "trained_on": TRAINED_ON,
            "licence": "Apache-2.0",
            "held_out": {kind: facts_of([s for s in scores if (s.layout == "simulated") == (kind == "simulated")])
                         for kind in ("real", "simulated")},
        }  # fmt: skip
        export_region(network, SHIPPED, facts)


def onnx_proposer(path: Path) -> Propose:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": np.ascontiguousarray(image)})[0]


def facts_of(scores: list[RegionScore]) -> dict[str, float]:
    names = ("dice", "superficial_px", "deep_px", "superficial_percent", "deep_percent", "thickness_percent")
    medians = {
        f"median_{name}": round(float(np.median([getattr(score, name) for score in scores])), 4) for name in names
    }
    mean = round(float(np.mean([score.dice for score in scores])), 4)
    poor = sum(score.dice < LIMITS[0][1] for score in scores)
    return {"images": len(scores), "mean_dice": mean, "dice_below_0.8": poor, **medians}


def describe(title: str, scores: list[RegionScore]) -> str:
    columns = {
        name: np.array([getattr(score, name) for score in scores]) for name in asdict(scores[0]) if name[-1] != "e"
    }
    text = [f"Dice mean {np.mean([s.dice for s in scores]):.3f}, median {np.median([s.dice for s in scores]):.3f}"]
    text.append(f"{sum(s.dice < 0.8 for s in scores)} below 0.8")
    for line in ("superficial", "deep"):
        px, percent = columns[f"{line}_px"], columns[f"{line}_percent"]
        text.append(
            f"{line} aponeurosis {np.median(px):.1f} px = {np.median(percent):.2f} % of depth "
            f"(90th percentile {np.quantile(percent, 0.9):.2f} %)"
        )
    text.append(f"thickness {np.median(columns['thickness_percent']):.1f} %")
    return f"{title} ({len(scores)} images): " + "; ".join(text)


def summarise(
    scores: list[RegionScore], train: list[Sample], test: list[Sample], groups: int, epochs: int
) -> list[str]:
    config = RegionConfig()
    cost = measure_cost(_network(), (1, config.rows, config.columns))
    real = [score for score in scores if score.layout != "simulated"]
    lines = [
        f"one held-out split: {len(train)} real images to train, {len(test)} held out; {groups} look-alike groups, "
        "none in both; subjects are not known, so a subject may be in both",
        f"{SIMULATED_TRAIN} simulated images to train, {epochs} epochs; nothing of the training was chosen on held-out "
        "images, but the continuity of borders across columns was added after a look at them",
        f"{cost.macs / 1e6:.1f} MMAC at {config.rows}x{config.columns}, {cost.params:,} parameters",
        "errors are medians over images of the mean absolute error over columns",
        describe("held-out real", real),
    ]
    for layout in sorted({score.layout for score in real}):
        lines.append(describe(f"held-out real, {layout}", [score for score in real if score.layout == layout]))
    poor, doubtful = ([s for s in real if getattr(s, name) < limit] for name, limit in LIMITS)
    lines.append(
        f"{len(poor)} held-out real images with Dice below {LIMITS[0][1]}, of which {sum(s in doubtful for s in poor)} "
        f"called doubtful (support below {LIMITS[1][1]}): support does not tell when another muscle is marked"
    )
    lines.append(describe("simulated, other seed", [score for score in scores if score.layout == "simulated"]))
    return lines


def external(propose: Propose, folder: Path) -> list[str]:
    """Johns Hopkins samples: another scanner, transverse views, masks drawn by others; Dice over the masks' columns."""
    found = []
    for path in sorted(folder.glob("sample_?.png")):
        image = np.asarray(Image.open(path).convert("L"))
        drawn = np.asarray(Image.open(path.with_name(f"{path.stem}_muscle_mask.png")).convert("L")) > 127
        borders, _ = decode_borders(propose(image))
        columns = drawn.any(axis=0)
        found.append(dice(borders_to_mask(borders, *image.shape)[:, columns], drawn[:, columns]))
    return [f"Johns Hopkins samples ({len(found)} images): Dice " + ", ".join(f"{value:.3f}" for value in found)]


def write(path: Path, summary: list[str], scores: list[RegionScore]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        stream.write("# OMP_NUM_THREADS=1 python benchmarks/muscle_region.py\n")
        stream.write(f"# myosono {__version__}, Python {platform.python_version()}, torch {torch.__version__}\n")
        stream.writelines(f"# {line}\n" for line in summary)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(asdict(scores[0]))
        for score in scores:
            writer.writerow([f"{value:.4f}" if isinstance(value, float) else value for value in asdict(score).values()])


def _network() -> torch.nn.Module:
    from myosono.networks.region import RegionNet

    return RegionNet()


if __name__ == "__main__":
    main()
