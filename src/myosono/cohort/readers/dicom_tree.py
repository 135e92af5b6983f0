"""A tree of DICOM files: patients from the header, diagnoses from a CSV, since DICOM headers rarely carry one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from myosono.cohort.readers.base import Failure, ReadOptions, Shot, Source, clip_of, pixels_of
from myosono.cohort.readers.folders import ImageIds, left_out_note
from myosono.errors import DAMAGED_TABLE, CohortError, ImageError, MissingExtraError, UsageError
from myosono.imaging import list_sources, read_frames

_PREAMBLE = 128
_LOOK_AT = 20


class DicomTree:
    """Reader of a folder of DICOM files with a table of diagnoses."""

    name = "dicom"
    summary = "a tree of DICOM files, with --labels CSV (patient_id,label)"

    def detect(self, path: Path) -> str | None:
        """Most of the first files are DICOM."""
        if not path.is_dir():
            return None
        files = []
        for item in sorted(path.rglob("*")):
            if (
                item.is_file()
                and not item.name.startswith(".")
                and item.suffix.lower() not in (".csv", ".txt", ".json")
            ):
                files.append(item)
            if len(files) == _LOOK_AT:
                break
        dicom = sum(is_dicom(item) for item in files)
        return f"{dicom} of its first {len(files)} files are DICOM" if files and dicom * 2 > len(files) else None

    def read(self, path: Path, options: ReadOptions) -> Source:
        """List the files and read the labels; images are decoded one by one as the stream is read.

        Raises
        ------
        UsageError
            No table of labels was named.
        CohortError
            The table of labels cannot be read, or there are no files.
        """
        if options.labels is None:
            raise UsageError("DICOM files carry no diagnosis", path=path, remedy="Pass --labels CSV (patient_id,label)")
        labels = read_labels(options.labels)
        try:
            files = list_sources([path])
        except ImageError as error:
            raise CohortError(error.reason, path=path) from error
        failed = [Failure(str(file), reason) for file, reason in files.failed]
        total = len(files) + len(failed)
        stream = _stream(list(files), failed, path, labels, options)
        return Source(path.resolve().name, total, stream, notes=left_out_note("the tree", files))


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM preamble."""
    try:
        with path.open("rb") as stream:
            stream.seek(_PREAMBLE)
            return stream.read(4) == b"DICM"
    except OSError:
        return False


def read_labels(path: Path) -> dict[str, str]:
    """Read ``patient_id,label`` into patient → label.

    Raises
    ------
    CohortError
        The file cannot be read, lacks a column, or gives one patient two labels.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except DAMAGED_TABLE as error:
        raise CohortError(f"the table of labels cannot be read: {error}", path=path) from error
    for name in ("patient_id", "label"):
        if name not in table.columns:
            raise CohortError(f"the table of labels lacks the column {name!r}", path=path)
    pairs = table[["patient_id", "label"]].apply(lambda column: column.str.strip()).drop_duplicates()
    twice = pairs.loc[pairs["patient_id"].duplicated(), "patient_id"]
    if len(twice):
        raise CohortError(f"patient {twice.iloc[0]!r} has two labels", path=path)
    return {str(patient): str(label) for patient, label in zip(pairs["patient_id"], pairs["label"], strict=True)}


def _stream(
    files: list[Path], failed: list[Failure], root: Path, labels: dict[str, str], options: ReadOptions
) -> Iterator[Shot | Failure]:
    yield from failed
    ids = ImageIds()
    for file in files:
        try:
            for frame in read_frames(file):
                patient = frame.patient_id or ""
                label = labels.get(patient, "")
                if not patient or not label:
                    reason = f"no label for patient {patient!r}" if patient else "the header names no patient"
                    yield Failure(str(file), reason)
                    break
                if label in options.exclude_labels:
                    break
                below = file.relative_to(root)
                yield Shot(
                    ids.of(below, frame),
                    patient,
                    label,
                    exam_id=patient,
                    muscle=frame.muscle or "",
                    side=frame.side or "",
                    device=frame.device or "",
                    pixels=None if options.metadata_only else pixels_of(frame, options),
                    optional=clip_of(below.as_posix(), frame),
                )
        except (ImageError, MissingExtraError) as error:
            yield Failure(str(file), error.reason)
