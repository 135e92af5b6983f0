"""CLAIM 2024: the 44 items of the checklist for artificial intelligence in medical imaging.

Numbers and order as published; the wording is ours, so that the published text is read where it was published.
Source: Tejani et al. 2024, Radiol Artif Intell 6(4):e240300, doi:10.1148/ryai.240300.
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
    "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 "
    "update. Radiol Artif Intell 2024;6(4):e240300. doi:10.1148/ryai.240300"
)

_DESIGN, _DATA, _REFERENCE = "Methods: study design", "Methods: data", "Methods: reference standard"
_PARTITIONS, _TESTING, _MODEL = "Methods: data partitions", "Methods: testing data", "Methods: model"
_TRAINING, _EVALUATION = "Methods: training", "Methods: evaluation"
_RESULTS, _PERFORMANCE, _OTHER = "Results: data", "Results: model performance", "Other information"

ITEMS = (
    Item("Title and abstract", "Title names an AI study and its kind", open="The title is yours.", number="1"),
    Item(
        "Title and abstract", "Abstract with design, methods, results, conclusions", (result.summary,),
        open="The abstract is yours; this is the result to quote.", number="2",
    ),
    Item(
        "Introduction", "Background, intended use and role of the AI", open="State the clinical question.", number="3"
    ),
    Item("Introduction", "Aims, objectives and hypotheses", open="State them as fixed before the run.", number="4"),
    Item(_DESIGN, "Prospective or retrospective", open="Say which.", number="5", people=True),
    Item(_DESIGN, "Goal of the study", (result.internal,), open="Say what the study was to show.", number="6"),
    Item(_DATA, "Sources of the data", (data.cohort,), open="Name the sites and the dates.", number="7"),
    Item(
        _DATA, "Who was included and excluded", open="State the criteria and where they were applied.", number="8",
        people=True,
    ),
    Item(_DATA, "Preprocessing", (model.preprocessing, model.augmentation), number="9"),
    Item(_DATA, "Selection of subsets of the data", (data.selection,), number="10"),
    Item(
        _DATA, "De-identification", open="Say how identities were removed and who checked it.", number="11", people=True
    ),
    Item(
        _DATA, "Missing data", (data.missing,), open="Say which patients or examinations were never imaged.",
        number="12",
    ),
    Item(
        _DATA, "Acquisition of the images", (data.inputs,),
        open="Describe transducer, presets, positioning and who scanned.", number="13",
    ),
    Item(
        _REFERENCE, "How the reference standard was obtained", (data.reference,),
        open="Say by which criteria the diagnosis was made.", number="14", people=True,
    ),
    Item(_REFERENCE, "Why this reference standard", open="Give the reason.", number="15", people=True),
    Item(_REFERENCE, "Who annotated, and their training", open="Name the annotators' expertise.", number="16",
         people=True),
    Item(_REFERENCE, "Annotation of the test set", open="Say whether it differs.", number="17", people=True),
    Item(_REFERENCE, "Agreement within and between annotators", open="Give the measures.", number="18", people=True),
    Item(_PARTITIONS, "How data were assigned to partitions", (data.partitioning,), number="19"),
    Item(_PARTITIONS, "Level at which partitions are disjoint", (data.disjoint,), number="20"),
    Item(
        _TESTING, "Intended sample size", (data.sample,), open="Say how the size was determined.", number="21",
    ),
    Item(_MODEL, "The model in detail", (model.architecture, model.output), number="22"),
    Item(_MODEL, "Software", (model.software,), number="23"),
    Item(_MODEL, "Initialisation of the parameters", (model.initialisation,), number="24"),
    Item(_TRAINING, "Training in detail", (model.training, model.augmentation, model.imbalance), number="25"),
    Item(
        _TRAINING, "How the final model was chosen", (model.model_selection,),
        open="Say how the recipe itself was chosen, and whether on these folds.", number="26",
    ),
    Item(_TRAINING, "Ensembling", (model.ensembling,), number="27"),
    Item(_EVALUATION, "Metrics", (result.metrics,), number="28"),
    Item(_EVALUATION, "Statistical measures and uncertainty", (result.uncertainty,), number="29"),
    Item(
        _EVALUATION, "Robustness and sensitivity", (model.parity,),
        open="A run measures none; add myosono stress or your own analysis.", number="30",
    ),
    Item(
        _EVALUATION, "Explainability", (model.explanation,),
        open="Say what explanations were given, and how they were checked.", number="31",
    ),
    Item(_EVALUATION, "Evaluation on internal data", (result.internal,), number="32"),
    Item(_EVALUATION, "Testing on external data", open="Add it, or say that there was none.", number="33"),
    Item(_EVALUATION, "Registration of a clinical trial", open="Give the number, or say none.", number="34",
         people=True),
    Item(
        _RESULTS, "Numbers included and excluded, with a flow", (data.selection, data.partitioning),
        open="Add those excluded before the cohort was made.", number="35",
    ),
    Item(
        _RESULTS, "Characteristics of the cases in each partition", (data.sample, data.characteristics),
        open="Add what the cohort does not hold.", number="36", people=True,
    ),
    Item(
        _PERFORMANCE, "Performance with uncertainty", (result.performance, result.calibration), number="37",
    ),
    Item(
        _PERFORMANCE, "Diagnostic performance and its precision", (result.by_class, result.prediction_sets),
        number="38",
    ),
    Item(
        _PERFORMANCE, "Failures", (result.failures,), open="Say what the wrongly decided patients have in common.",
        number="39",
    ),
    Item("Discussion", "Limitations", (result.limitations,), open="Add yours.", number="40"),
    Item("Discussion", "Implications for practice", open="State the intended role.", number="41"),
    Item(_OTHER, "Protocol or further technical detail", (model.access,), open="Cite the protocol.", number="42"),
    Item(
        _OTHER, "Availability of software, model and data", (model.access, data.cohort),
        open="Say where the trained model and the data can be had.", number="43",
    ),
    Item(_OTHER, "Funding and the role of funders", open="Name them, or say none.", number="44"),
)  # fmt: skip


def claim_checklist(source: DocumentSource) -> Document:
    """The checklist with what the run can answer.

    Parameters
    ----------
    source
        From :func:`read_document_source`.
    """
    return Document(
        stem="claim_2024",
        kind="CLAIM 2024 checklist",
        title=f"CLAIM 2024 checklist of {source.name}",
        lead="All 44 items, numbered as published, in our words. Read the published text beside it. An item counts as "
        "reported only once the manuscript says it.",
        banners=tuple(banners(source.evaluation, source.facts)),
        sections=fill(ITEMS, source),
        citations=(CITATION,),
        created=now(),
    )
