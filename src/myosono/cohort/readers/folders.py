"""Class folders: ``<class>/<file>`` or ``<class>/<patient>/<file>``, below the source or its ``images`` folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from myosono.cohort.readers.base import Failure, ReadOptions, Shot, Source, pixels_of
from myosono.errors import CohortError, ImageError, UsageError
from myosono.imaging import Frame, facts_from_name, list_sources, read_frames

_TRAILING_SHOT = re.compile(r"^(?P<patient>.+?)[_\-. ]+[A-Za-z]*\d+[A-Za-z]?$")


@dataclass(frozen=True)
class _File:
    path: Path
    label: str
    below: Path
    """Path relative to the class folder."""


class ClassFolders:
    """Reader of one folder a class."""

    name = "folders"
    summary = "one folder a class, with --patient-pattern where file names tell the patient"

    def detect(self, path: Path) -> str | None:
        """At least two folders that hold files, directly below the source or its ``images`` folder."""
        classes = _class_folders(path) if path.is_dir() else []
        return f"it holds {len(classes)} class folders: {', '.join(item.name for item in classes)}" if classes else None

    def read(self, path: Path, options: ReadOptions) -> Source:
        """List the files and settle how patients are named.

        Raises
        ------
        CohortError
            No images, or no way to tell the patients.
        UsageError
            A patient pattern that is no regular expression, or has no group.
        """
        failures: list[Shot | Failure] = []
        files = [file for folder in _class_folders(path) for file in _files(folder, options, failures)]
        if not files:
            raise CohortError("no image in any class folder", path=path)
        patients, how = _patients(files, options, path)

        def stream() -> Iterator[Shot | Failure]:
            yield from failures
            for file in files:
                patient = patients.get(file.path, "")
                if options.patients_named and not patient:
                    yield Failure(str(file.path), f"the patient pattern does not match {file.below.as_posix()!r}")
                    continue
                yield from _shots(file, patient, options)

        return Source(path.resolve().name, len(files) + len(failures), stream(), notes=[how])


def image_stem(below: Path) -> str:
    """``image_id`` from a relative path: without the suffix of the file."""
    return below.with_suffix("").as_posix()


def numbered(stem: str, frame: Frame) -> str:
    """``image_id`` of a frame; numbered from 1 where the file holds several."""
    return stem if frame.frame_count == 1 else f"{stem}-f{frame.frame_index + 1:04d}"


def _class_folders(path: Path) -> list[Path]:
    root = path / "images" if (path / "images").is_dir() else path
    folders = sorted(item for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))
    folders = [item for item in folders if any(item.iterdir())]
    return folders if len(folders) > 1 else []


def _files(folder: Path, options: ReadOptions, failures: list[Shot | Failure]) -> list[_File]:
    if folder.name in options.exclude_labels:
        return []
    try:
        listed = list_sources([folder])
    except ImageError as error:
        failures.append(Failure(str(folder), error.reason))
        return []
    return [_File(file, folder.name, file.relative_to(folder)) for file in listed]


def _patients(files: list[_File], options: ReadOptions, path: Path) -> tuple[dict[Path, str], str]:
    """Patient of each file, and a sentence that says how it was found."""
    if not options.patients_named:
        return {}, f"patients are not named: grouped by {options.patients}"
    if options.patient_pattern is not None:
        pattern = _compile(options.patient_pattern)
        found = {file.path: _matched(pattern, file) for file in files}
        return found, f"patients by the pattern {options.patient_pattern!r}"
    by_name = {file.path: facts_from_name(file.path).patient_id or "" for file in files}
    if all(by_name.values()):
        return by_name, "patients from file names of the form <patient>_<side><muscle>_<shot>"
    if all(len(file.below.parts) > 1 for file in files):
        return {file.path: file.below.parts[0] for file in files}, "patients are the folders inside the class folders"
    by_stem = {file.path: _leading(file) for file in files}
    if all(by_stem.values()) and len(set(by_stem.values())) > len({file.label for file in files}):
        return by_stem, "patients from the part of the file name before the last number: check that this is so"
    raise CohortError(
        "the file names do not tell which images belong to one patient",
        path=path,
        remedy="Pass --patient-pattern with a group for the patient, or --patients near-duplicate",
    )


def _compile(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"--patient-pattern {text!r} is not a regular expression: {error}") from error
    if pattern.groups == 0:
        raise UsageError(f"--patient-pattern {text!r} has no group", remedy=r"For example: '(?P<patient>P\d+)_'")
    return pattern


def _matched(pattern: re.Pattern[str], file: _File) -> str:
    match = pattern.search(file.below.as_posix())
    if match is None:
        return ""
    return (match["patient"] if "patient" in pattern.groupindex else match[1]) or ""


def _leading(file: _File) -> str:
    match = _TRAILING_SHOT.match(file.path.stem)
    return match["patient"] if match else ""


def _shots(file: _File, patient: str, options: ReadOptions) -> Iterator[Shot | Failure]:
    stem = f"{file.label}/{image_stem(file.below)}"
    facts = facts_from_name(file.path)
    if options.metadata_only:
        yield Shot(stem, patient, file.label, exam_id=patient, muscle=facts.muscle or "", side=facts.side or "")
        return
    try:
        for frame in read_frames(file.path):
            yield Shot(
                numbered(stem, frame),
                patient,
                file.label,
                exam_id=patient,
                muscle=facts.muscle or "",
                side=facts.side or "",
                device=frame.device or "",
                pixels=pixels_of(frame, options),
            )
    except ImageError as error:
        yield Failure(str(file.path), error.reason)
