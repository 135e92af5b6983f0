"""What is known of the patients themselves, in sentences: without true patients no split can keep them apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from myosono.cohort.audit.result import AuditResult, Finding, Severity
from myosono.cohort.audit.split_findings import named


def of_patients(result: AuditResult) -> list[Finding]:
    """Findings on patients that are unknown, named twice, or hold the same picture."""
    return [*_unknown(result), *_identical(result), *_spellings(result), *_labels(result)]


def _unknown(result: AuditResult) -> Iterator[Finding]:
    alone = result.files > 1 and result.patients >= result.files
    level = "patient-level figures are image-level ones, and one person may be on both sides of a split"
    if result.patients_from in ("image", "near-duplicate"):
        if alone:
            yield Finding("leak", "patients", f"patients are unknown and each image counts as one: {level}")
        else:
            groups = f"patients are unknown: {result.patients:,} groups of images stand for them"
            message = f"{groups}, so patient-level figures are those of groups, and one person may be in several"
            yield Finding("warning", "patients", message)
    elif alone:
        # True ids with one image each are no leak; a pattern that misread the names looks the same.
        severity: Severity = "note" if result.patients_from == "source" else "warning"
        message = f"each image has a patient of its own: if these are not the true patients, {level}"
        yield Finding(severity, "patients", message)


def _identical(result: AuditResult) -> Iterator[Finding]:
    if result.identical:
        count = len(result.identical)
        images = "1 image occurs" if count == 1 else f"{count} images occur"
        examples = named([" = ".join(group) for group in result.identical])
        yield Finding("leak", "identical images", f"{images} byte for byte under several patients: {examples}")


def _spellings(result: AuditResult) -> Iterator[Finding]:
    if result.spellings:
        count = len(result.spellings)
        ids = "ids that read like one patient" if count == 1 else f"{count} times ids that read like one patient"
        examples = named([_side_by_side(group) for group in result.spellings])
        yield Finding("warning", "patients", f"{ids}: {examples}. A split takes them for different people")


def _side_by_side(ids: tuple[str, ...]) -> str:
    alike = len({unicodedata.normalize("NFC", name) for name in ids}) < len(ids)
    return " = ".join(ids) + (" (the same letters in two Unicode forms)" if alike else "")


def _labels(result: AuditResult) -> Iterator[Finding]:
    if result.label_conflicts:
        patient, labels = next(iter(result.label_conflicts.items()))
        many = len(result.label_conflicts)
        message = f"{many} patients have more than one label, such as {patient} ({', '.join(labels)})"
        yield Finding("warning", "labels", message)
