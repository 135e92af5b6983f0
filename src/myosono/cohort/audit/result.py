"""What an audit found, as typed values that turn into JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from myosono.cohort.overlap import FoldOverlap
from myosono.cohort.overlap import leaks as overlap_leaks

Severity = Literal["leak", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One statement in clear words. A ``leak`` makes a test score too good; a ``warning`` may."""

    severity: Severity
    subject: str
    message: str


@dataclass(frozen=True)
class SplitAudit:
    """Overlap between the roles of one split.

    Attributes
    ----------
    name
        ``patient``, ``image``, the name of a file, or ``S4 fold 1`` for one published fold file.
    folds
        One entry a fold.
    near_duplicates
        Pairs of look-alike images of which one is tested and the other is trained or validated on, over all folds;
        ``None`` without pixels.
    """

    name: str
    folds: tuple[FoldOverlap, ...]
    near_duplicates: int | None = None

    @property
    def leaks(self) -> bool:
        """Whether any patient occurs in two roles of one fold."""
        return overlap_leaks(self.folds)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "leaks": self.leaks,
            "near_duplicates": self.near_duplicates,
            "folds": [fold.to_dict() for fold in self.folds],
        }


@dataclass(frozen=True)
class Shortcut:
    """How well the class is predicted from something that is not the picture.

    Attributes
    ----------
    feature
        ``file size``, ``name order``, ``device`` or ``image size``.
    balanced_accuracy
        Of a shallow tree, cross-validated by patient.
    chance
        1 / number of classes.
    chance_95
        95th percentile of the same figure with labels shuffled between patients.
    """

    feature: str
    balanced_accuracy: float
    chance: float
    chance_95: float

    @property
    def suspicious(self) -> bool:
        """Above what shuffled labels reach, by more than 5 points."""
        return self.balanced_accuracy > self.chance_95 + 0.05


@dataclass(frozen=True)
class Lookalikes:
    """Near-duplicate pairs in the whole cohort; ``examples`` are the most alike pairs across labels, else patients."""

    pairs: int
    across_patients: int
    across_labels: int
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class AuditResult:
    """Everything an audit measured.

    Attributes
    ----------
    counts
        Class → ``{"images": n, "patients": n}``.
    label_conflicts
        Patient → its labels, where there are several.
    unreadable
        Image id → reason.
    skipped
        Check → why it was not made.
    """

    name: str
    source: str
    images: int
    patients: int
    counts: dict[str, dict[str, int]]
    splits: tuple[SplitAudit, ...] = ()
    lookalikes: Lookalikes | None = None
    shortcuts: tuple[Shortcut, ...] = ()
    label_conflicts: dict[str, list[str]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether any finding is a leak."""
        return any(item.severity == "leak" for item in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = asdict(self)
        plain["splits"] = [item.to_dict() for item in self.splits]
        plain["shortcuts"] = [{**asdict(item), "suspicious": item.suspicious} for item in self.shortcuts]
        plain["leaks"] = self.leaks
        return plain
