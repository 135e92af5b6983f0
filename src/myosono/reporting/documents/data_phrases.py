"""Phrases about the images and the people: where they come from and who was in which partition."""

from __future__ import annotations

import pandas as pd

from myosono.anatomy import MUSCLES
from myosono.reporting.documents.record import Answer, Table, listed, thousands
from myosono.reporting.documents.source import ROLES, DocumentSource
from myosono.reporting.statements import banners


def cohort(source: DocumentSource) -> Answer | None:
    """Name, size, origin and licence of the cohort."""
    part = source.facts.part("cohort")
    if not part.get("name"):
        return None
    text = (
        f"Cohort “{part['name']}”: {thousands(part['images'])} images of {part['patients']} patients. "
        f"Source: {part.get('source') or 'not stated'}. Licence: {part.get('licence') or 'not stated'}. "
        f"Content hash {str(part['content_hash'])[:12]}."
    )
    if source.simulated:
        text += " Every image is simulated by this package."
    return Answer(text, "run.json")


def selection(source: DocumentSource) -> Answer | None:
    """How many of the cohort's images take part in the task."""
    total = source.facts.part("cohort").get("images")
    if not total or not source.partitions:
        return None
    used = sum(part.images for part in source.partitions if part.fold == source.partitions[0].fold)
    left = total - used
    rest = f"{thousands(left)} are left out: their label is not in the task." if left else "None is left out."
    task = source.facts.task or "not recorded"
    return Answer(
        f"{thousands(used)} of the cohort's {thousands(total)} images take part (task {task}: "
        f"{listed(source.evaluation.classes)}). {rest}",
        "splits.parquet, run.json",
    )


def inputs(source: DocumentSource) -> Answer:
    """Muscles, sides and devices that the images name."""
    images = source.predictions.drop_duplicates("image_id")
    muscles = [str(MUSCLES.get(name, name)) for name in _known(images["muscle"])]
    devices = [f"{name} ({thousands(count)} images)" for name, count in _known(images["device"]).items()]
    sides = " and ".join({"L": "left", "R": "right"}.get(side, side) for side in _known(images["side"]))
    return Answer(
        f"Muscles named: {listed(muscles) or 'none'}. Sides: {sides or 'none'}. "
        f"Devices named: {listed(devices) or 'none'}.",
        "predictions.parquet",
    )


def _known(column: pd.Series[str]) -> dict[str, int]:
    counts = column[column != ""].value_counts().sort_index()
    return {str(name): int(count) for name, count in counts.items()}


def missing(source: DocumentSource) -> Answer:
    """What the images lack; the networks take one image and nothing else, so nothing is imputed."""
    images = source.predictions.drop_duplicates("image_id")
    lacking = [f"{name} for {thousands(int((images[name] == '').sum()))}" for name in ("muscle", "side", "device")]
    return Answer(
        f"The model takes one image and nothing else, and nothing is imputed. Of {thousands(len(images))} predicted "
        f"images, unknown is the {listed(lacking)}.",
        "predictions.parquet",
    )


def reference(source: DocumentSource) -> Answer:
    """What counts as the truth."""
    whose = "the disease that was simulated" if source.simulated else "the label that the cohort records"
    text = f"The reference of each patient is {whose}: {listed(source.evaluation.classes)}."
    conflicts = source.facts.part("cohort").get("label_conflicts") or []
    if conflicts:
        text += f" {len(conflicts)} patients occur in two classes and count once for each."
    return Answer(text, "run.json")


def partitioning(source: DocumentSource) -> Answer:
    """How images were dealt to partitions."""
    recipe, split = source.recipe, source.facts.part("split")
    how = {
        "patient": "by patient, stratified by class",
        "image": "by image, without regard to patients",
        "published": "as the published fold files say",
    }.get(str(split.get("kind")), "in a way that is not recorded")
    text = f"{split.get('folds', source.evaluation.counts.folds)} cross-validation folds, split {how}"
    if split.get("kind") != "published":
        share = f"{100 * recipe['validation_fraction']:.0f} %"
        text += f" (seed {split.get('seed')}); of each fold's rest, {share} is validation"
    return Answer(f"{text}.", "recipe.yaml, run.json", _partition_table(source))


def _partition_table(source: DocumentSource) -> Table:
    def cell(fold: str, role: str) -> str:
        part = next(part for part in source.partitions if (part.fold, part.role) == (fold, role))
        if part.patients is None:
            return f"{thousands(part.images)} / –"
        by_class = ", ".join(str(count) for count in part.patients.values())
        return f"{thousands(part.images)} / {sum(part.patients.values())} ({by_class})"

    folds = list(dict.fromkeys(part.fold for part in source.partitions))
    rows = tuple((fold, *(cell(fold, role) for role in ROLES)) for fold in folds)
    caption = f"Images / patients ({', '.join(source.evaluation.classes)}) by fold"
    return Table(caption, ("Fold", "Training", "Validation", "Test"), rows)


def disjoint(source: DocumentSource) -> Answer:
    """At which level the partitions are disjoint; a leak is said in the report's own words."""
    red = [banner for banner in banners(source.evaluation, source.facts) if banner.tone == "red"]
    if red:
        return Answer(f"Not disjoint by patient. {red[0].title}: {red[0].text}", "run.json, metrics.json")
    unknown = [one for one in banners(source.evaluation, source.facts) if one.title == "Unknown split"]
    if unknown:
        return Answer(unknown[0].text, "metrics.json")
    return Answer(
        "Disjoint by patient: no test patient has an image in training or validation of the same fold.", "run.json"
    )


def sample(source: DocumentSource) -> Answer:
    """Size of the test set by class."""
    counts = source.evaluation.counts
    by_class = listed([f"{count} {name}" for name, count in counts.patients_per_class.items()])
    return Answer(
        f"Tested: {thousands(counts.images)} images of {counts.patients} patients ({by_class}), over "
        f"{counts.folds} fold{'s' if counts.folds > 1 else ''}.",
        "metrics.json",
    )


def characteristics(source: DocumentSource) -> Answer | None:
    """Age, sex and more of those tested, by class; only where the cohort was given and knows them."""
    if source.cohort is None:
        return None
    tested = set(source.predictions.loc[source.predictions["role"] == "test", "image_id"])
    shown = source.cohort[source.cohort["image_id"].isin(tested)]
    # A person of two classes counts once for each, as in every figure.
    people = shown.drop_duplicates(["patient_id", "label"])
    known = set(people["label"])
    labels = [*(name for name in source.evaluation.classes if name in known), *sorted(known)]  # in the task's order
    rows = tuple(_described(label, people[people["label"] == label]) for label in dict.fromkeys(labels))
    others = source.cohort["patient_id"].nunique() - shown["patient_id"].nunique()
    rest = f" {others} other patients of the cohort were not tested and are not among them." if others else ""
    head = ("Class", "Patients", "Age, years", "Female", "Strength, 1–10", "Duration, months")
    return Answer(
        f"Characteristics of the test patients of all folds together, by label of the cohort.{rest}",
        "cohort.parquet, predictions.parquet",
        Table("Mean ± standard deviation (number known)", head, rows),
    )


def _described(label: str, people: pd.DataFrame) -> tuple[str, ...]:
    def spread(name: str) -> str:
        known = people[name].dropna() if name in people else pd.Series(dtype=float)
        sd = known.std() if len(known) > 1 else float("nan")
        if not len(known):
            return "not known"
        return f"{known.mean():.1f}" + (f" ± {sd:.1f}" if sd == sd else "") + f" ({len(known)})"

    sex = people["sex"][people["sex"] != ""] if "sex" in people else pd.Series(dtype=str)
    female = f"{int(sex.str.upper().str.startswith('F').sum())} of {len(sex)}" if len(sex) else "not known"
    return (label, str(len(people)), spread("age"), female, spread("strength"), spread("duration_months"))
