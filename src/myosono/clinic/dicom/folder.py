"""De-identified copies of files, under names that tell nothing, with the secret that makes them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from myosono.clinic.dicom.deidentify import deidentify
from myosono.clinic.dicom.profile import SHORTEST_SALT, DeidentifyOptions
from myosono.errors import ClinicError, ImageError, MyosonoError, UsageError
from myosono.imaging import Limits
from myosono.imaging.dicom import check_inflated_size
from myosono.imaging.guard import decoding
from myosono.imaging.sniff import HEAD_BYTES, Kind, sniff

_SALT_BYTES = 32
_UNKNOWN = "P-UNKNOWN"


@dataclass(frozen=True)
class Exported:
    """One file: where its copy lies, or why there is none."""

    source: Path
    copy: Path | None
    error: str | None


def export_files(
    files: Iterable[Path], out: Path, options: DeidentifyOptions, limits: Limits | None = None
) -> Iterator[Exported]:
    """Write a de-identified copy of each DICOM image to ``out/<pseudonym>/<new SOP instance UID>.dcm``.

    A file that cannot be cleaned is named with its reason, and nothing is written of it.

    Parameters
    ----------
    files
        DICOM files.
    out
        Folder, made if it is not there.
    options
        As for `deidentify`.
    limits
        On bytes, pixels and frames; by default those of reading.

    Raises
    ------
    ClinicError
        If the folder cannot be written.
    """
    written: dict[Path, Path] = {}
    for file in files:
        try:
            cleaned = deidentify(_read(file, limits or Limits()), options)
            data = _encoded(cleaned, file)
        except MyosonoError as error:
            yield Exported(file, None, str(error))
            continue
        target = out / (str(cleaned.PatientID) or _UNKNOWN) / f"{cleaned.SOPInstanceUID}.dcm"
        first = written.setdefault(target, file)
        if first != file and target.read_bytes() != data:
            yield Exported(file, None, f"{file}: has the SOP Instance UID of {first}, and is another image")
            continue
        part = target.with_suffix(".part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(target)
        except OSError as error:
            raise ClinicError(f"cannot be written: {error.strerror}", path=target) from error
        yield Exported(file, target, None)


def left_out(skipped: Iterable[tuple[Path, str]]) -> Iterator[Exported]:
    """The DICOM files among what a search of folders passed over, such as hidden ones, each with the reason.

    Parameters
    ----------
    skipped
        As in `myosono.imaging.SourceList`; of a folder, all files below it.
    """
    for path, reason in skipped:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and _is_dicom(file):
                yield Exported(file, None, f"{file}: {reason}")


def _is_dicom(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return sniff(stream.read(HEAD_BYTES)) is Kind.DICOM
    except OSError:
        return False


def open_salt(path: Path) -> bytes:
    """The secret of a file, made and kept there (readable by its owner alone) if there is none yet.

    Raises
    ------
    UsageError
        If the file is too short to be a secret.
    ClinicError
        If it cannot be read or written.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(secrets.token_bytes(_SALT_BYTES))
        salt = path.read_bytes()
    except OSError as error:
        raise ClinicError(f"the secret cannot be kept: {error.strerror}", path=path) from error
    if len(salt) < SHORTEST_SALT:
        raise UsageError(f"holds {len(salt)} bytes, too few for a secret", path=path, remedy="Remove it: one is made.")
    return salt


def _encoded(cleaned: Dataset, path: Path) -> bytes:
    """In memory first: values that cannot be written must not leave half a file."""
    buffer = BytesIO()
    with decoding(path, "write the copy", also=(InvalidDicomError, BytesLengthException)):
        cleaned.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _read(path: Path, limits: Limits) -> Dataset:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}", path=path) from error
    limits.check_bytes(len(data), path)
    check_inflated_size(data, path, limits)
    with decoding(path, "read the DICOM file", also=(InvalidDicomError, BytesLengthException)):
        # Without the preamble of PS3.10 it is read all the same, if it looks like DICOM.
        dataset = dcmread(BytesIO(data), force=sniff(data[:HEAD_BYTES]) is Kind.DICOM)
        height, width = int(dataset.get("Rows") or 1), int(dataset.get("Columns") or 1)
        count = int(dataset.get("NumberOfFrames") or 1)
    limits.check_size(height, width, path)
    limits.check_frames(count, path)
    dataset.filename = str(path)
    return dataset
