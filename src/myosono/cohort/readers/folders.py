"""Class folders: ``<class>/<file>`` or ``<class>/<patient>/<file>``, below the source or its ``images`` folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from myosono.cohort.readers.base import Failure, ReadOptions, Shot, Source, clip_of, pixels_of
from myosono.errors import CohortError, ImageError, MissingExtraError, UsageError
from myosono.imaging import Frame, SourceList, bare_name, facts_from_name, list_sources, read_frames

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
        notes: list[str] = []
        folders = _class_folders(path)
        files = [file for folder in folders for file in _files(folder, options, failures, notes)]
        if not files:
            raise CohortError("no image in any class folder", path=path)
        patients, how = _patients(files, options, path)
        notes = [how, *notes, *_beside(folders[0].parent)]

        def stream() -> Iterator[Shot | Failure]:
            yield from failures
            ids = ImageIds()
            for file in files:
                patient = patients.get(file.path, "")
                if options.patients_named and not patient:
                    yield Failure(str(file.path), f"the patient pattern does not match {file.below.as_posix()!r}")
                    continue
                yield from _shots(file, patient, ids, options)

        return Source(path.resolve().name, len(files) + len(failures), stream(), notes=notes)


class ImageIds:
    """Gives every image of a source an ``image_id`` of its own.

    The first to ask for an id gets it: the path without what stands behind the last dot. That cuts a DICOM file that is
    named by its UID, and does not part ``a.png`` from ``a.jpg``; the next one gets its path without the suffix of an
    image, or all of it. Only images that would have met in one id are named anew: a cohort's hash, and with it
    every finished cell of a comparison, depends on its ids.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._stems: dict[Path, str] = {}

    def of(self, below: Path, frame: Frame | None = None, *, file: Path | None = None) -> str:
        """The id of a file by its path below the source, or of a frame of it; the frames of a file share a stem.

        ``file`` is the file itself, where paths below the source do not tell files apart.
        """
        key = file or below
        if key not in self._stems:
            free = (stem for stem in _stems(below) if numbered(stem, frame) not in self._taken)
            self._stems[key] = next(free)
        found = numbered(self._stems[key], frame)
        self._taken.add(found)
        return found


def _stems(below: Path) -> Iterator[str]:
    yield image_stem(below)
    yield below.with_name(bare_name(below)).as_posix()
    yield below.as_posix()
    yield from (f"{below.as_posix()}-{number}" for number in count(2))


def image_stem(below: Path) -> str:
    """``image_id`` from a relative path: without what stands behind the last dot of the file."""
    return below.with_suffix("").as_posix()


def numbered(stem: str, frame: Frame | None) -> str:
    """``image_id`` of a frame; numbered from 1 where the file holds several."""
    return stem if frame is None or frame.frame_count == 1 else f"{stem}-f{frame.frame_index + 1:04d}"


def _class_folders(path: Path) -> list[Path]:
    root = path / "images" if (path / "images").is_dir() else path
    folders = sorted(item for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))
    folders = [item for item in folders if any(item.iterdir())]
    return folders if len(folders) > 1 else []


def _beside(root: Path) -> list[str]:
    """What lies beside the class folders has no class: said, so that nobody misses it later."""
    loose = sorted(item.name for item in root.iterdir() if item.is_file() and not item.name.startswith("."))
    return [f"{len(loose)} files beside the class folders were left out ({loose[0]!r} first)"] if loose else []


def left_out_note(where: str, listed: SourceList) -> list[str]:
    """A sentence on the files of a folder that are no images, if there are any."""
    if not listed.skipped:
        return []
    (first, reason), more = listed.skipped[0], len(listed.skipped)
    return [f"{more} files in {where} were left out ({first.name!r} first: {reason})"]


def _files(folder: Path, options: ReadOptions, failures: list[Shot | Failure], notes: list[str]) -> list[_File]:
    if folder.name in options.exclude_labels:
        return []
    try:
        listed = list_sources([folder])
    except ImageError as error:
        failures.append(Failure(str(folder), error.reason))
        return []
    failures += [Failure(str(file), reason) for file, reason in listed.failed]
    notes += left_out_note(folder.name, listed)
    return [_File(file, folder.name, file.relative_to(folder)) for file in listed]


def _patients(files: list[_File], options: ReadOptions, path: Path) -> tuple[dict[Path, str], str]:
    """Patient of each file, and a sentence that says how it was found."""
    if not options.patients_named:
        return {}, f"patients are not named: grouped by {options.patients}"
    if options.patient_pattern is not None:
        pattern = _compile(options.patient_pattern)
        found = {file.path: _matched(pattern, file) for file in files}
        return found, f"patients by the pattern '{options.patient_pattern}'"
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
        raise UsageError(f"--patient-pattern '{text}' is not a regular expression: {error}") from error
    if pattern.groups == 0:
        raise UsageError(f"--patient-pattern '{text}' has no group", remedy=r"For example: '(?P<patient>P\d+)_'")
    return pattern


def _matched(pattern: re.Pattern[str], file: _File) -> str:
    match = pattern.search(file.below.as_posix())
    if match is None:
        return ""
    return (match["patient"] if "patient" in pattern.groupindex else match[1]) or ""


def _leading(file: _File) -> str:
    match = _TRAILING_SHOT.match(file.path.stem)
    return match["patient"] if match else ""


def _shots(file: _File, patient: str, ids: ImageIds, options: ReadOptions) -> Iterator[Shot | Failure]:
    below = file.label / file.below
    facts = facts_from_name(file.path)
    if options.metadata_only:
        image_id = ids.of(below)
        yield Shot(image_id, patient, file.label, exam_id=patient, muscle=facts.muscle or "", side=facts.side or "")
        return
    try:
        for frame in read_frames(file.path):
            yield Shot(
                ids.of(below, frame),
                patient,
                file.label,
                exam_id=patient,
                muscle=facts.muscle or "",
                side=facts.side or "",
                device=frame.device or "",
                pixels=pixels_of(frame, options),
                optional=clip_of(below.as_posix(), frame),
            )
    except (ImageError, MissingExtraError) as error:
        yield Failure(str(file.path), error.reason)
