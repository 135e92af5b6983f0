"""From measurements to sentences: what a user should know before believing a score."""

from __future__ import annotations

from myosono.cohort.audit.patient_findings import of_patients
from myosono.cohort.audit.result import AuditResult, Finding, Shortcut
from myosono.cohort.audit.split_findings import of_split


def find(result: AuditResult) -> tuple[Finding, ...]:
    """Findings of an audit, leaks first."""
    found = [
        *(finding for split in result.splits for finding in of_split(split)),
        *of_patients(result),
        *_lookalikes(result),
        *(_shortcut(item) for item in result.shortcuts if item.suspicious),
        *_unreadable(result),
    ]
    order = {"leak": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda item: order[item.severity]))


def _lookalikes(result: AuditResult) -> list[Finding]:
    alike = result.lookalikes
    found: list[Finding] = []
    if alike is not None and alike.label_pairs:
        first, second, _ = alike.label_pairs[0]
        message = f"{alike.across_labels} look-alike pairs have different labels, most alike {first} and {second}"
        found.append(Finding("warning", "near-duplicates", message))
    if alike is not None and alike.patient_pairs:
        first, second, _ = alike.patient_pairs[0]
        found.append(
            Finding(
                "warning",
                "near-duplicates",
                f"{alike.across_patients} of {alike.pairs} look-alike pairs belong to different patients, most alike "
                f"{first} and {second}: one person under two names, or the same picture twice",
            )
        )
    return found


def _shortcut(item: Shortcut) -> Finding:
    return Finding(
        "warning",
        item.feature,
        f"{item.feature} alone predicts the class with {item.balanced_accuracy:.0%} balanced accuracy on new patients "
        f"(chance {item.chance:.0%}, shuffled labels up to {item.chance_95:.0%})",
    )


def _unreadable(result: AuditResult) -> list[Finding]:
    if not result.unreadable:
        return []
    name, reason = next(iter(result.unreadable.items()))
    many = len(result.unreadable)
    return [Finding("warning", "files", f"{many} images cannot be read or changed, such as {name}: {reason}")]
