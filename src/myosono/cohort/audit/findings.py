"""From measurements to sentences: what a user should know before believing a score."""

from __future__ import annotations

from myosono.cohort.audit.result import AuditResult, Finding, Shortcut, SplitAudit


def find(result: AuditResult) -> tuple[Finding, ...]:
    """Findings of an audit, leaks first."""
    found = [
        *(finding for split in result.splits for finding in _split(split)),
        *_labels(result),
        *_lookalikes(result),
        *(_shortcut(item) for item in result.shortcuts if item.suspicious),
        *_unreadable(result),
    ]
    order = {"leak": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda item: order[item.severity]))


def _split(split: SplitAudit) -> list[Finding]:
    found = []
    if split.leaks:
        # Patients may be shared by training and validation alone: then no test image is seen, in any fold.
        worst = max(split.folds, key=lambda fold: (fold.patient_seen, fold.shared_patients))
        site = "" if worst.site_seen is None else f", {worst.site_seen:.1%} also the same muscle and side"
        found.append(
            Finding(
                "leak",
                f"split {split.name}",
                f"{_count(worst.shared_patients)} in more than one role; for {worst.patient_seen:.1%} of test "
                f"images the patient was seen before{site}. {_meaning(worst.patient_seen)}",
            )
        )
    if split.near_duplicates:
        found.append(
            Finding(
                "leak" if split.leaks else "warning",
                f"split {split.name}",
                f"{split.near_duplicates} look-alike pairs have one image in test and the other in training or "
                "validation",
            )
        )
    return found


def _count(patients: int) -> str:
    return "1 patient occurs" if patients == 1 else f"{patients} patients occur"


def _meaning(seen: float) -> str:
    if seen:
        return "A score on this split does not speak for a new patient"
    return (
        "Test patients are new, but training and validation share patients: the chosen epoch and the calibration are "
        "too sure of themselves"
    )


def _labels(result: AuditResult) -> list[Finding]:
    if not result.label_conflicts:
        return []
    patient, labels = next(iter(result.label_conflicts.items()))
    return [
        Finding(
            "warning",
            "labels",
            f"{len(result.label_conflicts)} patients have more than one label, such as {patient} ({', '.join(labels)})",
        )
    ]


def _lookalikes(result: AuditResult) -> list[Finding]:
    alike = result.lookalikes
    if alike is None or not alike.pairs:
        return []
    found = []
    if alike.across_labels:
        first, second = alike.examples[0]
        found.append(
            Finding(
                "warning",
                "near-duplicates",
                f"{alike.across_labels} look-alike pairs have different labels, such as {first} and {second}",
            )
        )
    if alike.across_patients:
        found.append(
            Finding(
                "warning",
                "near-duplicates",
                f"{alike.across_patients} of {alike.pairs} look-alike pairs belong to different patients: one person "
                "under two names, or the same picture twice",
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
    return [
        Finding(
            "warning", "files", f"{len(result.unreadable)} images cannot be read or changed, such as {name}: {reason}"
        )
    ]
