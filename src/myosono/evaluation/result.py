"""What an evaluation found: frozen dataclasses that go to JSON and come back equal.

``metrics.json`` is ``Evaluation.to_dict()``. Undefined numbers are null, never NaN, so that any JSON reader takes it.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from myosono.errors import PredictionsError
from myosono.evaluation.intervals import Estimate

FORMAT = 2
METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "auc")
"""The summary metrics of a level, in the order in which they are shown."""

T = TypeVar("T")


@dataclass(frozen=True)
class Counts:
    """What was tested."""

    images: int
    patients: int
    folds: int
    validation_images: int
    validation_patients: int
    patients_per_class: dict[str, int]


@dataclass(frozen=True)
class SharedPatients:
    """Patients on both sides of the split, as far as the table itself shows."""

    test_and_validation: int
    several_test_folds: int
    share_of_test_images: float

    @property
    def leaks(self) -> bool:
        """Whether the table shows that its split was not by patient."""
        return bool(self.test_and_validation or self.several_test_folds)


@dataclass(frozen=True)
class ClassMetrics:
    """One class against the rest; ``support`` units have it as target."""

    support: int
    sensitivity: Estimate
    specificity: Estimate
    auc: Estimate


@dataclass(frozen=True)
class RocCurve:
    """A ROC curve, thinned for drawing; empty if undefined."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


@dataclass(frozen=True)
class LevelMetrics:
    """Metrics of one level; ``confusion`` has targets as rows and decisions as columns."""

    units: int
    patients: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_f1: Estimate
    auc: Estimate
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]
    roc: dict[str, RocCurve]


@dataclass(frozen=True)
class MuscleMetrics:
    """Metrics of all images of one muscle, both sides."""

    muscle: str
    images: int
    patients: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_f1: Estimate
    auc: Estimate


@dataclass(frozen=True)
class FoldMetrics:
    """One fold alone; without intervals, for these belong to the whole."""

    fold: str
    temperature: float | None
    patient_temperature: float | None
    images: int
    patients: int
    validation_patients: int
    image: dict[str, float | None]
    patient: dict[str, float | None]


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over folds, as published tables report them."""

    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class CalibrationScores:
    """Expected calibration error, Brier score, negative log-likelihood (nats), with intervals over patients."""

    ece: Estimate
    brier: Estimate
    nll: Estimate


@dataclass(frozen=True)
class ReliabilityBin:
    """Units whose confidence lies in ``(lo, hi]``, and the share of them decided rightly."""

    lo: float
    hi: float
    count: int
    confidence: float | None
    accuracy: Estimate


@dataclass(frozen=True)
class CalibrationLevel:
    """Before and after temperature scaling, at one level.

    Attributes
    ----------
    image_temperature_only
        Of patients: pooled from calibrated images, before their own temperature; None at image level.
    error_by_chance
        Of patients: the ECE that honest probabilities would show with as few of them; None at image level, where
        images of one patient are not independent.
    """

    before: CalibrationScores
    after: CalibrationScores
    reliability_before: tuple[ReliabilityBin, ...]
    reliability_after: tuple[ReliabilityBin, ...]
    image_temperature_only: CalibrationScores | None = None
    error_by_chance: Estimate | None = None


@dataclass(frozen=True)
class Calibration:
    """Temperature scaling; ``note`` says why when ``fitted`` is False.

    Attributes
    ----------
    judging
        Whether the test patients suffice to judge calibration; empty if they do.
    temperatures, patient_temperatures
        By fold.
    """

    fitted: bool
    note: str
    judging: str
    temperatures: dict[str, float]
    patient_temperatures: dict[str, float]
    image: CalibrationLevel
    patient: CalibrationLevel


@dataclass(frozen=True)
class FoldSets:
    """How a fold's prediction sets were calibrated.

    Attributes
    ----------
    kind
        ``marginal`` (one threshold for all classes) or ``class_conditional`` (one for each).
    thresholds
        By class; None where too few patients were left, so that the class is in every set.
    patients
        Calibration patients, by class.
    note
        Why the thresholds are of this kind.
    """

    kind: str
    thresholds: dict[str, float | None]
    patients: dict[str, int]
    note: str


@dataclass(frozen=True)
class SetFigures:
    """How the sets of some patients fared; ``decided``, ``narrowed`` and ``abstained`` sum to 1.

    Attributes
    ----------
    coverage
        Share of patients whose set holds the truth.
    decided, narrowed, abstained
        Share with a single class; with several but not all; with none or all.
    accuracy_when_decided
        Share decided rightly among those with a single class.
    """

    patients: int
    coverage: Estimate
    decided: Estimate
    narrowed: Estimate
    abstained: Estimate
    accuracy_when_decided: Estimate
    mean_set_size: float | None


@dataclass(frozen=True)
class Conformal:
    """Patient-level prediction sets.

    ``folds`` are calibrated on validation patients and give the achieved figures on test patients. ``out_of_fold`` is
    calibrated on all test patients: for a model that is deployed after this evaluation, not for figures in it.

    Attributes
    ----------
    coverage_range
        Between what a model calibrated on as few patients truly covers, in nine calibrations of ten, for the fold with
        the fewest; None without marginal thresholds.
    overall, per_class
        What was achieved on test patients; None without validation rows.
    """

    fitted: bool
    note: str
    alpha: float
    folds: dict[str, FoldSets]
    out_of_fold: FoldSets
    coverage_range: tuple[float, ...] | None
    overall: SetFigures | None
    per_class: dict[str, SetFigures]


@dataclass(frozen=True)
class PatientResult:
    """One test patient; ``prediction_set`` is None when conformal sets were not fitted."""

    patient_id: str
    target: str
    label: str
    probabilities: dict[str, float]
    images: int
    prediction_set: tuple[str, ...] | None


@dataclass(frozen=True)
class Evaluation:
    """Everything that was measured on one predictions table.

    Attributes
    ----------
    split
        What is known of the split: ``kind``, ``leaks`` and more; None if nothing was said.
    levels
        By ``"image"``, ``"muscle"`` (absent if no muscle is named) and ``"patient"``.
    fold_spread
        By ``"image"`` and ``"patient"``, then by metric.
    """

    classes: tuple[str, ...]
    counts: Counts
    split: dict[str, Any] | None
    shared: SharedPatients
    levels: dict[str, LevelMetrics]
    by_muscle: tuple[MuscleMetrics, ...]
    folds: tuple[FoldMetrics, ...]
    fold_spread: dict[str, dict[str, Spread]]
    calibration: Calibration
    conformal: Conformal
    patients: tuple[PatientResult, ...]
    resamples: int
    seed: int
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, text and numbers, ready for ``json.dumps(..., allow_nan=False)``."""
        return {"format": FORMAT, **plain(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`.

        Raises
        ------
        PredictionsError
            If the format is another or a key is missing.
        """
        if data.get("format") != FORMAT:
            raise PredictionsError(
                f"metrics of format {data.get('format')!r}; this version reads format {FORMAT}",
                remedy="Make them again with: myosono evaluate",
            )
        try:
            return typing.cast(Self, _build(cls, data))
        except (KeyError, TypeError, AttributeError) as error:
            raise PredictionsError(f"metrics are incomplete or damaged ({error})") from error


def plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences as dicts and lists."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def _build(kind: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{name: _build(hint, value[name]) for name, hint in hints.items()})
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _build(arguments[0], value)
    if origin is tuple:
        return tuple(_build(arguments[0], part) for part in value)
    if origin is dict:
        return {key: _build(arguments[1], part) for key, part in value.items()}
    return value
