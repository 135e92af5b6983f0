"""`import`: any source that a reader knows → a cohort folder, with every image that could not be read listed."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from myosono.cohort.folder import new_cohort_folder
from myosono.cohort.near_duplicates import (
    Fingerprint,
    SimilarPair,
    fingerprint,
    similar_pairs,
    similarity_groups,
)
from myosono.cohort.readers import Failure, ReadOptions, Shot, Source, choose_reader
from myosono.cohort.schema import OPTIONAL_COLUMNS, clips_of, label_conflict_error, ordered_classes, validate_table
from myosono.cohort.store import FAILURES, FOLDS, IMAGES, Cohort, CohortInfo, is_cohort, write_cohort
from myosono.errors import CohortError, UsageError
from myosono.hashing import sha256_bytes
from myosono.imaging import printable
from myosono.progress import track

PATIENTS = ("source", "near-duplicate", "image")

_UNKNOWN = "patients are unknown"
_EACH_ALONE = f"{_UNKNOWN}: each image"
_COMPRESSION = 3  # speckle hardly compresses: higher levels take twice the time for a few per cent
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class ImportResult:
    """A cohort that was imported, how its source was read, and what could not be read."""

    cohort: Cohort
    reader: str
    reason: str
    failures: tuple[Failure, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "out": str(self.cohort.folder),
            "reader": self.reader,
            "reason": self.reason,
            "cohort": self.cohort.info.to_dict(),
            "counts": class_counts(self.cohort.table),
            "failures": [{"source": item.source, "reason": item.reason} for item in self.failures],
        }


def import_cohort(
    source: str | Path,
    out: str | Path,
    *,
    reader: str | None = None,
    options: ReadOptions | None = None,
    name: str | None = None,
    licence: str | None = None,
    allow_label_conflicts: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> ImportResult:
    """Read a source and write it as a cohort.

    Parameters
    ----------
    source
        File or folder; the reader is found by looking, unless ``reader`` names one.
    out
        The cohort folder: empty, absent, or a cohort with ``overwrite``.
    options
        What the user says about the source.
    name, licence
        For ``cohort.json``; by default what the reader knows.
    allow_label_conflicts
        Accept patients with two labels.

    Raises
    ------
    UsageError
        The source does not exist, is a cohort already or overlaps ``out``, or an option contradicts another.
    CohortError
        No reader fits, the source as a whole is unusable, or none of its images can be read.
    """
    options = options or ReadOptions()
    path = Path(source)
    if options.patients not in PATIENTS:
        raise UsageError(f"unknown --patients {options.patients!r}", remedy=f"Known: {', '.join(PATIENTS)}")
    if options.metadata_only and options.patients == "near-duplicate":
        raise UsageError("near-duplicates cannot be found without pixels")
    if is_cohort(path):
        raise UsageError("this is a cohort already", path=path, remedy="Use it as it is")
    _refuse_overlap(path, Path(out))
    chosen, reason = choose_reader(path, reader)
    opened = chosen.read(path, options)
    facts = _Facts(path, chosen.name, name, licence, allow_label_conflicts)
    try:
        with new_cohort_folder(out, overwrite=overwrite) as folder:
            store = _Store(folder, refuse_conflicts=options.patients_named and not allow_label_conflicts)
            failures = store.take(opened, quiet=quiet)
            _finish(store, failures, opened, options, facts)
    finally:
        opened.close()
    return ImportResult(Cohort.open(out), chosen.name, reason, tuple(failures))


def _refuse_overlap(source: Path, out: Path) -> None:
    """The cohort is a copy: it must neither lie among the originals nor replace them."""
    originals, target = source.resolve(), out.resolve()
    inside = originals.is_dir() and originals in (target, *target.parents)
    if inside or target in originals.parents:
        raise UsageError(
            f"--out {out} and the source overlap", path=source, remedy="Choose a folder outside the source for --out"
        )


@dataclass(frozen=True)
class _Facts:
    path: Path
    reader: str
    name: str | None
    licence: str | None
    allow_label_conflicts: bool


def _finish(store: _Store, failures: list[Failure], opened: Source, options: ReadOptions, facts: _Facts) -> None:
    folder = store.folder
    if not store.rows:
        raise _none_left("no image could be imported", failures, facts.path)
    table, notes = _group_patients(store, options)
    notes = [*opened.notes, *notes, *_write_failures(folder, failures, opened.total)]
    _copy_folds(folder, opened)
    info = CohortInfo(
        name=facts.name or opened.name,
        source=f"{facts.reader}: {facts.path.name}",
        licence=facts.licence or opened.licence,
        notes=tuple(notes),
        patients_from=options.patients,
    )
    write_cohort(folder, table, info, allow_label_conflicts=facts.allow_label_conflicts)


def _none_left(what: str, failures: list[Failure], path: Path) -> CohortError:
    first = f" (first: {failures[0].source}: {failures[0].reason})" if failures else ""
    return CohortError(f"{what}, {len(failures)} failed{first}", path=path)


def patients_from(info: CohortInfo) -> str:
    """Whence a cohort has its patients: ``source``, ``near-duplicate``, ``image``, or ``""`` where that is not known.

    Cohorts of earlier versions say it in their notes alone.
    """
    if info.patients_from or not any(note.startswith(_UNKNOWN) for note in info.notes):
        return info.patients_from
    return "image" if any(note.startswith(_EACH_ALONE) for note in info.notes) else "near-duplicate"


def read_metadata(
    source: str | Path, *, reader: str | None = None, options: ReadOptions | None = None
) -> tuple[pd.DataFrame, Source, str]:
    """Read a source's table without its pixels: the table, the source (notes, fold files) and the reader's name.

    Raises
    ------
    UsageError, CohortError
        As :func:`import_cohort`.
    """
    chosen, _ = choose_reader(Path(source), reader)
    opened = chosen.read(Path(source), replace(options or ReadOptions(), metadata_only=True))
    rows, failures = [], []
    for item in opened.shots:
        if isinstance(item, Failure):
            failures.append(item)
        else:
            rows.append(_row(item, file="", digest="", shape=(0, 0)))
    opened.close()
    if not rows:
        raise _none_left("no image could be listed", failures, Path(source))
    opened.notes += [f"{item.source}: {item.reason}" for item in failures]
    table = validate_table(_tidy(pd.DataFrame(rows)), allow_label_conflicts=True, path=source)
    return table, opened, chosen.name


def class_counts(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images and patients of each class, in the cohort's order of classes."""
    groups = table.groupby("label")["patient_id"]
    images, patients = groups.size(), groups.nunique()
    return {
        name: {"images": int(images[name]), "patients": int(patients[name])} for name in ordered_classes(table["label"])
    }


class _Store:
    """Writes the images of a stream and remembers their rows."""

    def __init__(self, folder: Path, *, refuse_conflicts: bool) -> None:
        self.folder = folder
        self._refuse_conflicts = refuse_conflicts
        self._labels: dict[str, str] = {}
        self.rows: list[dict[str, Any]] = []
        self.prints: list[Fingerprint] = []
        self._names: set[str] = set()
        self._ids: set[str] = set()

    def take(self, source: Source, *, quiet: bool) -> list[Failure]:
        failures = []
        for item in track(source.shots, f"importing {source.name}", total=source.total, disable=quiet):
            if isinstance(item, Failure):
                failures.append(item)
            else:
                self._add(item)
        return failures

    def _add(self, shot: Shot) -> None:
        if shot.image_id in self._ids:
            raise CohortError(
                f"image_id {shot.image_id!r} occurs more than once", remedy="Give every image an image_id of its own"
            )
        self._ids.add(shot.image_id)
        if self._refuse_conflicts and self._labels.setdefault(shot.patient_id, shot.label) != shot.label:
            raise label_conflict_error(shot.patient_id, [self._labels[shot.patient_id], shot.label])
        if shot.pixels is None:
            self.rows.append(_row(shot, file="", digest="", shape=(0, 0)))
            return
        buffer = io.BytesIO()
        Image.fromarray(shot.pixels).save(buffer, format="PNG", compress_level=_COMPRESSION)
        file = f"{IMAGES}/{self._file_name(shot.image_id)}"
        (self.folder / file).write_bytes(buffer.getvalue())
        self.prints.append(fingerprint(shot.pixels))
        height, width = shot.pixels.shape
        self.rows.append(_row(shot, file=file, digest=sha256_bytes(buffer.getvalue()), shape=(height, width)))

    def _file_name(self, image_id: str) -> str:
        stem = _UNSAFE.sub("_", image_id.replace("/", "__"))[-120:].lstrip(".") or "image"
        # Some file systems fold case: two ids must not meet in one file.
        candidates: Iterator[str] = (f"{stem}{suffix}.png" for suffix in _suffixes())
        name = next(item for item in candidates if item.casefold() not in self._names)
        self._names.add(name.casefold())
        return name


def _suffixes() -> Iterator[str]:
    yield ""
    number = 2
    while True:
        yield f"-{number}"
        number += 1


def _row(shot: Shot, *, file: str, digest: str, shape: tuple[int, int]) -> dict[str, Any]:
    row = {
        "image_id": shot.image_id,
        "file": file,
        "patient_id": shot.patient_id,
        "exam_id": shot.exam_id,
        "muscle": shot.muscle,
        "side": shot.side,
        "label": shot.label,
        "device": shot.device,
        "width": shape[1],
        "height": shape[0],
        "sha256": digest,
        **shot.optional,
    }
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}


def _tidy(table: pd.DataFrame) -> pd.DataFrame:
    known = [name for name in OPTIONAL_COLUMNS if name in table.columns]
    return table.assign(**{name: table[name].fillna("") for name in known if OPTIONAL_COLUMNS[name] is str})


def _group_patients(store: _Store, options: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
    table = _tidy(pd.DataFrame(store.rows))
    if options.patients == "source":
        return table, []
    if options.patients == "image":
        note = f"{_EACH_ALONE} counts as its own patient, so patient-level figures are image-level ones"
        clips = clips_of(table)
        alone = clips.where(clips != "", table["image_id"])
        return table.assign(patient_id=alone, exam_id=alone), [note]
    pairs = similar_pairs(store.prints)
    joined = [*pairs, *_frames_together(clips_of(table))]
    names = [f"group-{number + 1:05d}" for number in similarity_groups(len(table), joined)]
    groups = f"{len(set(names)):,} groups of near-duplicates ({len(pairs)} pairs)"
    note = f"{_UNKNOWN}: {len(table):,} images form {groups}"
    return table.assign(patient_id=names, exam_id=names), [note]


def _frames_together(clips: pd.Series[str]) -> list[SimilarPair]:
    """Pairs of rows that join the frames of each clip, whether they look alike or not."""
    places: dict[str, int] = {}
    return [SimilarPair(places.setdefault(clip, row), row, 0, 1.0) for row, clip in enumerate(clips) if clip]


def _write_failures(folder: Path, failures: list[Failure], total: int) -> list[str]:
    if not failures:
        return []
    with (folder / FAILURES).open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream)
        writer.writerow(["source", "reason"])
        writer.writerows([item.source, item.reason] for item in failures)
    return [f"{len(failures)} of {total} sources could not be read: see {FAILURES}"]


def _copy_folds(folder: Path, source: Source) -> None:
    if source.fold_files:
        (folder / FOLDS).mkdir(exist_ok=True)
        for file in source.fold_files:
            shutil.copyfile(file, folder / FOLDS / file.name)
