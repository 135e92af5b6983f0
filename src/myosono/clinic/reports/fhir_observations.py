"""What was found, as FHIR Observations: the model's result of the patient, and one for each site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from myosono.clinic.reports import codes
from myosono.clinic.reports.content import (
    answer_text,
    answers,
    diagnosis_name,
    is_possible,
    report_status,
    site_name,
)
from myosono.clinic.reports.fhir_parts import coding, concept, quantity, reference, text_concept
from myosono.clinic.reports.language import translator
from myosono.clinic.studies.signature import covers
from myosono.clinic.studies.view import SiteView, StudyView

_ENGLISH = translator("en")
_IMAGING = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}
_Ids = Callable[[str], str]


def patient_observation(view: StudyView, identity: _Ids) -> dict[str, Any]:
    """The model's result of the patient: the answer in words, a component for each class, doubts as notes."""
    observation = _observation(view, identity, "patient result", "Result of the model for the patient")
    if answers(view):
        possible = [codes.DIAGNOSES[name] for name in view.prediction_set if name in codes.DIAGNOSES]
        # One diagnosis may carry its code; "IBM or PM" has none, and either code alone would claim too much.
        single = len(view.prediction_set) == 1 and possible
        text = answer_text(view, _ENGLISH)
        observation["valueCodeableConcept"] = concept(possible[0], text) if single else text_concept(text)
    else:
        observation["dataAbsentReason"] = _absent("unknown", answer_text(view, _ENGLISH))
    components = [
        _probability(name, value) | _interpretation(is_possible(view, name))
        for name, value in (view.probabilities or {}).items()
    ]
    if components:
        observation["component"] = components
    notes = [*view.reasons, *(f"Warning: {banner}" for banner in view.banners)]
    if notes:
        observation["note"] = [{"text": note} for note in notes]
    return observation


def site_observation(view: StudyView, site: SiteView, identity: _Ids) -> dict[str, Any]:
    """Measures, probabilities and the physician's Heckmatt grade of one site."""
    name = site_name(site, _ENGLISH)
    observation = _observation(view, identity, f"site {site.code}", f"Muscle ultrasound, {name}")
    observation["bodySite"] = _body_site(site, name)
    components = [_probability(key, value) for key, value in (site.probabilities or {}).items()]
    if site.echo_intensity is not None:
        grey = quantity(site.echo_intensity, "grey level, 0 to 255", "1")
        components.append({"code": concept(codes.ECHOGENICITY, "Mean echo intensity"), "valueQuantity": grey})
    components += _z_score(site)
    for value, text, at_least in (
        (site.muscle_thickness_mm, "Muscle thickness", site.muscle_thickness_at_least),
        (site.subcutaneous_thickness_mm, "Subcutaneous thickness", False),
    ):
        if value is not None:
            bound = {"comparator": ">="} if at_least else {}
            measure = quantity(value, "mm", "mm") | bound
            components.append({"code": concept(codes.THICKNESS, text), "valueQuantity": measure})
    agreed = ("the physician", site.heckmatt)
    for name, grade in [agreed] if site.heckmatt is not None else site.heckmatt_grades:
        components.append({"code": text_concept(f"Heckmatt grade, 1 to 4 (given by {name})"), "valueInteger": grade})
    if components:
        observation["component"] = components
    else:
        observation["dataAbsentReason"] = _no_site_result(view, site)
    return observation


def _observation(view: StudyView, identity: _Ids, name: str, title: str) -> dict[str, Any]:
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "id": identity(name),
        "status": _status(view),
        "category": [{"coding": [_IMAGING]}],
        "code": text_concept(title),
        "subject": reference(identity("patient")),
        "derivedFrom": [reference(identity("study"))],
    }
    if view.study_date:
        observation["effectiveDateTime"] = view.study_date.isoformat()
    if view.model:
        observation["device"] = reference(identity("model"))
    return observation


def _status(view: StudyView) -> str:
    """Of the model's results: a signature speaks for what its physician saw, not for what came after it."""
    return report_status(view) if any(covers(one, view) for one in view.held) else "preliminary"


def _probability(name: str, value: float) -> dict[str, Any]:
    code = concept(codes.PROBABILITY, f"Probability of {diagnosis_name(name, _ENGLISH)}")
    return {"code": code, "valueQuantity": quantity(value, "1", "1")}


def _interpretation(possible: bool | None) -> dict[str, Any]:
    if possible is None:
        return {}
    return {"interpretation": [text_concept("cannot be excluded" if possible else "excluded by the prediction set")]}


def _z_score(site: SiteView) -> list[dict[str, Any]]:
    z = site.z_score or {}
    code = concept(codes.Z_SCORE, "z-score of the echo intensity")
    if z.get("z") is not None:
        warnings = [text_concept(str(text)) for text in z.get("warnings", ())]
        found: dict[str, Any] = {"code": code, "valueQuantity": quantity(float(z["z"]), "standard deviations", "1")}
        return [found | ({"interpretation": warnings} if warnings else {})]
    return [{"code": code, "dataAbsentReason": _absent("unknown", str(z["reason"]))}] if z.get("reason") else []


def _body_site(site: SiteView, name: str) -> dict[str, Any]:
    muscle = codes.muscle_code(site.muscle, site.side)
    if muscle is None:
        return text_concept(name)
    return {"coding": [coding(codes.Code(codes.MDC, str(muscle.number), muscle.meaning))], "text": name}


def _no_site_result(view: StudyView, site: SiteView) -> dict[str, Any]:
    """Why a site that was recorded has no value: ``not-performed`` would deny the examination."""
    states = {image.status for image in view.images if image.id in site.images}
    if states == {"failed"}:
        return _absent("error", "no image of the site could be read")
    return _absent("unknown", "no image of the site was classified")


def _absent(reason: str, text: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    return {"coding": [{"system": system, "code": reason}], "text": text}
