"""Published accuracies beside those found here: what the published folds give, and what is left of it by patient.

Accuracies are of single images, as the publications report them, so that the three columns compare like with like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from myosono.evaluation.intervals import Estimate
from myosono.evaluation.result import Evaluation, Spread, plain

FORMAT = 1

BURLINA = (
    "Burlina P, Billings S, Joshi N, Albayda J. Automated diagnosis of myositis from muscle ultrasound: exploring the "
    "use of machine learning and deep learning methods. PLoS ONE 2017; 12(8): e0184059"
)
UCAR = "Uçar E. 2022, dual-branch fusion of VGG16 and VGG19, on the image-level fold files published with it"
TAN = "Tan et al. J Biomed Eng 2024; 41: 895. DOI 10.7507/1001-5515.202301023"


@dataclass(frozen=True)
class PublishedResult:
    """An accuracy from the literature.

    Attributes
    ----------
    task
        The task, by myosono's name.
    method
        The publication's short name and method.
    model
        The registered network (or estimator) of the same design.
    accuracy, sd
        Of images, in [0, 1]; standard deviation over 5 folds, None where it is not stated.
    source, note
        Citation; what must be known to compare.
    """

    task: str
    method: str
    model: str
    accuracy: float
    sd: float | None
    source: str
    note: str = ""

    @property
    def text(self) -> str:
        """Short form in per cent, for a table cell."""
        spread = "" if self.sd is None else f" ± {100 * self.sd:.1f}"
        return f"{self.method} {100 * self.accuracy:.1f}{spread}"


_ABSTRACT = "only the abstract is public; the layer table is ours"

PUBLISHED: tuple[PublishedResult, ...] = (
    PublishedResult("affected", "Burlina 2017 DCNN", "alexnet", 0.762, 0.031, BURLINA),
    PublishedResult("affected", "Burlina 2017 forest", "rf_engineered", 0.723, 0.033, BURLINA),
    PublishedResult("ibm_vs_normal", "Burlina 2017 DCNN", "alexnet", 0.866, 0.024, BURLINA),
    PublishedResult("ibm_vs_normal", "Burlina 2017 forest", "rf_engineered", 0.843, 0.023, BURLINA),
    PublishedResult("ibm_vs_other", "Burlina 2017 DCNN", "alexnet", 0.748, 0.039, BURLINA),
    PublishedResult("ibm_vs_other", "Burlina 2017 forest", "rf_engineered", 0.689, 0.025, BURLINA),
    PublishedResult("four_class", "Uçar 2022", "dual_branch", 0.902, None, UCAR, "about 90.2 %"),
    PublishedResult("four_class", "Tan 2024", "stanet_s", 0.961, None, TAN, _ABSTRACT),
)
"""Published accuracies on the Johns Hopkins set (80 patients, 3,214 images)."""


def published_results(task: str, model: str) -> tuple[PublishedResult, ...]:
    """Published results of this network on this task; where there are none, those of all others on the task.

    Examples
    --------
    >>> [found.text for found in published_results("four_class", "dual_branch")]
    ['Uçar 2022 90.2']
    """
    of_task = tuple(found for found in PUBLISHED if found.task == task)
    return tuple(found for found in of_task if found.model == model) or of_task


@dataclass(frozen=True)
class Outcome:
    """One network on one task over the folds of one split.

    Attributes
    ----------
    split
        ``published``, ``image`` or ``patient``.
    leaks, patient_in_train
        Whether a patient is on both sides of any fold; the share of test images whose patient was trained on.
    folds, of_folds
        Folds tested; folds that the split has.
    image_accuracy, patient_accuracy
        All folds together, with 95 % intervals from resampled patients.
    image_spread, patient_spread
        Mean and standard deviation over folds.
    run
        The run folder, relative to the folder of the report.
    """

    task: str
    model: str
    split: str
    leaks: bool
    patient_in_train: float | None
    folds: int
    of_folds: int
    images: int
    patients: int
    image_accuracy: Estimate
    image_spread: Spread
    image_balanced_accuracy: Estimate
    image_auc: Estimate
    patient_accuracy: Estimate
    patient_spread: Spread
    patient_auc: Estimate
    run: str

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, *, task: str, model: str, run: str) -> Outcome:
        """What an evaluation of a run found; its ``split`` must be that of ``run.json``."""
        split = evaluation.split or {}
        image, patient = evaluation.levels["image"], evaluation.levels["patient"]
        return cls(
            task=task,
            model=model,
            split=str(split.get("kind", "unknown")),
            leaks=bool(split.get("leaks")),
            patient_in_train=_share(split.get("overlap", ()), {fold.fold for fold in evaluation.folds}),
            folds=evaluation.counts.folds,
            of_folds=int(split.get("folds", evaluation.counts.folds)),
            images=evaluation.counts.images,
            patients=evaluation.counts.patients,
            image_accuracy=image.accuracy,
            image_spread=evaluation.fold_spread["image"]["accuracy"],
            image_balanced_accuracy=image.balanced_accuracy,
            image_auc=image.auc,
            patient_accuracy=patient.accuracy,
            patient_spread=evaluation.fold_spread["patient"]["accuracy"],
            patient_auc=patient.auc,
            run=run,
        )


def _share(overlap: Iterable[Mapping[str, Any]], folds: set[str]) -> float | None:
    tested = [fold for fold in overlap if str(fold["fold"]) in folds]
    images = sum(int(fold["test"]) for fold in tested)
    return sum(float(fold["patient_in_train"]) * int(fold["test"]) for fold in tested) / images if images else None


@dataclass(frozen=True)
class Comparison:
    """One row of the table; an outcome is None while its run is not done."""

    task: str
    model: str
    published: tuple[PublishedResult, ...]
    same_network: bool
    image_level: Outcome | None
    patient_level: Outcome | None

    @property
    def gap(self) -> float | None:
        """Image accuracy with image-level folds minus that with patient-level folds, mean over folds."""
        if self.image_level is None or self.patient_level is None:
            return None
        high, low = self.image_level.image_spread.mean, self.patient_level.image_spread.mean
        return None if high is None or low is None else high - low


@dataclass(frozen=True)
class Reproduction:
    """The published protocol on one cohort, as far as it has run.

    Attributes
    ----------
    cohort, source, simulated
        Name and source of the cohort; whether its images are simulated.
    fold_files
        Whether the image-level folds are the published ones; else they were made here by the same scheme.
    planned
        Runs of the protocol; ``outcomes`` has those that are done.
    settings
        Of the recipe, as far as all runs share them.
    """

    cohort: str
    source: str
    simulated: bool
    images: int
    patients: int
    fold_files: bool
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    planned: int
    outcomes: tuple[Outcome, ...]
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    command: str = ""
    created: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all runs of the protocol are done."""
        return len(self.outcomes) == self.planned

    @property
    def table(self) -> tuple[Comparison, ...]:
        """Published, image-level here, patient-level here: one row a task and network."""
        done = {(found.task, found.model, found.split == "patient"): found for found in self.outcomes}
        return tuple(
            Comparison(
                task=task,
                model=model,
                published=(known := published_results(task, model)),
                same_network=any(found.model == model for found in known),
                image_level=done.get((task, model, False)),
                patient_level=done.get((task, model, True)),
            )
            for task in self.tasks
            for model in self.models
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``table`` has the rows."""
        rows = [plain(row) | {"gap": row.gap} for row in self.table]
        facts = {key: value for key, value in plain(self).items() if key != "outcomes"}
        return {"format": FORMAT, **facts, "complete": self.complete, "table": rows}

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat row an outcome, for CSV."""
        return [self._flat(found) for found in self.outcomes]

    def _flat(self, found: Outcome) -> dict[str, Any]:
        estimates = ("image_accuracy", "image_balanced_accuracy", "image_auc", "patient_accuracy", "patient_auc")
        row: dict[str, Any] = {"cohort": self.cohort, "simulated": self.simulated} | {
            name: getattr(found, name)
            for name in ("task", "model", "split", "leaks", "patient_in_train", "folds", "of_folds", "images",
                         "patients")
        }  # fmt: skip
        for level in ("image", "patient"):
            spread: Spread = getattr(found, f"{level}_spread")
            row |= {f"{level}_accuracy_fold_mean": spread.mean, f"{level}_accuracy_fold_sd": spread.sd}
        for name in estimates:
            estimate: Estimate = getattr(found, name)
            row |= {name: estimate.value, f"{name}_lo": estimate.lo, f"{name}_hi": estimate.hi}
        published = "; ".join(one.text for one in published_results(found.task, found.model))
        return row | {"published": published, "command": self.command}
