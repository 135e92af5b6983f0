"""Measurement groups (TID 1501) of the Structured Report: of the patient, a site, a frame, a physician's reading.

A probability is a NUM item with the concept Probability (122157, DCM), modified by Finding (121071, DCM) = the class,
as TID 300 allows; its exact value stands in Floating Point Value beside the decimal string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from highdicom import sr
from highdicom.sr import RelationshipTypeValues as Relationship
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from myosono.clinic.dicom.codes import (
    AGREEMENT,
    CLASS_CODES,
    HECKMATT,
    INDETERMINATE,
    MUSCLE_CODES,
    PREDICTION_SET,
    SIDE_CODES,
    class_code,
    heckmatt_code,
)
from myosono.clinic.dicom.header import derived_uid, is_multi_frame
from myosono.clinic.studies.view import FrameView, ImageView, OpinionView, SiteView, StudyView

Group = sr.MeasurementsAndQualitativeEvaluations
_ONE = codes.UCUM.NoUnits
_MM = codes.UCUM.Millimeter


def patient_group(view: StudyView, algorithm: sr.AlgorithmIdentification) -> Group:
    """The patient-level result: answer or abstention, prediction set, pooled probabilities."""
    abstained = view.abstained or view.label is None
    answer = INDETERMINATE if abstained else class_code(str(view.label))
    evaluations = [sr.QualitativeEvaluation(codes.DCM.OverallAssessment, answer)]
    evaluations += [sr.QualitativeEvaluation(PREDICTION_SET, class_code(name)) for name in view.prediction_set]
    group = _group(
        view,
        "patient",
        algorithm=algorithm,
        measurements=probabilities(view.probabilities or {}),
        evaluations=evaluations,
    )
    missing = str(view.completeness["text"]) if view.completeness and view.completeness.get("text") else ""
    _say(group, [f"Answer: {view.answer}", *view.reasons, missing, *view.quantification_notes])
    return group


def site_group(view: StudyView, site: SiteView, algorithm: sr.AlgorithmIdentification) -> Group:
    """One muscle of one side: pooled probabilities, echo intensity with its z-score, thickness."""
    evaluations = (
        [] if site.label is None else [sr.QualitativeEvaluation(codes.DCM.OverallAssessment, class_code(site.label))]
    )
    measurements = probabilities(site.probabilities or {})
    if site.echo_intensity is not None:
        measurements.append(echo_intensity(site.echo_intensity, site.z_score))
    if site.muscle_thickness_mm is not None:
        measurements.append(sr.Measurement(codes.LN.Thickness, float(site.muscle_thickness_mm), _MM))
    if site.subcutaneous_thickness_mm is not None:
        measurements.append(_subcutaneous(site.subcutaneous_thickness_mm))
    group = _group(
        view,
        f"site {site.code}",
        algorithm=algorithm,
        sites=finding_sites(site.muscle, site.side),
        measurements=measurements,
        evaluations=evaluations,
    )
    if site.muscle_thickness_mm is not None and site.muscle_thickness_at_least:
        _say(group, ["The muscle is at least as thick as stated: its deep border is out of view"])
    if site.z_score is not None:
        _say(group, [*site.z_score.get("warnings", ()), str(site.z_score.get("reason") or "")])
    return group


def frame_group(
    view: StudyView, image: ImageView, frame: FrameView, source: Dataset, algorithm: sr.AlgorithmIdentification
) -> Group:
    """One frame, with the reference to it: answer or abstention, probabilities, measures."""
    abstained = frame.abstained or frame.label is None
    answer = INDETERMINATE if abstained else class_code(str(frame.label))
    many = is_multi_frame(source)
    reference = sr.SourceImageForMeasurementGroup(
        str(source.SOPClassUID), str(source.SOPInstanceUID), [frame.frame + 1] if many else None
    )
    group = _group(
        view,
        f"image {source.SOPInstanceUID}" + (f" frame {frame.frame + 1}" if many else ""),
        algorithm=algorithm,
        sites=finding_sites(image.muscle, image.side),
        measurements=[*probabilities(frame.probabilities), *_frame_measures(frame)],
        evaluations=[sr.QualitativeEvaluation(codes.DCM.OverallAssessment, answer)],
        images=[reference],
    )
    notes = (frame.quantities or {}).get("notes", ())
    _say(group, [*frame.reasons, *notes])
    return group


def physician_groups(view: StudyView) -> list[Group]:
    """Of each signed reading that holds one group for the diagnosis, one for each graded muscle; none if unsigned."""
    return [group for signed in view.held for group in _reading_groups(view, signed)]


def _reading_groups(view: StudyView, signed: OpinionView) -> list[Group]:
    evaluations = []
    if signed.agrees is not None:
        evaluations.append(sr.QualitativeEvaluation(AGREEMENT, codes.SCT.Yes if signed.agrees else codes.SCT.No))
    if signed.diagnosis in CLASS_CODES or signed.diagnosis in view.classes:
        evaluations.append(sr.QualitativeEvaluation(codes.DCM.OverallAssessment, class_code(signed.diagnosis)))
    group = _group(view, f"physician's reading {signed.id}", evaluations=evaluations, observer=signed)
    amended = [f"Amends reading {signed.amends_id}: {signed.amend_reason}"] if signed.amends_id is not None else []
    _say(group, [f"Diagnosis: {signed.diagnosis}" if signed.diagnosis else "", signed.notes, *amended])
    graded = {site.code: site for site in view.sites}
    return [group] + [
        _group(
            view,
            f"physician's reading {signed.id} {code}",
            sites=finding_sites(graded[code].muscle, graded[code].side) if code in graded else [],
            evaluations=[sr.QualitativeEvaluation(HECKMATT, heckmatt_code(grade))],
            observer=signed,
        )
        for code, grade in signed.heckmatt.items()
    ]


def probabilities(values: Mapping[str, float]) -> list[sr.Measurement]:
    """Probability of each class, without unit."""
    found = []
    for name, value in values.items():
        one = sr.Measurement(codes.DCM.Probability, float(value), _ONE)
        one[0].ContentSequence = sr.ContentSequence(
            [sr.CodeContentItem(codes.DCM.Finding, class_code(name), Relationship.HAS_CONCEPT_MOD)]
        )
        found.append(one)
    return found


def echo_intensity(mean: float, z_score: Mapping[str, object] | None = None) -> sr.Measurement:
    """Mean grey level of the muscle region, 0 to 255, with its z-score (TID 311) where there is one."""
    properties = None
    z = None if z_score is None else z_score.get("z")
    if z_score is not None and isinstance(z, int | float):
        value = sr.NumContentItem(codes.DCM.ZScoreOfMeasurement, float(z), _ONE, None, Relationship.HAS_PROPERTIES)
        described = f"{z_score.get('normals')} normals"
        properties = sr.MeasurementProperties(
            measurement_statistical_properties=sr.MeasurementStatisticalProperties([value], description=described)
        )
    return sr.Measurement(codes.DCM.Echogenicity, float(mean), _ONE, derivation=codes.SCT.Mean, properties=properties)


def finding_sites(muscle: str | None, side: str | None) -> list[sr.FindingSite]:
    """Muscle and laterality, empty where the muscle is unknown."""
    if muscle is None or muscle not in MUSCLE_CODES:
        return []
    return [sr.FindingSite(MUSCLE_CODES[muscle], SIDE_CODES.get(side or ""))]


def text(name: Code, value: str) -> sr.TextContentItem:
    """A text below a container."""
    return sr.TextContentItem(name, value, Relationship.CONTAINS)


def person_name(opinion: OpinionView) -> str:
    """A person name (PS3.5 6.2.1): all in the first component, since nobody has said which part is the family's."""
    plain = "".join(" " if sign in "^=\\" else sign for sign in opinion.full_name or opinion.user)
    return f"{plain.strip()[:62]}^"


def _group(
    view: StudyView,
    label: str,
    *,
    algorithm: sr.AlgorithmIdentification | None = None,
    sites: Sequence[sr.FindingSite] = (),
    measurements: Sequence[sr.Measurement] = (),
    evaluations: Sequence[sr.QualitativeEvaluation] = (),
    images: Sequence[sr.SourceImageForMeasurementGroup] = (),
    observer: OpinionView | None = None,
) -> Group:
    uid = derived_uid("tracking", view.study_uid, label)
    group = Group(
        tracking_identifier=sr.TrackingIdentifier(uid=uid, identifier=label),
        algorithm_id=algorithm,
        finding_sites=list(sites) or None,
        measurements=list(measurements) or None,
        qualitative_evaluations=list(evaluations) or None,
        source_images=list(images) or None,
    )
    if observer is not None:
        context = sr.ObserverContext(
            codes.DCM.Person, sr.PersonObserverIdentifyingAttributes(name=person_name(observer))
        )
        for number, item in enumerate(context):
            group[0].ContentSequence.insert(number, item)
    return group


def _say(group: Group, lines: Sequence[str]) -> None:
    group[0].ContentSequence.extend(text(codes.DCM.Comment, line) for line in lines if line)


def _frame_measures(frame: FrameView) -> list[sr.Measurement]:
    quantities = frame.quantities or {}
    found = []
    if quantities.get("echo_intensity"):
        found.append(echo_intensity(quantities["echo_intensity"]["mean"]))
    thickness = (quantities.get("muscle_thickness") or {}).get("mm")
    if thickness is not None:
        found.append(sr.Measurement(codes.LN.Thickness, float(thickness), _MM))
    below_skin = (quantities.get("subcutaneous_thickness") or {}).get("mm")
    if below_skin is not None:
        found.append(_subcutaneous(below_skin))
    return found


def _subcutaneous(millimetres: float) -> sr.Measurement:
    site = sr.FindingSite(codes.SCT.SubcutaneousTissue)
    return sr.Measurement(codes.LN.Thickness, float(millimetres), _MM, finding_sites=[site])
