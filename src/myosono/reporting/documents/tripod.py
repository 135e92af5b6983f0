"""TRIPOD+AI: the 27 items, 52 with their letters, of the reporting guideline for clinical prediction models.

Numbers and letters as published; the wording is ours. A run develops a model and evaluates it within one cohort.
Source: Collins et al. 2024, BMJ 385:e078378, doi:10.1136/bmj-2023-078378.
"""

from __future__ import annotations

from myosono.provenance import now
from myosono.reporting.documents import data_phrases as data
from myosono.reporting.documents import model_phrases as model
from myosono.reporting.documents import result_phrases as result
from myosono.reporting.documents.items import Item, fill
from myosono.reporting.documents.record import Document
from myosono.reporting.documents.source import DocumentSource
from myosono.reporting.statements import banners

CITATION = (
    "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for reporting clinical prediction "
    "models that use regression or machine learning methods. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378"
)

_DATA, _PREDICTORS, _ANALYSIS = "Methods: data and participants", "Methods: outcome and predictors", "Methods: analysis"

ITEMS = (
    Item("Title and abstract", "Title: a prediction model, for whom, of what", open="The title is yours.", number="1"),
    Item(
        "Title and abstract", "Abstract, after TRIPOD+AI for Abstracts", (result.summary,),
        open="The abstract is yours; this is the result to quote.", number="2",
    ),
    Item("Introduction", "Clinical context, why a model, which exist", open="State it.", number="3a"),
    Item("Introduction", "Target population, place in care, users", open="State it.", number="3b"),
    Item("Introduction", "Known health inequalities", open="State them.", number="3c"),
    Item(
        "Introduction", "Objectives: development, evaluation or both", (result.internal,),
        open="A run does both in one cohort; state your objectives.", number="4",
    ),
    Item(
        _DATA, "Sources of the data and how representative they are", (data.cohort,),
        open="Say why these data and whom they represent.", number="5a",
    ),
    Item(_DATA, "Dates of the data", open="Give start and end.", number="5b", people=True),
    Item(_DATA, "Setting, number and place of centres", (data.inputs,), open="Name them.", number="6a", people=True),
    Item(_DATA, "Eligibility", open="State the criteria.", number="6b", people=True),
    Item(_DATA, "Treatments and how they were handled", open="State them.", number="6c", people=True),
    Item(
        _DATA, "Preparation and quality of the data", (model.preprocessing, model.augmentation),
        open="Add the findings of myosono audit, and whether preparation differs between groups of people.",
        number="7",
    ),
    Item(
        _PREDICTORS, "Outcome: definition and assessment", (data.reference,),
        open="Say how and when the diagnosis was made.", number="8a", people=True,
    ),
    Item(_PREDICTORS, "Who assessed the outcome", open="Give qualifications.", number="8b", people=True),
    Item(_PREDICTORS, "Blinding of the outcome's assessment", open="Say whether images were seen.", number="8c",
         people=True),
    Item(
        _PREDICTORS, "Choice of the predictors", (model.architecture,),
        open="The image is the only predictor; say why.", number="9a",
    ),
    Item(
        _PREDICTORS, "Predictors: definition and measurement", (data.inputs, model.preprocessing),
        open="Describe the acquisition of the images.", number="9b",
    ),
    Item(_PREDICTORS, "Who assessed the predictors", open="Say who scanned.", number="9c", people=True),
    Item(_ANALYSIS, "Sample size", (data.sample,), open="Say how it was determined.", number="10"),
    Item(_ANALYSIS, "Missing data", (data.missing,), open="Say which patients lack images, and why.", number="11"),
    Item(_ANALYSIS, "Use of the data for development and evaluation", (data.partitioning, data.disjoint),
         number="12a"),
    Item(_ANALYSIS, "Handling of the predictors", (model.preprocessing,), number="12b"),
    Item(
        _ANALYSIS, "Model, building, tuning and internal validation",
        (model.architecture, model.initialisation, model.training, model.model_selection, model.ensembling),
        open="Say how the recipe was chosen, and whether on these folds.", number="12c",
    ),
    Item(
        _ANALYSIS, "Differences between clusters, as centres", (data.partitioning,),
        open="Patients are the clusters here; say how centres or devices were handled.", number="12d",
    ),
    Item(_ANALYSIS, "Measures of performance", (result.metrics, result.uncertainty), number="12e"),
    Item(_ANALYSIS, "Updating of the model after evaluation", (result.recalibration,), number="12f"),
    Item(_ANALYSIS, "How predictions were computed", (model.output, model.access), number="12g"),
    Item(_ANALYSIS, "Imbalance of the classes", (model.imbalance, data.sample), number="13"),
    Item(_ANALYSIS, "Fairness", open="A run compares no groups of people; say what was done and why.", number="14"),
    Item(_ANALYSIS, "Output of the model and its thresholds", (model.output,), number="15"),
    Item(
        _ANALYSIS, "Differences between development and evaluation data", (result.internal,), number="16",
    ),
    Item(_ANALYSIS, "Ethics approval and consent", open="Name the committee.", number="17", people=True),
    Item("Open science", "Funding", open="Name it, or say none.", number="18a"),
    Item("Open science", "Conflicts of interest", open="Declare them.", number="18b"),
    Item("Open science", "Protocol", open="Say where it is, or that there is none.", number="18c"),
    Item("Open science", "Registration", open="Give the number, or say none.", number="18d"),
    Item("Open science", "Sharing of the data", (data.cohort,), open="Say how they can be had.", number="18e"),
    Item("Open science", "Sharing of the code", (model.access,), open="Give the address of your version.",
         number="18f"),
    Item("Patient and public involvement", "Involvement, or none", open="State it.", number="19"),
    Item(
        "Results", "Flow of participants and outcomes", (data.selection, data.partitioning),
        open="Add those excluded before the cohort was made.", number="20a",
    ),
    Item(
        "Results", "Characteristics of the participants", (data.sample, data.characteristics),
        open="Add what the cohort does not hold.", number="20b", people=True,
    ),
    Item(
        "Results", "Comparison of development and evaluation data", (data.partitioning,),
        open="Cross-validation draws both from one cohort; add any external data.", number="20c",
    ),
    Item("Results", "Participants and outcomes in each analysis", (data.partitioning, data.sample), number="21"),
    Item(
        "Results", "The full model, so that others can predict", (model.access, model.parity),
        open="Say where the trained model can be had.", number="22",
    ),
    Item(
        "Results", "Performance with intervals and calibration",
        (result.performance, result.by_class, result.calibration, result.prediction_sets),
        open="Add groups of people.", number="23a",
    ),
    Item(
        "Results", "Differences of performance between clusters", (result.by_fold, result.by_muscle),
        open="Add centres and devices.", number="23b",
    ),
    Item("Results", "Results of updating", (result.recalibration,), number="24"),
    Item("Discussion", "Interpretation, with fairness and earlier studies", open="Yours.", number="25"),
    Item("Discussion", "Limitations", (result.limitations,), open="Add yours.", number="26"),
    Item(
        "Discussion", "Poor or absent input at the time of use", (data.missing, result.prediction_sets),
        open="Say what users should do when a reading abstains.", number="27a",
    ),
    Item("Discussion", "What users must do and know", open="State the expertise needed.", number="27b"),
    Item("Discussion", "Next steps", open="State them.", number="27c"),
)  # fmt: skip


def tripod_checklist(source: DocumentSource) -> Document:
    """The checklist with what the run can answer.

    Parameters
    ----------
    source
        From :func:`read_document_source`.
    """
    return Document(
        stem="tripod_ai",
        kind="TRIPOD+AI checklist",
        title=f"TRIPOD+AI checklist of {source.name}",
        lead="All 27 items with their letters, numbered as published, in our words. Read the published text beside "
        "it. An item counts as reported only once the manuscript says it.",
        banners=tuple(banners(source.evaluation, source.facts)),
        sections=fill(ITEMS, source),
        citations=(CITATION,),
        created=now(),
    )
