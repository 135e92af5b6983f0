"""What changed between two model files: on the same images, what moved, and for whom.

Both files read the same studies exactly as `Reader` does, so a change that never reaches a reader is not counted, and
one that does is: a diagnosis, a prediction set, an abstention.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myosono.errors import ArtefactError, UsageError
from myosono.reading.artefact import Artefact, Outputs
from myosono.reading.change_record import ChangeRecord, ImageChange, PatientChange
from myosono.reading.reader import Reader, Source
from myosono.reading.result import PatientReading, Reading

_UNCOMPARED = ("created", "evidence", "gates", "parity", "int8_agreement", "versions")
"""Metadata that differ between any two exports and say nothing of what a reader gets."""


@dataclass(frozen=True)
class Study:
    """Images to read together.

    Attributes
    ----------
    sources
        As `Reader.read` takes them.
    patient_id
        Overrides what the files say; None leaves it to them.
    names
        Of the images, for the record; by default the file and frame.
    target
        True class, if known: one of the models'.
    clips
        The file that each image is a frame of, as the column of a cohort: its frames count as one image of the patient.
        ``""`` is a file of its own; None leaves it to what is read.
    """

    sources: Sequence[Source]
    patient_id: str | None = None
    names: tuple[str, ...] | None = None
    target: str | None = None
    clips: tuple[str, ...] | None = None


def compare(
    before: str | Path,
    after: str | Path,
    studies: Iterable[Study] = (),
    *,
    on_study: Callable[[Study], None] | None = None,
) -> ChangeRecord:
    """Read the studies with both model files and record every difference.

    Parameters
    ----------
    before, after
        The two model files.
    studies
        One per patient, or any others; without any, only what the files say of themselves is compared.
    on_study
        Called with each study when both have read it, for progress.

    Raises
    ------
    ArtefactError
        If a file is refused, or the two know different classes.
    UsageError
        If a study gives names or clips for another number of images than it holds, or a target that is no class.
    """
    pair = _Observed(before), _Observed(after)
    if pair[0].classes != pair[1].classes:
        raise ArtefactError(
            f"knows the classes {', '.join(pair[1].classes)}; {pair[0].path} knows {', '.join(pair[0].classes)}",
            path=pair[1].path,
            remedy="Compare two versions of the same task",
        )
    readers = Reader(pair[0]), Reader(pair[1])
    images: list[ImageChange] = []
    patients: list[PatientChange] = []
    failed: list[tuple[str, str]] = []
    for study in studies:
        _refuse_unknown(study.target, pair[0].classes)
        seen, judged, lost = _compare_study(study, pair, readers)
        images += seen
        patients += judged
        failed += lost
        if on_study is not None:
            on_study(study)
    return ChangeRecord(
        before=readers[0].model.to_dict(),
        after=readers[1].model.to_dict(),
        classes=pair[0].classes,
        metadata=metadata_changes(pair[0].metadata, pair[1].metadata),
        images=tuple(images),
        patients=tuple(patients),
        failed=tuple(failed),
    )


class _Observed(Artefact):
    """An artefact that remembers the logits of what it read."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.logits: list[NDArray[np.float32]] = []

    def run(self, image: NDArray[np.uint8]) -> Outputs:
        outputs = super().run(image)
        self.logits.append(outputs.logits)
        return outputs


def _refuse_unknown(target: str | None, classes: Sequence[str]) -> None:
    if target is not None and target not in classes:
        raise UsageError(
            f"the true class {target} of a study is unknown to the models", remedy=f"They know {', '.join(classes)}"
        )


def _compare_study(
    study: Study, pair: tuple[_Observed, _Observed], readers: tuple[Reader, Reader]
) -> tuple[list[ImageChange], list[PatientChange], list[tuple[str, str]]]:
    for artefact in pair:
        artefact.logits.clear()
    old, new = (_read(reader, study) for reader in readers)
    names = study.names or tuple(_name(image.path, image.frame) for image in old.images)
    if len(names) != len(old.images):
        raise UsageError(f"{len(names)} names for {len(old.images)} images")
    images = [
        ImageChange(
            name=name,
            patient_id=a.patient_id,
            target=study.target,
            before=a.label,
            after=b.label,
            max_logit_difference=float(np.abs(x - y).max()),
            probabilities_before=a.probabilities,
            probabilities_after=b.probabilities,
        )
        for name, a, b, x, y in zip(names, old.images, new.images, pair[0].logits, pair[1].logits, strict=True)
    ]
    return images, _patient_changes(study, old, new), [(failure.path, failure.error) for failure in old.failed]


def _patient_changes(study: Study, old: Reading, new: Reading) -> list[PatientChange]:
    later = {patient.patient_id: patient for patient in new.patients}
    return [
        PatientChange(
            patient_id=patient.patient_id,
            target=study.target,
            before=said(patient),
            after=said(later[patient.patient_id]),
            probabilities_before=patient.probabilities,
            probabilities_after=later[patient.patient_id].probabilities,
        )
        for patient in old.patients
    ]


def _read(reader: Reader, study: Study) -> Reading:
    """As `Reader.read`, with the frames of a study's clips pooled as files."""
    found = reader.read(study.sources, patient_id=study.patient_id)
    if study.clips is None:
        return found
    if len(study.clips) != len(found.images):
        raise UsageError(f"{len(study.clips)} clips for {len(found.images)} images")
    images = tuple(
        replace(image, path=clip or image.path) for image, clip in zip(found.images, study.clips, strict=True)
    )
    muscles, patients = reader.pool(images)
    return replace(found, images=images, muscles=muscles, patients=patients)


def _name(path: str, frame: int) -> str:
    return f"{path}#{frame}" if frame else path


def said(patient: PatientReading) -> str:
    """What a reader is told of a patient: a diagnosis, several, or that the model abstains."""
    return patient.answer


def metadata_changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Metadata that differ, by dotted name; None where one file says nothing.

    Examples
    --------
    >>> metadata_changes({"size": 96, "split": {"fold": 0}}, {"size": 224, "split": {"fold": 0}})
    {'size': (96, 224)}
    """
    flat = [dict(_flat({k: v for k, v in one.items() if k not in _UNCOMPARED})) for one in (before, after)]
    names = sorted(Counter([*flat[0], *flat[1]]))
    return {name: (flat[0].get(name), flat[1].get(name)) for name in names if flat[0].get(name) != flat[1].get(name)}


def _flat(values: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
