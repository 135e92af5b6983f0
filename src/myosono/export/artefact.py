"""`export_run`: one fold of a run → one ``.onnx`` file that carries all that a reader must know."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import torch
from numpy.typing import NDArray

from myosono.cohort import ROLES_KEY, Cohort, fold_sha256
from myosono.errors import ArtefactError, UsageError
from myosono.evaluation import Evaluation, evaluate
from myosono.export.calibrate import calibration_metadata
from myosono.export.calibration_cohort import COMPARED, cohort_predictions, described, refuse_shared, torch_logits
from myosono.export.gates import Gate, failing, int8_gates, parity_gates
from myosono.export.graph import ReadingGraph, graph_sha256, save, to_onnx
from myosono.export.int8 import calibration_ids, make_int8
from myosono.export.ood import COHORT_IMAGES, GateFeatures, GateImages, gate_metadata, outlier_features
from myosono.export.parity import Parity, prove_parity
from myosono.formats import ARTEFACT_FORMAT, ARTEFACT_METADATA_KEY
from myosono.networks import create_model, model_kind
from myosono.networks.explained import Explainable, explainable
from myosono.progress import track
from myosono.provenance import now, versions
from myosono.reading.grey_range import GreyRange, mean_grey
from myosono.reading.seal import seal
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
        The proof of the fp32 graph, which also stands in the metadata.
    gates
        What was required and found; all passed, unless the file was forced.
    metadata
        What the file says of itself.
    """

    path: Path
    parity: Parity
    gates: tuple[Gate, ...]
    metadata: dict[str, Any]


def export_run(
    run: Run,
    cohort: Cohort,
    out: str | Path,
    *,
    fold: int = 0,
    name: str | None = None,
    int8: bool = False,
    force: bool = False,
    gate: bool = True,
    muscle_images: Sequence[str | Path] = (),
    other_images: Sequence[str | Path] = (),
    calibrate_on: Cohort | None = None,
    calibration_limit: int | None = None,
    quiet: bool = False,
) -> Exported:
    """Write the artefact of one fold, once it has passed its gates.

    Parameters
    ----------
    run
        Run with this fold finished.
    cohort
        The cohort of the run: up to 500 of its images prove parity with torch; for int8, training patients' images
        set the ranges and the fold's test images judge the result.
    out
        Path of the ``.onnx`` file.
    fold
        Which fold's network; its test patients were never seen by it.
    name
        Name that readings carry; the model's name by default.
    int8
        Quantise (see `quantise`).
    force
        Keep a file that fails a gate, marked so that every reading warns.
    gate
        Fit the gate that abstains from what is not muscle ultrasound, on the fold's training images.
    muscle_images
        Folders of real muscle images for that gate; needed where the cohort is simulated, or real muscle is refused.
    other_images
        Folders of real images that are not muscle, beside the drawn ones that the gate always learns to refuse.
    calibrate_on
        A cohort that shares no image or patient with the run's: temperatures and prediction sets are fitted on all of
        it, instead of on the fold's validation patients, who are often too few.
    calibration_limit
        Most images of a patient of ``calibrate_on`` (see `myosono.export.recalibrate`).

    Raises
    ------
    UsageError
        If the cohort is another than the run's, the network has no class maps, or ``calibrate_on`` shares images or
        patients with the run's cohort or has other classes.
    ArtefactError
        If a gate fails, unless forced; no file is left behind.
    """
    if cohort.info.content_hash != run.facts["cohort"]["content_hash"]:
        raise UsageError("the cohort is not the one that the run was trained on", path=cohort.folder)
    path = Path(out)
    network = load_network(run, fold)
    table = run.predictions().query("fold == @fold")
    if calibrate_on is None:
        calibrated = table
    else:
        refuse_shared(calibrate_on, cohort, use="calibrate on this cohort", known_as="training")
        calibrated = _on_cohort(network, run, calibrate_on, table, fold, limit=calibration_limit, quiet=quiet)
    temperature, metadata = _metadata(run, cohort, calibrated, fold, name)
    if calibrate_on is not None:
        metadata["calibration"]["cohort"] = described(calibrate_on, COMPARED, calibration_limit)
    graph = ReadingGraph(network, size=run.recipe.size, temperature=temperature)
    model = to_onnx(graph)
    parity = _parity(graph, model, cohort, table, run.classes, quiet=quiet)
    gates = parity_gates(parity)
    _refuse(gates, path, force=force)
    metadata |= {"parity": parity.to_dict(), "precision": "fp32", "graph_sha256": graph_sha256(model)}
    if int8:
        made = make_int8(model, run, cohort, fold=fold, quiet=quiet)
        gates += int8_gates(made.agreement)
        _refuse(gates, path, force=force)
        metadata |= made.metadata(parent=metadata)
        model = made.model
    metadata |= {"gates": [gate.to_dict() for gate in gates], "forced": bool(failing(gates)), "sealed": True}
    learned = calibration_ids(run, cohort, fold=fold, count=COHORT_IMAGES)
    metadata["grey"] = asdict(grey_range(cohort, learned, quiet=quiet))
    if gate or muscle_images or other_images:
        metadata["ood"] = gate_of_run(model, run, cohort, muscle_images, other_images, fold=fold, quiet=quiet)
    write_artefact(model, metadata, path)
    return Exported(path, parity, gates, metadata)


def write_artefact(model: onnx.ModelProto, metadata: dict[str, Any], path: Path) -> None:
    """Check, seal and write one self-contained file, whole or not at all."""
    model.metadata_props.append(onnx.StringStringEntryProto(key=ARTEFACT_METADATA_KEY, value=json.dumps(metadata)))
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(seal(model.SerializeToString(deterministic=True)))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def gate_of_run(
    model: onnx.ModelProto,
    run: Run,
    cohort: Cohort,
    muscle_images: Sequence[str | Path] = (),
    other_images: Sequence[str | Path] = (),
    *,
    fold: int,
    quiet: bool = False,
) -> dict[str, Any]:
    """The key ``ood`` for one fold: fitted on training patients, drawn outliers, and real images if given."""
    features = GateFeatures(model)
    ids = calibration_ids(run, cohort, fold=fold, count=COHORT_IMAGES)
    inside = cohort_features(features, cohort, ids, quiet=quiet)
    real = [features.of_folder(folder, muscle=False, quiet=quiet) for folder in other_images]
    outliers = [outlier_features(features, quiet=quiet), *real]
    return gate_metadata(model, inside, outliers, muscle_images, quiet=quiet)


def grey_range(cohort: Cohort, ids: list[str], *, quiet: bool = False) -> GreyRange:
    """Of training images, for the key ``grey``."""
    images = track(ids, "grey levels of training images", disable=quiet)
    return GreyRange.of([mean_grey(cohort.image(image_id)) for image_id in images])


def cohort_features(features: GateFeatures, cohort: Cohort, ids: list[str], *, quiet: bool = False) -> GateImages:
    """Gate features of images of a cohort, grouped by patient."""
    groups = cohort.table.set_index("image_id")["patient_id"].loc[ids].tolist()
    images = (cohort.image(image_id) for image_id in track(ids, "measuring training images", disable=quiet))
    return features.of_images(cohort.info.name, images, groups)


def _parity(
    graph: ReadingGraph,
    model: onnx.ModelProto,
    cohort: Cohort,
    table: pd.DataFrame,
    classes: Sequence[str],
    *,
    quiet: bool,
) -> Parity:
    predicted = table[[f"p_{name}" for name in classes]].to_numpy(dtype=np.float64)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "model.onnx"
        save(model, written)
        return prove_parity(graph, written, _parity_images(cohort, table, quiet=quiet), predicted)


def _refuse(gates: tuple[Gate, ...], path: Path, *, force: bool) -> None:
    failed = failing(gates)
    if failed and not force:
        raise ArtefactError(
            "gate failed: " + "; ".join(map(str, failed)),
            path=path,
            remedy="No file was left. Train longer, or keep it for study with --force, marked in every reading",
        )


def load_network(run: Run, fold: int) -> Explainable:
    """The network of a finished fold, with its best epoch's weights.

    Raises
    ------
    ModelError
        If the network cannot explain itself, so that no artefact can be made of it.
    UsageError
        If the run's model is no network.
    """
    recipe = run.recipe
    if model_kind(recipe.model) == "estimator":
        raise UsageError(f"{recipe.model} is no network and cannot be exported as an artefact")
    # Weights of ImageNet sit behind a change of range; those that ship with ours change no layer.
    network = create_model(
        recipe.model, num_classes=len(run.classes), pretrained=recipe.pretrained, **recipe.model_options
    )
    state = torch.load(run.checkpoint(fold), map_location="cpu", weights_only=True)["state_dict"]
    prefix = _AVERAGE_PREFIX if run.recipe.average_decay else _NETWORK_PREFIX
    network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    return explainable(network.eval(), recipe.model)


def _metadata(
    run: Run, learned: Cohort, table: pd.DataFrame, fold: int, name: str | None
) -> tuple[float, dict[str, Any]]:
    """Temperature and metadata from the table's validation patients; test patients only give the stated evidence."""
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
        "trained_on": _trained_on(run, learned, fold),
        "started_from": run.facts["model"].get("started_from", "random weights"),
        "simulated": cohort["simulated"],
        "cohort": {key: cohort[key] for key in ("name", "content_hash", "licence", "images", "patients")},
        "split": {"kind": split["kind"], "leaks": split["leaks"], "fold": fold, ROLES_KEY: _roles(run, fold)},
        "evidence": stated_evidence(evaluate(table, classes=run.classes, split=split)),
        "params": run.facts["model"]["params"],
        "macs": run.facts["model"]["macs"],
        "versions": versions(),
        "created": now(),
    }
    return temperature, metadata


def _roles(run: Run, fold: int) -> str:
    return fold_sha256(pd.read_parquet(run.path / "splits.parquet"), fold)


def _on_cohort(
    network: Explainable, run: Run, other: Cohort, table: pd.DataFrame, fold: int, *, limit: int | None, quiet: bool
) -> pd.DataFrame:
    """The fold's test patients, with another cohort's in the place of its validation patients."""
    logits = torch_logits(ReadingGraph(network, size=run.recipe.size, temperature=1.0).eval())
    found = cohort_predictions(
        logits,
        other,
        task=str(run.facts["task"]),
        classes=run.classes,
        role="validation",
        fold=fold,
        limit=limit,
        quiet=quiet,
    )
    return pd.concat([table[table["role"] == "test"], found], ignore_index=True)


def _trained_on(run: Run, cohort: Cohort, fold: int) -> str:
    """What this fold's network learned from: neither its validation and test patients nor what its task leaves out."""
    split = pd.read_parquet(run.path / "splits.parquet")
    learned = split.loc[(split["fold"] == fold) & (split["role"] == "train"), "image_id"]
    rows = cohort.table[cohort.table["image_id"].isin(learned)]
    kind = "simulated images" if cohort.info.simulated else "images"
    return f"{len(rows)} {kind} of {rows['patient_id'].nunique()} patients (cohort {cohort.info.name!r})"


def stated_evidence(evaluation: Evaluation) -> dict[str, Any]:
    """Test figures of this very network, at the two levels that readers ask about."""
    data = evaluation.to_dict()
    wanted = ("accuracy", "balanced_accuracy")
    return {
        "test_patients": data["counts"]["patients"],
        **{level: {key: data["levels"][level][key] for key in wanted} for level in ("image", "patient")},
        "sets": {key: data["conformal"]["overall"][key] for key in ("coverage", "decided", "accuracy_when_decided")},
    }


def _parity_images(cohort: Cohort, table: pd.DataFrame, *, quiet: bool) -> Iterator[NDArray[np.uint8]]:
    """What the run predicted, in the table's order, then images that it trained on."""
    ids = table["image_id"].tolist()
    tested = set(ids)
    ids += [image_id for image_id in cohort.table["image_id"] if image_id not in tested]
    for image_id in track(ids[:PARITY_IMAGES], "proving parity", disable=quiet):
        yield cohort.image(image_id)
