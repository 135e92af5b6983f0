"""What an audit found, as typed values that turn into JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from myosono.cohort.overlap import FoldOverlap
from myosono.cohort.overlap import leaks as overlap_leaks

Severity = Literal["leak", "warning", "note"]
AuditedKind = Literal["patient", "image", "published", "file"]
LikePair = tuple[str, str, float]
"""Two look-alike images by ``image_id``, and the correlation of their thumbnails."""

_EXAMPLES = 5


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
    kind
        ``patient``, ``image``, ``published`` or ``file``.
    lookalikes
        Look-alike pairs of which one image is tested and the other trained or validated on in any fold, each pair once,
        the most alike first; ``None`` without pixels.
    identical
        Images that are tested while a byte-identical one is trained or validated on: ``(tested, seen)``, each once.
    absent, never_tested
        Images of the cohort that are in no fold; images in a fold that none tests.
    """

    name: str
    folds: tuple[FoldOverlap, ...]
    kind: AuditedKind = "file"
    lookalikes: tuple[LikePair, ...] | None = None
    identical: tuple[tuple[str, str], ...] = ()
    absent: int = 0
    never_tested: int = 0

    @property
    def shares_patients(self) -> bool:
        """Whether any patient occurs in two roles of one fold."""
        return overlap_leaks(self.folds)

    @property
    def leaks(self) -> bool:
        """Whether any patient or any image, byte for byte, occurs in two roles of one fold."""
        return self.shares_patients or bool(self.identical)

    @property
    def near_duplicates(self) -> int | None:
        """Number of distinct look-alike pairs between test and the other roles; ``None`` without pixels."""
        return None if self.lookalikes is None else len(self.lookalikes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "leaks": self.leaks,
            "near_duplicates": self.near_duplicates,
            "lookalike_pairs": self.lookalikes,
            "identical": self.identical,
            "absent": self.absent,
            "never_tested": self.never_tested,
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
    """Near-duplicate pairs in the whole cohort: how many, and those across patients and labels, most alike first."""

    pairs: int
    patient_pairs: tuple[LikePair, ...] = ()
    label_pairs: tuple[LikePair, ...] = ()

    @property
    def across_patients(self) -> int:
        """Pairs whose images belong to different patients."""
        return len(self.patient_pairs)

    @property
    def across_labels(self) -> int:
        """Pairs whose images have different labels."""
        return len(self.label_pairs)

    @property
    def examples(self) -> tuple[tuple[str, str], ...]:
        """The most alike pairs across labels, else across patients."""
        return tuple(pair[:2] for pair in (self.label_pairs or self.patient_pairs)[:_EXAMPLES])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        counts = {name: getattr(self, name) for name in ("pairs", "across_patients", "across_labels", "examples")}
        return counts | {"patient_pairs": self.patient_pairs, "label_pairs": self.label_pairs}


@dataclass(frozen=True)
class AuditResult:
    """Everything an audit measured.

    Attributes
    ----------
    counts
        Class → ``{"images": n, "patients": n}``.
    files
        Images, the frames of a clip counted once.
    patients_from
        Whence the import had the patients: ``source``, ``near-duplicate``, ``image``; ``""`` where that is not known.
    identical
        Groups of byte-identical images under several patients, by one ``image_id`` of each patient.
    spellings
        Groups of patient ids that read like one.
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
    files: int = 0
    patients_from: str = ""
    splits: tuple[SplitAudit, ...] = ()
    lookalikes: Lookalikes | None = None
    identical: tuple[tuple[str, ...], ...] = ()
    spellings: tuple[tuple[str, ...], ...] = ()
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

    @property
    def complete(self) -> bool:
        """Whether pixels, shortcuts and every split that was to be looked at were looked at."""
        left_out = any("split" in check or "published" in check or check == "shortcuts" for check in self.skipped)
        return bool(self.splits) and self.lookalikes is not None and not left_out

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = asdict(self)
        plain["splits"] = [item.to_dict() for item in self.splits]
        plain["lookalikes"] = None if self.lookalikes is None else self.lookalikes.to_dict()
        plain["shortcuts"] = [{**asdict(item), "suspicious": item.suspicious} for item in self.shortcuts]
        plain["leaks"] = self.leaks
        return plain
