"""Audit a cohort, a split, or the metadata of a set whose images are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from myosono.cohort.audit.findings import find
from myosono.cohort.audit.pixels import PixelFacts, pairs_across_roles, read_pixels, summarise_pairs
from myosono.cohort.audit.result import AuditResult, SplitAudit
from myosono.cohort.audit.shortcuts import measure_shortcuts
from myosono.cohort.importing import class_counts, read_metadata
from myosono.cohort.near_duplicates import MAX_DISTANCE
from myosono.cohort.overlap import split_overlap
from myosono.cohort.published import find_fold_files, match_images
from myosono.cohort.schema import label_conflicts
from myosono.cohort.splits import Split, make_split
from myosono.cohort.store import Cohort, is_cohort
from myosono.errors import DAMAGED_TABLE, SplitError, UsageError


@dataclass(frozen=True)
class _Subject:
    """What is audited: a table, and the images if there are any."""

    name: str
    source: str
    table: pd.DataFrame
    notes: tuple[str, ...]
    fold_files: Path | None
    cohort: Cohort | None


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
    pixels, skipped = _pixels(subject, max_distance, quiet)
    splits, not_split = _splits(subject, split, split_file, folds, seed, pixels)
    shortcuts, not_tried = measure_shortcuts(table, pixels.file_bytes if pixels else None)
    result = AuditResult(
        name=subject.name,
        source=subject.source,
        images=len(table),
        patients=int(table["patient_id"].nunique()),
        counts=class_counts(table),
        splits=tuple(splits),
        lookalikes=summarise_pairs(pixels.pairs, table) if pixels else None,
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
        return _Subject(info.name, info.source, cohort.table, info.notes, cohort.folds_folder, cohort)
    table, source, reader = read_metadata(path)
    folder = source.fold_files[0].parent if source.fold_files else None
    return _Subject(source.name, f"{reader}: {path.name}", table, tuple(source.notes), folder, None)


def _pixels(subject: _Subject, max_distance: int, quiet: bool) -> tuple[PixelFacts | None, dict[str, str]]:
    if subject.cohort is None or not (subject.table["file"] != "").all():
        return None, {"near-duplicates": "metadata only, no pixels", "unreadable files": "metadata only, no pixels"}
    return read_pixels(subject.cohort, max_distance=max_distance, quiet=quiet), {}


def _splits(
    subject: _Subject,
    kind: str | None,
    split_file: str | Path | None,
    folds: int,
    seed: int,
    pixels: PixelFacts | None,
) -> tuple[list[SplitAudit], dict[str, str]]:
    if split_file is not None:
        file = Path(split_file)
        return [_audit_split(Split.from_table(_read_split(file), subject.table, "file"), file.name, pixels)], {}
    if kind == "published" or (kind is None and subject.fold_files is not None):
        published = _published(subject, pixels)
        if kind == "published":
            return published, {}
    else:
        published = []
    chosen = kind or "patient"
    try:
        made = make_split(subject.table, chosen, folds=folds, seed=seed)
    except SplitError as error:
        if kind is not None:
            raise
        return published, {"patient split": error.reason}
    return [_audit_split(made, chosen, pixels), *published], {}


def _audit_split(split: Split, name: str, pixels: PixelFacts | None) -> SplitAudit:
    across = pairs_across_roles(pixels.pairs, split.table) if pixels else None
    return SplitAudit(name, split.overlap, across)


def _published(subject: _Subject, pixels: PixelFacts | None) -> list[SplitAudit]:
    """Each fold file by itself: they belong to four scenarios, and a cohort may lack some of their images."""
    files = find_fold_files(subject.fold_files) if subject.fold_files else []
    if not files:
        raise SplitError("this source has no published fold files", remedy="They come with Uçar's crops (FileList/)")
    audits = []
    for item in files:
        fold = item.read()
        fold = fold.assign(image_id=match_images(fold, subject.table), fold=item.fold).dropna(subset=["image_id"])
        across = pairs_across_roles(pixels.pairs, fold) if pixels else None
        audits.append(SplitAudit(item.name, split_overlap(fold, subject.table), across))
    return audits


def _read_split(file: Path) -> pd.DataFrame:
    try:
        if file.suffix.lower() == ".parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file, dtype={"image_id": str})
    except DAMAGED_TABLE as error:
        raise SplitError(f"the split file cannot be read: {error}", path=file) from error
