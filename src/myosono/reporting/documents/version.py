"""One side of a change record: a run or a model file, as flat facts and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from myosono.cohort import ROLES_KEY
from myosono.errors import UsageError
from myosono.evaluation import Estimate
from myosono.evaluation.result import METRICS, PatientResult
from myosono.reading.reader import version_of
from myosono.reporting.documents.source import DocumentSource, read_document_source, read_model
from myosono.reporting.statements import Banner, banners

Facts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Version:
    """What can be compared with another version.

    Attributes
    ----------
    kind
        A run or a model file.
    facts
        By group (``Data``, ``Recipe``, ``Model``, ``Software``, ``File``), then by name, as text.
    figures
        By level, then by metric.
    test
        Identifies who was tested, by a model file also who trained; equal for two versions tested on the same patients,
        None if unknown.
    decisions
        Of test patients; empty for a model file, which does not carry them.
    """

    name: str
    kind: Literal["run", "model file"]
    created: str
    source: str
    classes: tuple[str, ...]
    facts: Facts
    figures: Mapping[str, Mapping[str, Estimate]]
    banners: tuple[Banner, ...]
    test: tuple[str, ...] | None
    decisions: tuple[PatientResult, ...] = ()


def read_version(path: str | Path) -> Version:
    """Read a run folder or a model file.

    Raises
    ------
    RunError, ArtefactError
        If it cannot be read.
    UsageError
        If there is nothing at the path.
    """
    place = Path(path)
    if not place.exists():
        raise UsageError("does not exist", path=place, remedy="Name a run folder or a model file.")
    return version_of_run(read_document_source(place)) if place.is_dir() else _version_of_model(place)


def version_of_run(source: DocumentSource) -> Version:
    """A run as one side of a change record."""
    run, found = source.facts.run, source.evaluation
    split = {key: value for key, value in source.facts.part("split").items() if key != "overlap"}
    patients = tuple(sorted(f"{one.patient_id}: {one.target}, {one.images} images" for one in found.patients))
    content_hash = str(source.facts.part("cohort").get("content_hash", ""))
    temperatures = {f"temperature of fold {fold}": f"{v:.3f}" for fold, v in found.calibration.temperatures.items()}
    return Version(
        name=source.name,
        kind="run",
        created=str(run.get("created", "")),
        source="run.json, recipe.yaml, metrics.json",
        classes=found.classes,
        facts={
            "Data": _flat({"cohort": source.facts.part("cohort"), "split": split, "task": run.get("task")}),
            "Recipe": _flat(source.recipe),
            "Model": _flat(source.facts.part("model")),
            "Software": _flat({**source.facts.part("versions"), "machine": source.facts.part("machine")}),
            "File": {f"SHA-256 of {name}": digest for name, digest in source.facts.hashes.items()} | temperatures,
        },
        figures={name: {key: getattr(level, key) for key in METRICS} for name, level in found.levels.items()},
        banners=tuple(banners(found, source.facts)),
        test=(content_hash, *patients),
        decisions=found.patients,
    )


def _version_of_model(path: Path) -> Version:
    file = read_model(path)
    meta = dict(file.metadata)
    evidence = meta.pop("evidence", None) or {}
    groups: dict[str, dict[str, Any]] = {
        "Data": {key: meta.pop(key, None) for key in ("cohort", "trained_on", "simulated", "split", "task", "classes")},
        "Software": meta.pop("versions", None) or {},
        "Model": {key: meta.pop(key, None) for key in ("name", "network", "started_from", "size", "params", "macs")},
    }
    created = version_of(meta)
    meta.pop("created", None)
    groups["File"] = {"SHA-256": file.sha256, "bytes": file.size, **meta}
    return Version(
        name=path.name,
        kind="model file",
        created=created,
        source="metadata of the model files",
        classes=tuple(file.metadata["classes"]),
        facts={name: _flat(part) for name, part in groups.items()},
        figures={
            level: {key: Estimate(**value) for key, value in part.items()}
            for level, part in evidence.items()
            if isinstance(part, dict)
        },
        banners=_model_banners(file.metadata),
        test=_tested(file.metadata),
    )


def _tested(metadata: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Whom a model file's figures are of; None if it states none, or is too old to say."""
    evidence = metadata.get("evidence") or {}
    if not evidence:
        return None
    if "cohort" in evidence:  # recalibrated, and measured on a cohort of its own
        return str(evidence["cohort"]), str(metadata.get("task"))
    # Two seeds share cohort, kind of split, fold and number of test patients: only the roles tell them apart.
    known = (metadata.get("cohort") or {}).get("content_hash"), metadata["split"].get(ROLES_KEY)
    return tuple(map(str, known)) if all(known) else None


def _model_banners(metadata: Mapping[str, Any]) -> tuple[Banner, ...]:
    found = []
    if metadata["split"].get("leaks"):
        text = (
            "Test images belong to patients also seen in training; the figures overestimate what the network does on "
            "patients it has never seen."
        )
        found.append(Banner("red", "Split leaks", text))
    if metadata["simulated"]:
        found.append(Banner("amber", "Simulated images", "For testing and demonstration, not evidence about patients."))
    return tuple(found)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested facts as ``outer.inner`` names with text values; what is None is left out."""
    found: dict[str, str] = {}
    for key, part in value.items():
        name = f"{prefix}{key}"
        if isinstance(part, Mapping):
            found |= _flat(part, f"{name}.")
        elif isinstance(part, list | tuple) and any(isinstance(one, Mapping) for one in part):
            found |= _flat({str(place + 1): one for place, one in enumerate(part)}, f"{name}.")
        elif isinstance(part, list | tuple):
            found[name] = ", ".join(_text(one) for one in part) or "none"
        elif part is not None:
            found[name] = _text(part)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
