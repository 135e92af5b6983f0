"""The model card: sections of Mitchell et al. 2019, and the same facts in the Model Card Toolkit's JSON schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from myosono.evaluation import figures as draw
from myosono.provenance import now
from myosono.reporting.documents import data_phrases as data
from myosono.reporting.documents import model_phrases as model
from myosono.reporting.documents import result_phrases as result
from myosono.reporting.documents.items import Item, fill
from myosono.reporting.documents.record import Answer, Document
from myosono.reporting.documents.source import DocumentSource
from myosono.reporting.statements import banners

CITATION = (
    "Mitchell M, Wu S, Zaldivar A, et al. Model cards for model reporting. FAT* 2019:220–229. "
    "doi:10.1145/3287560.3287596"
)
TOOLKIT_SCHEMA = "0.0.2"
_FIGURES = "Quantitative analyses"
NOT_A_DEVICE = (
    "For research. It has not been validated for clinical use and is no medical device. It is not for other diseases, "
    "anatomy or imaging than those of the cohort below, named under Factors."
)


def _use(_: DocumentSource) -> Answer:
    return Answer(NOT_A_DEVICE, "this software")


ITEMS = (
    Item("Model details", "Model, version and date", (model.identity,)),
    Item("Model details", "Kind of model", (model.architecture, model.output)),
    Item("Model details", "Training", (model.training, model.model_selection, model.ensembling)),
    Item("Model details", "Software and licence", (model.software, model.access)),
    Item("Model details", "Owner and contact", open="Name who answers for this model."),
    Item("Intended use", "Out of scope", (_use,)),
    Item("Intended use", "Uses and users meant", open="State the task in care and who reads the result."),
    Item("Factors", "Muscles, sides and devices", (data.inputs,)),
    Item("Factors", "Groups of people", (data.characteristics,), open="Name groups for whom it may differ."),
    Item("Metrics", "Measures", (result.metrics,)),
    Item("Metrics", "Uncertainty", (result.uncertainty,)),
    Item("Metrics", "Decision and abstention", (model.output,)),
    Item("Evaluation data", "Cohort and split", (data.cohort, data.partitioning, data.disjoint)),
    Item("Evaluation data", "Reference", (data.reference,)),
    Item("Training data", "Cohort", (data.selection, data.sample)),
    Item("Training data", "Preparation", (model.preprocessing, model.augmentation, model.imbalance)),
    Item(_FIGURES, "Performance", (result.performance,)),
    Item(_FIGURES, "By class", (result.by_class,)),
    Item(_FIGURES, "By muscle", (result.by_muscle,)),
    Item(_FIGURES, "Calibration", (result.calibration,)),
    Item(_FIGURES, "Prediction sets", (result.prediction_sets,)),
    Item(_FIGURES, "By groups of people", open="A run compares none."),
    Item("Ethical considerations", "Data of people, consent, risks and harms",
         open="State approval, consent and foreseeable harm.", people=True),
    Item("Caveats and recommendations", "Known limits", (result.limitations,), open="Add yours."),
    Item("Caveats and recommendations", "Agreement of the exported file", (model.parity,),
         open="Name the exported file with --model to fill this."),
)  # fmt: skip


def model_card(source: DocumentSource) -> Document:
    """The model card of a run, with confusion matrix and reliability of patients.

    Parameters
    ----------
    source
        From :func:`read_document_source`.
    """
    items = tuple(
        replace(item, open=None) if item.phrases == (model.parity,) and source.model is not None else item
        for item in ITEMS
    )
    sections = tuple(
        replace(section, figures=_figures(source)) if section.title == _FIGURES else section
        for section in fill(items, source)
    )
    return Document(
        stem="model_card",
        kind="Model card",
        title=f"Model card of {source.facts.part('model').get('name', source.name)}",
        lead=f"From run {source.name}. What the run cannot know is marked open.",
        banners=tuple(banners(source.evaluation, source.facts)),
        sections=sections,
        citations=(CITATION,),
        created=now(),
    )


def _figures(source: DocumentSource) -> tuple[tuple[str, str], ...]:
    found, calibrated = source.evaluation, source.evaluation.calibration
    reliability = draw.draw_reliability(calibrated.patient, "Patients", after=calibrated.fitted)
    return (
        (draw.draw_confusion(found.levels["patient"], "Patients"), "Counts, and percent of each target."),
        (reliability, "How often decisions of a given confidence are right; points are sized by count."),
    )


def toolkit_card(source: DocumentSource) -> dict[str, Any]:
    """The facts of the card in the schema of the Model Card Toolkit (version 0.0.2), for machines.

    Only what the run tells is there; owners, users and risks are left to the authors.
    """
    facts, found = source.facts, source.evaluation
    network, cohort = facts.part("model"), facts.part("cohort")
    details = {
        "name": str(network.get("name", source.name)),
        "overview": result.summary(source).text,
        "documentation": " ".join(banner.title + ": " + banner.text for banner in banners(found, facts)),
        "version": {"name": str(facts.part("versions").get("myosono", "")), "date": str(facts.run.get("created", ""))},
        "citations": [{"style": "text", "citation": model.TAN_2024}],
    }
    dataset = data.cohort(source)
    parameters = {
        "model_architecture": model.architecture(source).text,
        "data": [{"name": str(cohort.get("name", "")), "description": "" if dataset is None else dataset.text}],
        "input_format": model.preprocessing(source).text,
        "output_format": model.output(source).text,
    }
    return {
        "schema_version": TOOLKIT_SCHEMA,
        "model_details": details,
        "model_parameters": parameters,
        "quantitative_analysis": {"performance_metrics": _toolkit_metrics(source)},
        "considerations": {
            "limitations": [{"description": NOT_A_DEVICE}, {"description": result.limitations(source).text}]
        },
    }


def _toolkit_metrics(source: DocumentSource) -> list[dict[str, Any]]:
    found = []
    for name, level in source.evaluation.levels.items():
        for key in result.METRICS:
            value = getattr(level, key).value
            if value is not None:
                found.append({"type": key, "value": value, "slice": name})
    return found
