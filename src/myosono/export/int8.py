"""int8 for one fold of a run: calibrated on its training patients, judged on its test patients."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from numpy.typing import NDArray

from myosono.cohort import Cohort
from myosono.cohort.schema import files_of
from myosono.evaluation import score
from myosono.export.gates import Int8Agreement
from myosono.export.graph import graph_sha256
from myosono.export.quantise import Quantisation, quantise
from myosono.pooling import pool_files
from myosono.progress import progress_bar, track
from myosono.training import Run

CALIBRATION_IMAGES = 200


@dataclass(frozen=True, eq=False)
class Int8Model:
    """A quantised graph and what is known of it.

    Attributes
    ----------
    model
        The graph, without metadata.
    quantisation
        How it was made.
    agreement
        Beside its fp32 parent.
    calibration_patients
        Training patients whose images set the ranges.
    """

    model: onnx.ModelProto
    quantisation: Quantisation
    agreement: Int8Agreement
    calibration_patients: int

    def metadata(self, *, parent: dict[str, Any]) -> dict[str, Any]:
        """What the int8 file says beyond its parent's metadata."""
        return {
            "precision": "int8",
            "graph_sha256": graph_sha256(self.model),
            "quantisation": self.quantisation.to_dict()
            | {"calibration_role": "train", "calibration_patients": self.calibration_patients},
            "int8_agreement": asdict(self.agreement),
            "parent": {"precision": parent["precision"], "graph_sha256": parent["graph_sha256"]},
        }


def make_int8(
    model: onnx.ModelProto,
    run: Run,
    cohort: Cohort,
    *,
    fold: int,
    images: int = CALIBRATION_IMAGES,
    quiet: bool = False,
) -> Int8Model:
    """Quantise a fold's fp32 graph and compare the two on the fold's held-out test images.

    Parameters
    ----------
    model
        fp32 graph of this fold's network.
    run, cohort, fold
        Whose patients are training patients and whose are held out.
    images
        At most so many calibration images.

    Raises
    ------
    ArtefactError
        If the fold has no training image.
    """
    chosen = calibration_ids(run, cohort, fold=fold, count=images)
    patients = cohort.table.set_index("image_id")["patient_id"]
    loaded = [cohort.image(image_id) for image_id in track(chosen, "reading calibration images", disable=quiet)]
    with progress_bar(disable=quiet) as bar:
        step = bar.add_task("quantising", total=1)
        quantised, how = quantise(model, loaded)
        bar.advance(step)
    test = run.predictions().query("fold == @fold and role == 'test'")
    found = agreement(model, quantised, cohort, test, run.classes, quiet=quiet)
    return Int8Model(quantised, how, found, int(patients.loc[chosen].nunique()))


def calibration_ids(run: Run, cohort: Cohort, *, fold: int, count: int) -> list[str]:
    """Images of this fold's training patients, by `training_ids`."""
    return training_ids(pd.read_parquet(run.path / "splits.parquet"), cohort, fold=fold, count=count)


def training_ids(split: pd.DataFrame, cohort: Cohort, *, fold: int, count: int) -> list[str]:
    """Images of a fold's training patients: every patient's first, then every patient's second, and so on."""
    trained = split.query("fold == @fold and role == 'train'")
    table = cohort.table[cohort.table["image_id"].isin(trained["image_id"])]
    order = table.assign(turn=table.groupby("patient_id").cumcount()).sort_values(["turn", "patient_id"], kind="stable")
    return order["image_id"].tolist()[:count]


def agreement(
    fp32: onnx.ModelProto,
    int8: onnx.ModelProto,
    cohort: Cohort,
    test: pd.DataFrame,
    classes: Sequence[str],
    *,
    quiet: bool = False,
) -> Int8Agreement:
    """Both graphs on the test rows of one fold's predictions table; their probabilities are calibrated alike."""
    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for model in (fp32, int8)
    ]
    found: list[list[NDArray[np.float32]]] = []
    for image_id in track(test["image_id"].tolist(), "comparing int8 with fp32", disable=quiet):
        image = cohort.image(image_id)
        found.append(
            [part for session in sessions for part in session.run(["logits", "probabilities"], {"image": image})]
        )
    logits32, p32, logits8, p8 = (np.stack(part) for part in zip(*found, strict=True))
    targets = test["target"].map(list(classes).index).to_numpy(np.intp)
    patients, files = test["patient_id"].tolist(), files_of(test)
    difference = np.abs(logits8 - logits32)
    return Int8Agreement(
        images=len(test),
        patients=len(set(patients)),
        argmax_agreement=float(np.mean(logits8.argmax(axis=1) == logits32.argmax(axis=1))),
        max_logit_difference=float(difference.max()),
        mean_logit_difference=float(difference.mean()),
        balanced_accuracy_fp32=_patient_balanced_accuracy(p32, targets, patients, files),
        balanced_accuracy_int8=_patient_balanced_accuracy(p8, targets, patients, files),
    )


def _patient_balanced_accuracy(
    probabilities: NDArray[np.float32], targets: NDArray[np.intp], patients: Sequence[str], files: Sequence[Hashable]
) -> float:
    keys, pooled, _ = pool_files(probabilities, patients, files)
    truth = dict(zip(patients, targets, strict=True))
    return float(score(np.array([truth[key] for key in keys]), pooled).balanced_accuracy[0])
