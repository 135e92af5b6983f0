"""What the roles of a split share, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from myosono.cohort.audit.result import Finding, Severity, SplitAudit
from myosono.cohort.overlap import FoldOverlap

NAMED = 3
"""Examples in a sentence; the JSON has them all."""


def of_split(split: SplitAudit) -> list[Finding]:
    """Findings of one split: shared patients, identical images, look-alikes, and what it leaves untested."""
    return [*_patients(split), *_identical(split), *_lookalikes(split), *_gaps(split)]


def named(examples: list[str]) -> str:
    """The first few examples, and how many more there are."""
    more = len(examples) - NAMED
    return ", ".join(examples[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _subject(split: SplitAudit) -> str:
    return f"split {split.name}"


def _patients(split: SplitAudit) -> Iterator[Finding]:
    if not split.shares_patients:
        return
    # Patients may be shared by training and validation alone: then no test image is seen, in any fold.
    worst = max(split.folds, key=lambda fold: (fold.patient_seen, fold.shared_patients))
    site = "" if worst.site_seen is None else f", {worst.site_seen:.1%} also the same muscle and side"
    yield Finding(
        "leak",
        _subject(split),
        f"{_count(worst.shared_patients)} in more than one role; for {worst.patient_seen:.1%} of test "
        f"images the patient was seen before{site}. {_meaning(worst.patient_seen)}",
    )


def _identical(split: SplitAudit) -> Iterator[Finding]:
    if split.identical:
        tested = len({test for test, _ in split.identical})
        examples = named([f"{test} (as {seen})" for test, seen in split.identical])
        images = "1 test image is" if tested == 1 else f"{tested} test images are"
        message = f"{images} byte for byte also in training or validation: {examples}"
        yield Finding("leak", _subject(split), message)


def _lookalikes(split: SplitAudit) -> Iterator[Finding]:
    if split.lookalikes:
        first, second, _ = split.lookalikes[0]
        count = len(split.lookalikes)
        pairs = "1 look-alike pair has" if count == 1 else f"{count} look-alike pairs have"
        message = f"{pairs} one image in test and the other in training or validation, most alike {first} and {second}"
        yield Finding("leak" if split.shares_patients else "warning", _subject(split), message)


def _gaps(split: SplitAudit) -> Iterator[Finding]:
    untested = _folds_without(split.folds, "test")
    if untested:
        yield Finding("warning", _subject(split), f"{untested} no test images, so there is nothing to score")
    untrained = _folds_without(split.folds, "train")
    if untrained:
        yield Finding("warning", _subject(split), f"{untrained} no training images")
    if split.kind == "published":  # each file is a fold by itself, and serves one task
        return
    if split.absent:
        yield Finding("warning", _subject(split), f"{split.absent:,} images of the cohort are in no fold of it")
    if split.never_tested:
        # One fold is a plain hold-out: that most images are never tested is its nature.
        severity: Severity = "note" if len(split.folds) == 1 else "warning"
        yield Finding(severity, _subject(split), f"{split.never_tested:,} of its images are never tested")


def _folds_without(folds: tuple[FoldOverlap, ...], role: str) -> str:
    without = [str(fold.fold) for fold in folds if not getattr(fold, role)]
    if not without:
        return ""
    return f"fold {without[0]} has" if len(without) == 1 else f"folds {', '.join(without)} have"


def _count(patients: int) -> str:
    return "1 patient occurs" if patients == 1 else f"{patients} patients occur"


def _meaning(seen: float) -> str:
    if seen:
        return "A score on this split does not speak for a new patient"
    return (
        "Test patients are new, but training and validation share patients: the chosen epoch and the calibration are "
        "too sure of themselves"
    )
