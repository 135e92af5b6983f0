"""int8 beside fp32: size, agreement on held-out patients, latency; and what the calibration percentile is worth.

OMP_NUM_THREADS=1 python benchmarks/int8.py RUN COHORT [--fold 0] [--out benchmarks/results/int8.csv]

The run of the committed figures: myosono train COHORT --size 96 --epochs 4 --fold 0 --out RUN, simulated images.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import asdict
from pathlib import Path

import onnx
import onnxruntime

from myosono.cohort import Cohort
from myosono.export.artefact import load_network
from myosono.export.graph import ReadingGraph, to_onnx
from myosono.export.int8 import CALIBRATION_IMAGES, agreement, calibration_ids
from myosono.export.profile.timing import interleaved, open_session
from myosono.export.quantise import PERCENTILE, quantise
from myosono.training import Run

PERCENTILES = (99.9, 99.99, 99.999, PERCENTILE, 100.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/int8.csv"))
    options = parser.parse_args()
    run, cohort = Run.open(options.run), Cohort.open(options.cohort)
    fp32 = to_onnx(ReadingGraph(load_network(run, options.fold), size=run.recipe.size, temperature=1.0))
    chosen = calibration_ids(run, cohort, fold=options.fold, count=CALIBRATION_IMAGES)
    images = [cohort.image(image_id) for image_id in chosen]
    test = run.predictions().query("fold == @options.fold and role == 'test'")
    models: dict[str, onnx.ModelProto] = {"fp32": fp32}
    for percentile in PERCENTILES:
        models[f"int8, {percentile:g}th percentile"] = quantise(fp32, images, percentile=percentile)[0]
    sessions = [open_session(model.SerializeToString(), 1) for model in models.values()]
    probe = cohort.image(test["image_id"].iloc[0])
    jobs = [lambda session=session: session.run(["probabilities"], {"image": probe}) for session in sessions]
    latencies = interleaved(jobs, repeats=200, budget=20, title="timing")
    rows = [
        {
            "network": run.recipe.model,
            "size": run.recipe.size,
            "precision": name,
            "bytes": model.ByteSize(),
            **asdict(agreement(fp32, model, cohort, test, run.classes)),
            "latency_ms": round(latency.median, 3),
            "latency_p95_ms": round(latency.p95, 3),
            "onnxruntime": onnxruntime.__version__,
        }
        for (name, model), latency in zip(models.items(), latencies, strict=True)
    ]
    with options.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
