"""Splits to audit: one that is made, one from a file, or the folds that came with a source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from myosono.cohort.audit.identical import identical_across_roles
from myosono.cohort.audit.pixels import pairs_across_roles
from myosono.cohort.audit.result import AuditedKind, LikePair, SplitAudit
from myosono.cohort.overlap import split_overlap
from myosono.cohort.published import find_fold_files, match_images
from myosono.cohort.splits import Split
from myosono.errors import DAMAGED_TABLE, SplitError

SplitTable = tuple[SplitAudit, pd.DataFrame]
"""A split as audited by the tables alone, and its table, by which `with_pixels` looks again."""


def audit_table(table: pd.DataFrame, cohort: pd.DataFrame, name: str, kind: AuditedKind) -> SplitTable:
    """Audit the columns ``image_id, fold, role`` of a split against a cohort table."""
    listed, tested = set(table["image_id"]), set(table.loc[table["role"] == "test", "image_id"])
    audit = SplitAudit(
        name,
        split_overlap(table, cohort),
        kind,
        identical=identical_across_roles(table, cohort),
        absent=len(set(cohort["image_id"]) - listed),
        never_tested=len(listed - tested),
    )
    return audit, table


def with_pixels(split: SplitTable, pairs: tuple[LikePair, ...] | None) -> SplitAudit:
    """Add the look-alike pairs between roles; ``None`` where there are no pixels."""
    audit, table = split
    return audit if pairs is None else replace(audit, lookalikes=pairs_across_roles(pairs, table))


def audit_file(file: Path, cohort: pd.DataFrame) -> SplitTable:
    """Audit a split that lies in a CSV or Parquet file.

    Raises
    ------
    SplitError
        The file cannot be read, or does not fit the cohort.
    """
    try:
        split = Split.from_table(_read_split(file), cohort, "file")
    except SplitError as error:
        raise SplitError(error.reason, path=file, remedy=error.remedy) from error
    return audit_table(split.table, cohort, file.name, "file")


def audit_published(folder: Path | None, cohort: pd.DataFrame) -> tuple[list[SplitTable], dict[str, str]]:
    """Audit each published fold file by itself: they belong to four scenarios, and a cohort may lack some images.

    Returns
    -------
    (audits, skipped)
        Files of which the cohort has no image are left out; ``skipped`` says what of the folds was not checked.

    Raises
    ------
    SplitError
        There are no fold files, or one is damaged.
    """
    files = find_fold_files(folder) if folder else []
    if not files:
        raise SplitError("this source has no published fold files", remedy="They come with Uçar's crops (FileList/)")
    audits: list[SplitTable] = []
    listed: set[str] = set()
    found: set[str] = set()
    untested: dict[int, tuple[set[str], set[str]]] = {}
    for item in files:
        fold = item.read()
        fold = fold.assign(image_id=match_images(fold, cohort), fold=item.fold)
        here = fold.dropna(subset=["image_id"])
        listed |= set(fold["original_id"])
        found |= set(here["original_id"])
        if here.empty:
            continue
        named, tested = untested.setdefault(item.scenario, (set(), set()))
        named |= set(here["image_id"])
        tested |= set(here.loc[here["role"] == "test", "image_id"])
        audits.append(audit_table(here, cohort, item.name, "published"))
    return audits, _left_out(listed, found, untested)


def _left_out(listed: set[str], found: set[str], untested: dict[int, tuple[set[str], set[str]]]) -> dict[str, str]:
    skipped = {}
    if listed - found:
        absent = f"{len(listed - found):,} of {len(listed):,} images"
        skipped["published folds"] = f"{absent} of the published folds are not in this cohort"
    for scenario, (named, tested) in untested.items():
        if named - tested:
            left = f"{len(named - tested):,} of {len(named):,} images"
            skipped[f"published S{scenario}"] = f"{left} are tested in none of the fold files that are here"
    return skipped


def _read_split(file: Path) -> pd.DataFrame:
    try:
        if file.suffix.lower() == ".parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file, dtype={"image_id": str})
    except DAMAGED_TABLE as error:
        raise SplitError(f"the split file cannot be read: {error}", path=file) from error
