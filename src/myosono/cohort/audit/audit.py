"""Audit a cohort, a split, or the metadata of a set whose images are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from myosono.cohort.audit.findings import find
from myosono.cohort.audit.identical import identical_across_patients
from myosono.cohort.audit.pixels import PixelFacts, read_pixels, summarise_pairs
from myosono.cohort.audit.result import AuditedKind, AuditResult
from myosono.cohort.audit.shortcuts import measure_shortcuts
from myosono.cohort.audit.spellings import same_when_read
from myosono.cohort.audit.split_audits import SplitTable, audit_file, audit_published, audit_table, with_pixels
from myosono.cohort.importing import class_counts, patients_from, read_metadata
from myosono.cohort.near_duplicates import MAX_DISTANCE
from myosono.cohort.schema import files_of, label_conflicts
from myosono.cohort.splits import make_split
from myosono.cohort.store import Cohort, is_cohort
from myosono.errors import CohortError, SplitError, UsageError


@dataclass(frozen=True)
class _Subject:
    """What is audited: a table, and the images if there are any."""

    name: str
    source: str
    table: pd.DataFrame
    notes: tuple[str, ...]
    fold_files: Path | None
    cohort: Cohort | None
    patients_from: str


def audit_cohort(
    path: str | Path,
    *,
    split: str | None = None,
    split_file: str | Path | None = None,
    folds: int = 5,
    seed: int = 0,
    max_distance: int = MAX_DISTANCE,
    quiet: bool = False,
) -> AuditResult:
    """Look for everything that makes a test score better than life.

    Parameters
    ----------
    path
        A cohort folder; or any source that `myosono import` reads, which is then audited by its metadata alone.
    split
        ``patient``, ``image`` or ``published``. By default the published folds, if the source has any, and ``patient``.
    split_file
        CSV or Parquet with ``image_id, fold, role``, such as a run's ``splits.parquet``.
    folds, seed
        For ``patient`` and ``image``.
    max_distance
        Bits in which the hashes of near-duplicate candidates may differ.

    Raises
    ------
    CohortError, UsageError
        The source cannot be opened.
    SplitError
        The split that was asked for cannot be made or does not fit.
    """
    if split is not None and split_file is not None:
        raise UsageError("name either a kind of split or a split file")
    subject = _open(Path(path))
    table = subject.table
    # Splits before pixels: what is wrong with them shows at once.
    splits, not_split = _splits(subject, split, split_file, folds, seed)
    pixels, skipped = _pixels(subject, max_distance, quiet)
    shortcuts, not_tried = measure_shortcuts(table, pixels.file_bytes if pixels else None)
    result = AuditResult(
        name=subject.name,
        source=subject.source,
        images=len(table),
        patients=int(table["patient_id"].nunique()),
        counts=class_counts(table),
        files=len(set(files_of(table))),
        patients_from=subject.patients_from,
        splits=tuple(with_pixels(item, pixels.pairs if pixels else None) for item in splits),
        lookalikes=summarise_pairs(pixels.pairs, table) if pixels else None,
        identical=identical_across_patients(table),
        spellings=same_when_read(table["patient_id"]),
        shortcuts=tuple(shortcuts),
        label_conflicts=label_conflicts(table),
        unreadable=dict(pixels.unreadable) if pixels else {},
        skipped={**skipped, **not_split, **not_tried},
        notes=subject.notes,
    )
    return replace(result, findings=find(result))


def _open(path: Path) -> _Subject:
    if is_cohort(path):
        cohort = Cohort.open(path)
        info = cohort.info
        origin = patients_from(info)
        return _Subject(info.name, info.source, cohort.table, info.notes, cohort.folds_folder, cohort, origin)
    try:
        table, source, reader = read_metadata(path)
    except (CohortError, UsageError) as error:
        if error.remedy is None or "--" not in error.remedy:
            raise
        # The readers advise options of `import`, which the audit lacks.
        remedy = f"Import it first and audit the cohort; for myosono import: {error.remedy}"
        raise type(error)(error.reason, path=error.path, remedy=remedy) from error
    folder = source.fold_files[0].parent if source.fold_files else None
    return _Subject(source.name, f"{reader}: {path.name}", table, tuple(source.notes), folder, None, "source")


def _pixels(subject: _Subject, max_distance: int, quiet: bool) -> tuple[PixelFacts | None, dict[str, str]]:
    if subject.cohort is None or not (subject.table["file"] != "").all():
        return None, {"near-duplicates": "metadata only, no pixels", "unreadable files": "metadata only, no pixels"}
    return read_pixels(subject.cohort, max_distance=max_distance, quiet=quiet), {}


def _splits(
    subject: _Subject, kind: str | None, split_file: str | Path | None, folds: int, seed: int
) -> tuple[list[SplitTable], dict[str, str]]:
    table = subject.table
    if split_file is not None:
        return [audit_file(Path(split_file), table)], {}
    published: list[SplitTable] = []
    skipped: dict[str, str] = {}
    if kind == "published" or (kind is None and subject.fold_files is not None):
        published, skipped = audit_published(subject.fold_files, table)
        if kind == "published" and not published:
            raise SplitError(skipped["published folds"], remedy="Is this the cohort that they were made for?")
        if kind == "published":
            return published, skipped
    chosen: AuditedKind = "image" if kind == "image" else "patient"
    try:
        made = make_split(table, kind or "patient", folds=folds, seed=seed)
    except SplitError as error:
        if kind is not None:
            raise
        return published, skipped | {"patient split": error.reason}
    return [audit_table(made.table, table, chosen, chosen), *published], skipped
