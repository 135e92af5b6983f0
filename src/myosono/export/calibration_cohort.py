"""A separate cohort to calibrate on: that it shares nobody with training, and what a network says of its images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from myosono.cohort import Cohort
from myosono.cohort.schema import files_of
from myosono.cohort.tasks import default_task, get_task
from myosono.errors import UsageError
from myosono.export.graph import ReadingGraph
from myosono.progress import track
from myosono.training.train import one_target_each

Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""One grey image, uint8 ``(height, width)``, to logits ``(classes,)``."""

COMPARED = "no image or patient shared with the training cohort"
NOT_COMPARED = "another cohort by content hash; the training cohort was not at hand to compare images and patients"

_NAMED = 3
_SEED = 0
_IDENTITY = ("image_id", "patient_id", "muscle", "side", "device", "clip")


def refuse_shared(cohort: Cohort, known: Cohort, *, use: str, known_as: str) -> None:
    """Refuse a cohort that shares images or patients with another.

    Images are the same if their files are, byte for byte. Patients are the same if their identities are; simulated
    people are numbered anew in every cohort, so that only their images can tell.

    Parameters
    ----------
    cohort, known
        The cohort that is to be used, and the one that the network (or its calibration) knows.
    use, known_as
        What they are used for, for the message.

    Raises
    ------
    UsageError
        If they share anything.
    """
    if cohort.info.content_hash == known.info.content_hash:
        raise UsageError(f"cannot {use}: it is the cohort of {known_as}", path=cohort.folder, remedy="Use another one")
    images = _shared(cohort.table["sha256"], known.table["sha256"])
    if images:
        raise UsageError(
            f"cannot {use}: {len(images)} of its images are among those of {known_as}, by hash",
            path=cohort.folder,
            remedy="Leave their patients out",
        )
    if cohort.info.simulated and known.info.simulated:
        return
    patients = _shared(cohort.table["patient_id"], known.table["patient_id"])
    if patients:
        named = ", ".join(patients[:_NAMED]) + (" ..." if len(patients) > _NAMED else "")
        raise UsageError(
            f"cannot {use}: {len(patients)} patients are among those of {known_as} ({named})",
            path=cohort.folder,
            remedy="Leave them out, or import other people under other identities",
        )


def cohort_predictions(
    logits: Logits,
    cohort: Cohort,
    *,
    task: str,
    classes: tuple[str, ...],
    role: str,
    fold: int = 0,
    limit: int | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Uncalibrated probabilities of a whole cohort as a predictions table.

    Identities carry the cohort's content hash, so that a patient number of another cohort is another person.

    Parameters
    ----------
    logits
        The network with its preprocessing.
    task
        Name of the network's task, or ``auto``.
    classes
        Of the network, in the order of its outputs.
    role
        ``validation`` to calibrate on, ``test`` to measure on.
    limit
        Most images of a patient, drawn with a fixed seed: the promise of a prediction set does not reach patients with
        fewer images than the calibration patients have.

    Raises
    ------
    UsageError
        If the cohort's classes under this task are not the network's, or one of them has no patient.
    """
    chosen = get_task(default_task(cohort.info.classes) if task == "auto" else task, cohort.info.classes)
    table = cohort.table.assign(target=chosen.targets(cohort.table["label"]))
    table = table[table["target"].notna()].reset_index(drop=True)
    if limit is not None:
        if limit < 1:
            raise UsageError(f"at least one image of a patient is needed, not {limit}")
        table = _limited(table, limit)
    table = one_target_each(table, cohort.info.label_conflicts)
    present = set(table["target"])
    if present != set(classes):
        raise UsageError(
            f"the network tells {', '.join(classes)} apart, and this cohort has {', '.join(sorted(present)) or 'none'}",
            path=cohort.folder,
            remedy="Use a cohort with patients of every class",
        )
    said = [logits(cohort.image(str(name))) for name in track(table["image_id"], "reading images", disable=quiet)]
    found = table[[name for name in _IDENTITY if name in table]].copy()
    mark = cohort.info.content_hash[:12]
    for column in ("image_id", "patient_id"):
        found[column] = mark + "/" + found[column].astype(str)
    found = found.assign(fold=fold, role=role, target=table["target"])
    found[[f"p_{name}" for name in classes]] = softmax(np.stack(said).astype(np.float64), axis=1)
    return found


def _limited(table: pd.DataFrame, limit: int) -> pd.DataFrame:
    """At most so many files of each patient, a clip with all its frames: they count as one, as in reading."""
    files = table.assign(file=pd.Series(files_of(table), index=table.index, dtype=object))
    shuffled = files.sort_values("image_id").sample(frac=1, random_state=_SEED)
    drawn = shuffled.drop_duplicates(["patient_id", "file"]).groupby("patient_id").head(limit)
    kept = set(zip(drawn["patient_id"], drawn["file"], strict=True))
    inside = [pair in kept for pair in zip(files["patient_id"], files["file"], strict=True)]
    return table[inside].reset_index(drop=True)


def torch_logits(graph: ReadingGraph) -> Logits:
    """Logits of a network that is not exported yet."""

    @torch.no_grad()
    def logits(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(graph(torch.from_numpy(np.array(image)))[1].numpy())

    return logits


def onnx_logits(model: onnx.ModelProto) -> Logits:
    """Logits of an exported graph."""
    session = onnx_session(model)

    def logits(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(session.run(["logits"], {"image": np.ascontiguousarray(image)})[0])

    return logits


def onnx_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A graph, ready to run in one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def described(cohort: Cohort, overlap: str, limit: int | None = None) -> dict[str, Any]:
    """What a model file says of the cohort that it was calibrated on.

    Parameters
    ----------
    overlap
        How it is known that nobody is shared with training.
    limit
        Most images of a patient that were used.
    """
    info = cohort.info
    return {
        "name": info.name,
        "content_hash": info.content_hash,
        "licence": info.licence,
        "simulated": info.simulated,
        "images": len(cohort.table),
        "patients": int(cohort.table["patient_id"].nunique()),
        "overlap": overlap,
        "limit": limit,
    }


def _shared(first: pd.Series[str], second: pd.Series[str]) -> list[str]:
    return sorted((set(first.astype(str)) & set(second.astype(str))) - {""})
