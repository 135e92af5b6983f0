"""Give an existing model file a new calibration: the same network, other temperatures and prediction sets.

A network that was trained elsewhere is calibrated for the people and machines of its training. Temperatures and
conformal thresholds are a few numbers: patients who are too few to train on may suffice for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd

from myosono.cohort import Cohort
from myosono.errors import ArtefactError, UsageError
from myosono.evaluation import evaluate
from myosono.export.artefact import stated_evidence, write_artefact
from myosono.export.calibrate import calibration_metadata
from myosono.export.calibration_cohort import (
    COMPARED,
    NOT_COMPARED,
    Logits,
    cohort_predictions,
    described,
    onnx_logits,
    onnx_session,
    refuse_shared,
)
from myosono.export.gates import Gate, failing
from myosono.export.graph import graph_sha256
from myosono.formats import ARTEFACT_METADATA_KEY
from myosono.provenance import now
from myosono.reading import Artefact
from myosono.reading.seal import SEAL_KEY

CHECKED_IMAGES = 100
MAX_PROBABILITY_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Recalibrated:
    """A rewritten model file.

    Attributes
    ----------
    path
        The file.
    before, after
        Its metadata.
    gates
        What was required of the rewritten graph; all held.
    """

    path: Path
    before: dict[str, Any]
    after: dict[str, Any]
    gates: tuple[Gate, ...]


def recalibrate(
    path: str | Path,
    on: Cohort,
    out: str | Path,
    *,
    trained_on: Cohort | None = None,
    evidence: Cohort | None = None,
    limit: int | None = None,
    quiet: bool = False,
) -> Recalibrated:
    """Fit temperatures and prediction sets on a cohort that was not trained on, and write the file with them.

    Weights, preprocessing, name and the gate against other images stay as they are; the date under ``recalibrated`` is
    the new file's version.

    Parameters
    ----------
    path, out
        The model file, and where to write; they may be the same.
    on
        The calibration cohort: patients of every class.
    trained_on
        The cohort that the network was trained on, to prove that no image or patient is shared. Without it only the
        content hash is compared, and the file says so.
    evidence
        A third cohort to measure the result on; without one the file states no figures.
    limit
        Most images of a calibration patient: patients with as many or more keep the promise, at the price of fewer
        single diagnoses for those with many.

    Raises
    ------
    UsageError
        If cohorts share images or patients, ``trained_on`` is another cohort than the file's, or classes differ.
    ArtefactError
        If the file is damaged, or the rewritten graph fails a gate; the old file is then left as it was.
    """
    source = Artefact(path, threads=1)
    before = source.metadata
    _refuse_overlap(before, source.path, on, trained_on, evidence)
    model = onnx.load(source.path)
    logits = onnx_logits(model)
    classes, task, fold = source.classes, str(before["task"]), int(before["split"].get("fold", 0))
    table = cohort_predictions(
        logits, on, task=task, classes=classes, role="validation", fold=fold, limit=limit, quiet=quiet
    )
    temperature, calibration = calibration_metadata(table, classes)
    calibration["calibration"]["cohort"] = described(on, COMPARED if trained_on else NOT_COMPARED, limit)
    set_temperature(model, temperature, source.path)
    gates = _gates(logits, model, on, temperature)
    if failing(gates):
        raise ArtefactError("gate failed: " + "; ".join(map(str, failing(gates))), path=Path(out))
    after = {
        **before,
        **calibration,
        "graph_sha256": graph_sha256(model),
        "gates": [*before.get("gates", []), *(gate.to_dict() for gate in gates)],
        "evidence": _evidence(logits, table, evidence, classes, task, quiet=quiet),
        "recalibrated": {"from": source.sha256, "created": now()},
        "sealed": True,
    }
    kept = [entry for entry in model.metadata_props if entry.key not in (SEAL_KEY, ARTEFACT_METADATA_KEY)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    write_artefact(model, after, Path(out))
    return Recalibrated(Path(out), before, after, gates)


def set_temperature(model: onnx.ModelProto, temperature: float, path: Path | None = None) -> None:
    """Change the constant that logits are divided by before the softmax, in place.

    Raises
    ------
    ArtefactError
        If the graph holds no such division: another program wrote it.
    """
    maker = {name: node for node in model.graph.node for name in node.output}
    softmax = maker.get(_source(maker.get("probabilities")))
    division = maker.get(_source(softmax)) if softmax is not None and softmax.op_type == "Softmax" else None
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    if division is None or division.op_type != "Div" or division.input[1] not in constants:
        raise ArtefactError("its graph divides no logits by a temperature", path=path, remedy="Export the run again")
    tensor = constants[division.input[1]]
    users = sum(name == tensor.name for node in model.graph.node for name in node.input)
    if users != 1:
        raise ArtefactError("its temperature is shared with other nodes", path=path, remedy="Export the run again")
    old = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.full_like(old, temperature), tensor.name))


def _source(node: onnx.NodeProto | None) -> str:
    return node.input[0] if node is not None else ""


def _refuse_overlap(
    metadata: dict[str, Any], path: Path, on: Cohort, trained_on: Cohort | None, evidence: Cohort | None
) -> None:
    trained = metadata["cohort"].get("content_hash")
    if trained_on is not None and trained_on.info.content_hash != trained:
        raise UsageError(f"is not the cohort that {path.name} was trained on", path=trained_on.folder)
    for cohort, use in ((on, "calibrate on this cohort"), (evidence, "measure on this cohort")):
        if cohort is not None and cohort.info.content_hash == trained:
            raise UsageError(f"cannot {use}: the model was trained on it", path=cohort.folder)
        if cohort is not None and trained_on is not None:
            refuse_shared(cohort, trained_on, use=use, known_as="training")
    if evidence is not None:
        refuse_shared(evidence, on, use="measure on this cohort", known_as="calibration")


def _gates(before: Logits, model: onnx.ModelProto, cohort: Cohort, temperature: float) -> tuple[Gate, ...]:
    """The network must not have moved, and the new temperature must be the one that is applied."""
    session = onnx_session(model)
    moved, wrong = [], []
    for name in cohort.table["image_id"][:CHECKED_IMAGES]:
        image = np.ascontiguousarray(cohort.image(str(name)))
        logits, probabilities = session.run(["logits", "probabilities"], {"image": image})
        moved.append(float(np.abs(logits - before(image)).max()))
        powers = np.exp((logits - logits.max()).astype(np.float64) / temperature)
        wrong.append(float(np.abs(probabilities - powers / powers.sum()).max()))
    count = len(moved)
    return (
        Gate("recalibrated against before: max |Δlogit|", max(moved), "at most", 0.0, count, "images"),
        Gate(
            "recalibrated: max difference of a probability from the stated temperature",
            max(wrong), "at most", MAX_PROBABILITY_DIFFERENCE, count, "images",
        ),
    )  # fmt: skip


def _evidence(
    logits: Logits,
    calibration: pd.DataFrame,
    cohort: Cohort | None,
    classes: tuple[str, ...],
    task: str,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Figures on a third cohort; those of the former calibration no longer hold."""
    if cohort is None:
        return {}
    fold = int(calibration["fold"].iloc[0])
    test = cohort_predictions(logits, cohort, task=task, classes=classes, role="test", fold=fold, quiet=quiet)
    found = evaluate(pd.concat([calibration, test], ignore_index=True), classes=classes)
    return stated_evidence(found) | {"cohort": f"{cohort.info.name}, content hash {cohort.info.content_hash}"}
