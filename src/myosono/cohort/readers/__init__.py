"""Readers: one file for each kind of source, tried in this order when the user names none."""

from __future__ import annotations

from pathlib import Path

from myosono.cohort.readers.base import Failure, Reader, ReadOptions, Shot, Source
from myosono.cohort.readers.dicom_tree import DicomTree
from myosono.cohort.readers.folders import ClassFolders
from myosono.cohort.readers.johns_hopkins import JohnsHopkins
from myosono.cohort.readers.manifest import Manifest
from myosono.cohort.readers.ucar import Ucar
from myosono.errors import CohortError, UsageError

READERS: tuple[Reader, ...] = (JohnsHopkins(), Ucar(), Manifest(), DicomTree(), ClassFolders())
"""Most specific first: class folders could be almost anything."""

__all__ = ["READERS", "Failure", "ReadOptions", "Reader", "Shot", "Source", "choose_reader"]


def choose_reader(path: Path, name: str | None = None) -> tuple[Reader, str]:
    """The reader for ``path`` and the reason for choosing it.

    Raises
    ------
    UsageError
        An unknown reader name, or a source that does not exist.
    CohortError
        No reader recognises the source.
    """
    if not path.exists():
        raise UsageError("does not exist", path=path)
    if name is not None:
        for reader in READERS:
            if reader.name == name:
                return reader, "named by the user"
        raise UsageError(f"unknown reader {name!r}", remedy=f"Known: {', '.join(item.name for item in READERS)}")
    if path.is_dir() and not any(path.iterdir()):
        raise CohortError("the folder is empty", path=path)
    for reader in READERS:
        reason = reader.detect(path)
        if reason is not None:
            return reader, reason
    known = "; ".join(f"{item.name}: {item.summary}" for item in READERS)
    raise CohortError("no reader recognises this source", path=path, remedy=f"Readers: {known}")
