"""`export_run`: one fold of a run → one ``.onnx`` file that carries all that a reader must know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import torch
from numpy.typing import NDArray

from myosono.cohort import Cohort
from myosono.errors import ArtefactError, UsageError
from myosono.evaluation import Evaluation, evaluate
from myosono.export.calibrate import calibration_metadata
from myosono.export.graph import ReadingGraph, save, to_onnx
from myosono.export.parity import MAX_LOGIT_DIFFERENCE, Parity, prove_parity
from myosono.formats import ARTEFACT_FORMAT, ARTEFACT_METADATA_KEY
from myosono.networks import STANet, create_model, record
from myosono.progress import track
from myosono.provenance import now, versions
from myosono.training import Run

PARITY_IMAGES = 500
_NETWORK_PREFIX, _AVERAGE_PREFIX = "network.", "average."


@dataclass(frozen=True)
class Exported:
    """A written artefact.

    Attributes
    ----------
    path
        The file.
    parity
        The proof, which also stands in the metadata.
    metadata
        What the file says of itself.
    """

    path: Path
    parity: Parity
    metadata: dict[str, Any]


def export_run(
    run: Run, cohort: Cohort, out: str | Path, *, fold: int = 0, name: str | None = None, quiet: bool = False
) -> Exported:
    """Write the artefact of one fold and prove its parity on up to 500 of the cohort's images.

    Parameters
    ----------
    run
        Run with this fold finished.
    cohort
        The cohort of the run, for the parity images.
    out
        Path of the ``.onnx`` file.
    fold
        Which fold's network; its test patients were never seen by it.
    name
        Name that readings carry; the model's name by default.

    Raises
    ------
    UsageError
        If the cohort is another than the run's, or the network has no class maps.
    ArtefactError
        If the parity gate fails; no file is left behind.
    """
    if cohort.info.content_hash != run.facts["cohort"]["content_hash"]:
        raise UsageError("the cohort is not the one that the run was trained on", path=cohort.folder)
    path = Path(out)
    network = load_network(run, fold)
    table = run.predictions().query("fold == @fold")
    temperature, metadata = _metadata(run, table, fold, name)
    graph = ReadingGraph(network, size=run.recipe.size, temperature=temperature)
    model = to_onnx(graph)
    partial = path.with_name(path.name + ".partial")
    save(model, partial)
    try:
        parity = prove_parity(graph, partial, _parity_images(cohort, table, quiet=quiet))
        if not parity.holds:
            raise ArtefactError(
                f"parity failed: logits differ by up to {parity.max_logit_difference:.2e} "
                f"(allowed {MAX_LOGIT_DIFFERENCE:.0e}), {parity.argmax_agreement:.1%} equal decisions",
                path=path,
            )
        metadata["parity"] = parity.to_dict()
        model.metadata_props.append(onnx.StringStringEntryProto(key=ARTEFACT_METADATA_KEY, value=json.dumps(metadata)))
        save(model, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return Exported(path, parity, metadata)


def load_network(run: Run, fold: int) -> STANet:
    """The network of a finished fold, with its best epoch's weights.

    Raises
    ------
    UsageError
        If the network cannot explain itself, so that no artefact can be made of it.
    """
    if not record(run.recipe.model).explains:
        raise UsageError(f"{run.recipe.model} has no class maps and cannot be exported as an artefact")
    network = create_model(run.recipe.model, num_classes=len(run.classes), **run.recipe.model_options)
    state = torch.load(run.checkpoint(fold), map_location="cpu", weights_only=True)["state_dict"]
    prefix = _AVERAGE_PREFIX if run.recipe.average_decay else _NETWORK_PREFIX
    network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    assert isinstance(network, STANet)
    return network.eval()


def _metadata(run: Run, table: pd.DataFrame, fold: int, name: str | None) -> tuple[float, dict[str, Any]]:
    """Temperature and metadata from the fold's validation patients; test patients only give the stated evidence."""
    temperature, calibration = calibration_metadata(table, run.classes)
    cohort, split = run.facts["cohort"], run.facts["split"]
    metadata = {
        "format": ARTEFACT_FORMAT,
        "name": name or run.recipe.model,
        "network": run.recipe.model,
        "task": run.facts["task"],
        "classes": list(run.classes),
        "size": run.recipe.size,
        **calibration,
        "trained_on": _trained_on(cohort),
        "simulated": cohort["simulated"],
        "cohort": {key: cohort[key] for key in ("name", "content_hash", "licence", "images", "patients")},
        "split": {"kind": split["kind"], "leaks": split["leaks"], "fold": fold},
        "evidence": _evidence(evaluate(table, classes=run.classes, split=split)),
        "params": run.facts["model"]["params"],
        "macs": run.facts["model"]["macs"],
        "versions": versions(),
        "created": now(),
    }
    return temperature, metadata


def _trained_on(cohort: dict[str, Any]) -> str:
    kind = "simulated images" if cohort["simulated"] else "images"
    return f"{cohort['images']} {kind} of {cohort['patients']} patients (cohort {cohort['name']!r})"


def _evidence(evaluation: Evaluation) -> dict[str, Any]:
    """Test figures of this very network, at the two levels that readers ask about."""
    data = evaluation.to_dict()
    wanted = ("accuracy", "balanced_accuracy")
    return {
        "test_patients": data["counts"]["patients"],
        **{level: {key: data["levels"][level][key] for key in wanted} for level in ("image", "patient")},
        "sets": {key: data["conformal"]["overall"][key] for key in ("coverage", "decided", "accuracy_when_decided")},
    }


def _parity_images(cohort: Cohort, table: pd.DataFrame, *, quiet: bool) -> Iterator[NDArray[np.uint8]]:
    ids = table["image_id"].tolist()
    tested = set(ids)
    ids += [image_id for image_id in cohort.table["image_id"] if image_id not in tested]
    for image_id in track(ids[:PARITY_IMAGES], "proving parity", disable=quiet):
        yield cohort.image(image_id)
