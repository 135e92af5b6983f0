"""CSV and Parquet manifests: one row an image, with columns for the file, the label and the patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pyarrow

from myosono.cohort.readers.base import Failure, ReadOptions, Shot, Source, clip_of, pixels_of
from myosono.cohort.readers.folders import ImageIds, numbered
from myosono.cohort.schema import OPTIONAL_COLUMNS
from myosono.errors import DAMAGED_TABLE, CohortError, ImageError, MissingExtraError, UsageError
from myosono.imaging import read_frames

MANIFESTS = ("manifest.csv", "manifest.parquet", "index.csv", "index.parquet")

_TEXT = ("image_id", "exam_id", "muscle", "side", "device")
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "path", "filename", "image"),
    "label": ("label", "class", "diagnosis"),
    "patient_id": ("patient_id", "patient", "subject", "subject_id"),
    "sex": ("sex", "gender"),
}


class Manifest:
    """Reader of a table that lists the images."""

    name = "manifest"
    summary = "a CSV or Parquet table with the columns file, label, patient_id (others by --column ours=theirs)"

    def detect(self, path: Path) -> str | None:
        """A ``.csv`` or ``.parquet`` file, or a folder with ``manifest.csv`` or ``index.csv``."""
        if path.is_file():
            return "it is a table" if path.suffix.lower() in (".csv", ".parquet") else None
        found = _inside(path)
        return f"it holds {found.name}" if found else None

    def read(self, path: Path, options: ReadOptions) -> Source:
        """Read the table; images are decoded one by one as the stream is read.

        Raises
        ------
        CohortError
            The table cannot be read, is empty, or lacks a column.
        UsageError
            A column mapping that names no cohort column.
        """
        file = _inside(path) or path if path.is_dir() else path
        raw = _read_table(file)
        columns = _columns(raw, file, options)
        # Not by renaming: a column that is not the one chosen may already have our name.
        table = pd.DataFrame({ours: raw[theirs] for ours, theirs in columns.items()})
        kept = table[~table["label"].isin(options.exclude_labels)] if options.exclude_labels else table
        notes = [f"{len(table) - len(kept)} rows left out by label"] if len(kept) < len(table) else []
        kept, more = _optional_numbers(kept)
        return Source(file.resolve().parent.name, len(kept), _stream(kept, file, options), notes=notes + more)


def _inside(folder: Path) -> Path | None:
    return next((folder / name for name in MANIFESTS if (folder / name).is_file()), None)


def _read_table(file: Path) -> pd.DataFrame:
    try:
        if file.suffix.lower() == ".parquet":
            table = pd.read_parquet(file).astype(object)  # damaged text shows when it is used
        else:
            table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (*DAMAGED_TABLE, ImportError, pyarrow.ArrowException) as error:
        raise CohortError(f"the manifest cannot be read: {error}", path=file) from error
    if table.empty:
        raise CohortError("the manifest has no rows", path=file)
    return table.astype(object).where(table.notna(), "").map(lambda value: str(value).strip())


def _columns(raw: pd.DataFrame, file: Path, options: ReadOptions) -> dict[str, str]:
    """Cohort column → manifest column."""
    known = ("file", "label", "patient_id", *_TEXT, *OPTIONAL_COLUMNS)
    for ours, theirs in options.columns.items():
        if ours not in known:
            raise UsageError(f"--column {ours}={theirs}: no such cohort column", remedy=f"Known: {', '.join(known)}")
        if theirs not in raw.columns:
            raise CohortError(f"the manifest lacks the column {theirs!r}", path=file)
    found = {}
    for ours in known:
        candidates = (options.columns[ours],) if ours in options.columns else _ALIASES.get(ours, (ours,))
        present = [name for name in candidates if name in raw.columns]
        if present:
            found[ours] = present[0]
    needed = ("file", "label", "patient_id") if options.patients_named else ("file", "label")
    for ours in needed:
        if ours not in found:
            raise CohortError(f"the manifest lacks the column {ours!r}", path=file, remedy=_remedy(ours))
    return found


def _remedy(column: str) -> str:
    named = f"Name it with --column {column}=THEIRS"
    return f"{named}, or pass --patients near-duplicate if no patient is known" if column == "patient_id" else named


def _optional_numbers(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    notes = []
    for name, kind in OPTIONAL_COLUMNS.items():
        if name in table.columns and kind is float:
            numbers = pd.to_numeric(table[name], errors="coerce")
            lost = int((numbers.isna() & (table[name] != "")).sum())
            if lost:
                notes.append(f"{lost} values of {name} are not numbers and were left empty")
            table = table.assign(**{name: numbers})
    return table, notes


def _stream(table: pd.DataFrame, table_file: Path, options: ReadOptions) -> Iterator[Shot | Failure]:
    folder, ids = table_file.parent, ImageIds()
    listed: dict[tuple[Path, str], int] = {}
    for number, row in enumerate(table.to_dict("records"), start=1):
        file = str(row["file"])
        first = listed.setdefault(((folder / file).resolve(), str(row.get("image_id") or "")), number)
        if file and first != number:  # which of them says who it is?
            raise CohortError(
                f"row {number} names the file {file!r} of row {first} again", path=table_file, remedy="Remove one row"
            )
        reason = _row_problem(row, options)
        if reason:
            yield Failure(file or "(no file named)", reason)
            continue
        yield from _shots({str(key): value for key, value in row.items()}, folder / file, ids, options)


def _row_problem(row: Mapping[Any, Any], options: ReadOptions) -> str | None:
    needed = ("file", "label", "patient_id") if options.patients_named else ("file", "label")
    return next((f"the row has no {name}" for name in needed if not row[name]), None)


def _shots(row: Mapping[str, Any], file: Path, ids: ImageIds, options: ReadOptions) -> Iterator[Shot | Failure]:
    named, below = str(row.get("image_id") or ""), _below(str(row["file"]))
    patient = str(row.get("patient_id", "")) if options.patients_named else ""
    muscle, side = (str(row.get(name, "")) for name in ("muscle", "side"))
    exam = str(row.get("exam_id") or patient)
    optional = {
        name: row[name] for name in OPTIONAL_COLUMNS if name in row and row[name] != "" and not pd.isna(row[name])
    }
    if options.metadata_only:
        device = str(row.get("device", ""))
        image_id = named or ids.of(below, file=file)
        yield Shot(image_id, patient, str(row["label"]), exam, muscle, side, device, optional=optional)
        return
    try:
        for frame in read_frames(file):
            yield Shot(
                numbered(named, frame) if named else ids.of(below, frame, file=file),
                patient,
                str(row["label"]),
                exam,
                muscle,
                side,
                device=str(row.get("device") or frame.device or ""),
                pixels=pixels_of(frame, options),
                optional=optional | clip_of(named or below.as_posix(), frame),
            )
    except (ImageError, MissingExtraError) as error:
        yield Failure(str(file), error.reason)


def _below(file: str) -> Path:
    """The path that image ids are made from: without the folder ``images`` that holds them all."""
    below = PurePosixPath(file.replace("\\", "/"))
    parts = below.parts[1:] if below.parts[0] in ("images", "/") and len(below.parts) > 1 else below.parts
    return Path(*parts)
