"""Phrases about what was measured: performance with intervals, calibration, subgroups, failures."""

from __future__ import annotations

from collections import Counter

from myosono.anatomy import MUSCLES
from myosono.evaluation import Estimate
from myosono.reporting.documents.record import Answer, Table, listed, thousands
from myosono.reporting.documents.source import DocumentSource
from myosono.reporting.statements import banners, headline, interval, number

METRICS = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_f1": "Macro F1", "auc": "AUC"}
LEVELS = {"image": "Images", "muscle": "Muscles", "patient": "Patients"}


def value_text(estimate: Estimate, digits: int = 2) -> str:
    """A value with its interval.

    Examples
    --------
    >>> value_text(Estimate(0.8, 0.7123, 0.9))
    '0.80 (0.71–0.90)'
    """
    return number(estimate.value, digits) + (f" ({interval(estimate, digits)})" if interval(estimate) else "")


def metrics(source: DocumentSource) -> Answer:
    """Which metrics, at which levels."""
    return Answer(
        f"{listed(list(METRICS.values()))} per image, muscle and patient; sensitivity, specificity and AUC of each "
        "class against the rest; expected calibration error, Brier score and negative log-likelihood; coverage and "
        "size of prediction sets. The patient level is the one to quote.",
        "metrics.json",
    )


def uncertainty(source: DocumentSource) -> Answer:
    """How the intervals were made."""
    found = source.evaluation
    if not found.resamples:
        return Answer("No intervals were computed.", "metrics.json")
    return Answer(
        f"95 % intervals from {thousands(found.resamples)} resamples of whole patients (percentile cluster bootstrap, "
        f"seed {found.seed}). No significance test is part of a run.",
        "metrics.json",
    )


def summary(source: DocumentSource) -> Answer:
    """The headline of the report, with its leak in the same breath."""
    text = f"{headline(source.evaluation, source.facts)}."
    red = [banner.title for banner in banners(source.evaluation, source.facts) if banner.tone == "red"]
    return Answer(f"{text} {red[0]}: this overestimates." if red else text, "metrics.json")


def performance(source: DocumentSource) -> Answer:
    """All levels."""
    rows = tuple(
        (LEVELS[name], thousands(level.units), *(value_text(getattr(level, key)) for key in METRICS))
        for name, level in source.evaluation.levels.items()
    )
    return Answer(
        summary(source).text,
        "metrics.json",
        Table("Test figures (95 % interval over patients)", ("Level", "Count", *METRICS.values()), rows),
    )


def by_class(source: DocumentSource) -> Answer:
    """Patients, each class against the rest."""
    rows = tuple(
        (name, str(one.support), value_text(one.sensitivity), value_text(one.specificity), value_text(one.auc))
        for name, one in source.evaluation.levels["patient"].per_class.items()
    )
    head = ("Class", "Patients", "Sensitivity", "Specificity", "AUC")
    return Answer(
        "Each class against the rest, of patients.", "metrics.json", Table("Patients (95 % interval)", head, rows)
    )


def by_muscle(source: DocumentSource) -> Answer | None:
    """Images of each muscle."""
    parts = source.evaluation.by_muscle
    if not parts:
        return None
    rows = tuple(
        (
            str(MUSCLES.get(one.muscle, one.muscle)),
            thousands(one.images),
            value_text(one.accuracy),
            value_text(one.auc),
        )
        for one in parts
    )
    return Answer(
        "Images of one muscle, both sides.",
        "metrics.json",
        Table("By muscle (95 % interval)", ("Muscle", "Images", "Accuracy", "AUC"), rows),
    )


def by_fold(source: DocumentSource) -> Answer:
    """Each fold alone."""
    found = source.evaluation
    rows = tuple(
        (fold.fold, str(fold.patients), *(number(fold.patient[key]) for key in METRICS)) for fold in found.folds
    )
    spread = found.fold_spread["patient"]["accuracy"]
    over = f"Patient-level accuracy over folds: mean {number(spread.mean)}"
    over += "" if spread.sd is None else f", standard deviation {number(spread.sd)}"
    return Answer(
        f"{over}.", "metrics.json", Table("Patients, fold by fold", ("Fold", "Patients", *METRICS.values()), rows)
    )


def calibration(source: DocumentSource) -> Answer:
    """Before and after the temperatures."""
    found = source.evaluation.calibration
    rows = []
    for name, level in (("Images", found.image), ("Patients", found.patient)):
        for when, scores in (("before", level.before), ("after", level.after))[: 2 if found.fitted else 1]:
            label = f"{name}, {when}" if found.fitted else f"{name}, as given"
            rows.append((label, *(value_text(one, 3) for one in (scores.ece, scores.brier, scores.nll))))
    head = ("Level", "Calibration error", "Brier score", "Negative log-likelihood")
    return Answer(
        " ".join(filter(None, [found.note, found.judging])),
        "metrics.json",
        Table("Calibration on test predictions (95 % interval over patients)", head, tuple(rows)),
    )


def recalibration(source: DocumentSource) -> Answer:
    """The only updating that a run does."""
    found = source.evaluation.calibration
    if not found.fitted:
        return Answer(f"None. {found.note}", "metrics.json")
    of_images = ", ".join(f"{value:.2f} (fold {fold})" for fold, value in found.temperatures.items())
    text = f"No updating but temperatures, fitted on validation patients. Of images: {of_images}."
    if found.patient_temperatures:
        of_patients = ", ".join(f"{value:.2f} (fold {fold})" for fold, value in found.patient_temperatures.items())
        text += f" Of patients: {of_patients}."
    return Answer(text, "metrics.json")


def prediction_sets(source: DocumentSource) -> Answer:
    """Coverage, abstention and accuracy where decided."""
    found = source.evaluation.conformal
    if not found.fitted or found.overall is None:
        return Answer(found.note, "metrics.json")
    overall = found.overall
    return Answer(
        f"Promised: sets hold the truth for {100 * (1 - found.alpha):.0f} % of patients. Of test patients, share whose "
        f"set holds the truth {value_text(overall.coverage)}; share with a single class {value_text(overall.decided)}; "
        f"accuracy where decided {value_text(overall.accuracy_when_decided)}. {found.note}",
        "metrics.json",
    )


def failures(source: DocumentSource) -> Answer:
    """Whom the model gets wrong, and as what."""
    patients = source.evaluation.patients
    wrong = Counter((one.target, one.label) for one in patients if one.label != one.target)
    text = f"{sum(wrong.values())} of {len(patients)} patients are decided wrongly"
    named = listed([f"{target} as {label} {count}" for (target, label), count in wrong.most_common()])
    return Answer(f"{text}{f': {named}' if named else ''}. The report lists them one by one.", "metrics.json")


def internal(source: DocumentSource) -> Answer:
    """All of it is internal."""
    counts = source.evaluation.counts
    return Answer(
        f"All figures are internal: cross-validation within one cohort, {counts.patients} patients, {counts.folds} "
        f"fold{'s' if counts.folds > 1 else ''}.",
        "metrics.json",
    )


def limitations(source: DocumentSource) -> Answer:
    """What the run knows against itself."""
    known = [f"{banner.title}: {banner.text}" for banner in banners(source.evaluation, source.facts)]
    known += list(source.evaluation.warnings)
    known.append("No external test: other hospitals and devices may differ.")
    return Answer(" ".join(known), "metrics.json, run.json")
