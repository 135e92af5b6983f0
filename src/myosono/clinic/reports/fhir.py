"""A study as FHIR: a Bundle with the DiagnosticReport and all that it refers to.

Each resource is checked with the models of ``fhir.resources.R4B``, which are those of FHIR R4B (4.3.0); the package has
none of R4 (4.0.1). R4B changed subscriptions, evidence and the definitions of medicines, none of the resources used
here, so that they are R4 too.
Ids are derived from the study's UID: the same study gives the same ids, so that a second export updates the first.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from myosono.clinic.reports import codes
from myosono.clinic.reports.content import (
    answer_text,
    diagnosis_name,
    has_result,
    readable_name,
    report_status,
    signer,
)
from myosono.clinic.reports.fhir_observations import patient_observation, site_observation
from myosono.clinic.reports.fhir_parts import concept, reference, storable, text_concept, url_of
from myosono.clinic.reports.language import translator
from myosono.clinic.studies.signature import changes_since
from myosono.clinic.studies.view import OpinionView, StudyView
from myosono.errors import ClinicError
from myosono.extras import require

_NAMESPACE = UUID("5b6f0c52-6a0b-4d53-9a39-2d0c3f6e5a11")
_CHECKED = {
    "Bundle": "bundle",
    "DiagnosticReport": "diagnosticreport",
    "Observation": "observation",
    "Patient": "patient",
    "ImagingStudy": "imagingstudy",
    "Device": "device",
    "Practitioner": "practitioner",
}
_GENDERS = {"F": "female", "M": "male", "O": "other"}
_TEST_DATA = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}


def to_fhir(view: StudyView, *, pdf: bytes | None = None) -> dict[str, Any]:
    """The study as a Bundle of type ``collection``.

    Parameters
    ----------
    view
        The study.
    pdf
        The same report as PDF, to be carried along.

    Returns
    -------
    dict
        Plain JSON values: DiagnosticReport (``preliminary`` until a physician signs, then ``final``, or ``amended``),
        Observations of patient and sites, Patient, ImagingStudy, Device (the model), Practitioner (who signed).

    Raises
    ------
    ClinicError
        If the result breaks a rule of FHIR; nothing that is wrong leaves the clinic.
    MissingExtraError
        If ``fhir.resources`` is not installed.
    """
    ids = _Ids(view.study_uid)
    sites = [site for site in view.sites if site.images or site.heckmatt_grades]
    observations = [patient_observation(view, ids.of)] if has_result(view) else []
    observations += [site_observation(view, site, ids.of) for site in sites]
    resources = [
        _report(view, ids, [one["id"] for one in observations], pdf),
        _patient(view, ids),
        _imaging_study(view, ids),
        *([_device(view, ids)] if view.model else []),
        *(_practitioner(one, ids) for one in _by_user(view)),
        *observations,
    ]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "id": ids.of("bundle"),
        "type": "collection",
        "timestamp": instant(view.updated),
        "entry": [{"fullUrl": url_of(one["id"]), "resource": storable(one)} for one in resources],
    }
    if view.source == "demo":
        bundle["meta"] = {"tag": [_TEST_DATA]}
    _check(bundle)
    return bundle


class _Ids:
    """Ids that follow from the study's UID and a name."""

    def __init__(self, study_uid: str) -> None:
        self._space = uuid5(_NAMESPACE, study_uid)

    def of(self, name: str) -> str:
        return str(uuid5(self._space, name.encode("utf-8", "replace").decode()))


def instant(value: datetime) -> str:
    """FHIR's ``instant``: to the second, with its zone."""
    return value.astimezone(UTC).isoformat(timespec="seconds")


def _report(view: StudyView, ids: _Ids, results: list[str], pdf: bytes | None) -> dict[str, Any]:
    signed, t = view.signed, translator("en")
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": ids.of("report"),
        "status": report_status(view),
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RUS",
                         "display": "Radiology Ultrasound"}]}
        ],
        "code": concept(codes.IMAGING_REPORT, "Muscle ultrasound for inflammatory myopathy"),
        "subject": reference(ids.of("patient")),
        "issued": instant(signed.signed_at if signed and signed.signed_at else view.updated),
        "result": [reference(one) for one in results],
        "imagingStudy": [reference(ids.of("study"))],
        "conclusion": _conclusion(view),
    }  # fmt: skip
    if view.study_date:
        report["effectiveDateTime"] = view.study_date.isoformat()
    if signed:
        report["resultsInterpreter"] = [reference(ids.of(f"practitioner {one.user}")) for one in _by_user(view)]
    if signed and signed.diagnosis and not view.differing:
        # Only a physician's word is a diagnosis; of two who disagree two codes would claim both.
        code = codes.DIAGNOSES.get(signed.diagnosis)
        named = concept(code) if code else text_concept(diagnosis_name(signed.diagnosis, t))
        report["conclusionCode"] = [named]
    if pdf is not None:
        data = base64.b64encode(pdf).decode("ascii")
        report["presentedForm"] = [{"contentType": "application/pdf", "data": data, "title": "Report"}]
    return {key: value for key, value in report.items() if value not in ([], "")}


def _conclusion(view: StudyView) -> str:
    """The physician's words first; the model's answer, its doubts and its warnings always with them."""
    t, said = translator("en"), []
    if view.differing:
        said.append("The physicians who signed disagree.")
    for one in reversed(view.held):
        diagnosis = diagnosis_name(one.diagnosis, t) if one.diagnosis else "no diagnosis stated"
        said.append(f"Physician ({signer(one)}): {diagnosis}." if len(view.held) > 1 else f"Physician: {diagnosis}.")
        said += [one.notes] if one.notes else []
        said += [f"Amended because: {one.amend_reason}"] if one.amend_reason else []
        said += [f"({change})" for change in changes_since(one, view)]
    if not view.held:
        said.append("Not signed by a physician.")
    said.append(f"Model: {answer_text(view, t)}.")
    said += [f"({reason})" for reason in view.reasons]
    said += [f"Warning: {banner}." for banner in view.banners]
    return "\n".join(said)


def _by_user(view: StudyView) -> list[OpinionView]:
    """One reading of each physician whose word holds."""
    return list({one.user: one for one in view.held}.values())


def _patient(view: StudyView, ids: _Ids) -> dict[str, Any]:
    patient: dict[str, Any] = {"resourceType": "Patient", "id": ids.of("patient")}
    if view.patient_id:
        patient["identifier"] = [{"value": view.patient_id}]
    family, _, given = view.patient_name.partition("=")[0].partition("^")
    name = {
        "text": readable_name(view.patient_name),
        "family": family.strip(),
        "given": [part for part in given.split("^")[:2] if part.strip()],
    }
    if stated := {key: value for key, value in name.items() if value}:  # "^^^^" states nothing
        patient["name"] = [stated]
    if view.patient_sex in _GENDERS:
        patient["gender"] = _GENDERS[view.patient_sex]
    if view.patient_birth_date:
        patient["birthDate"] = view.patient_birth_date.isoformat()
    return patient


def _imaging_study(view: StudyView, ids: _Ids) -> dict[str, Any]:
    study: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "id": ids.of("study"),
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{view.study_uid}"}],
        "status": "available",
        "modality": [{"system": codes.DICOM, "code": codes.ULTRASOUND.value, "display": codes.ULTRASOUND.display}],
        "subject": reference(ids.of("patient")),
    }
    if view.accession:
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
        study["identifier"].append({"type": kind, "value": view.accession})
    if view.study_date:
        study["started"] = view.study_date.isoformat()
    if view.description:
        study["description"] = view.description
    series: dict[str, list[dict[str, Any]]] = {}
    for image in view.images:
        if image.series_uid and image.sop_instance_uid and image.sop_class_uid:
            sop = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{image.sop_class_uid}"}
            series.setdefault(image.series_uid, []).append({"uid": image.sop_instance_uid, "sopClass": sop})
    if series:
        study["series"] = [
            {"uid": uid, "modality": study["modality"][0], "numberOfInstances": len(instances), "instance": instances}
            for uid, instances in series.items()
        ]
        study["numberOfSeries"] = len(series)
    study["numberOfInstances"] = sum(map(len, series.values()))
    return study


def _device(view: StudyView, ids: _Ids) -> dict[str, Any]:
    model = view.model
    notes = [f"Trained on: {model.get('trained_on', '')}", *(f"Warning: {text}" for text in view.banners)]
    device: dict[str, Any] = {
        "resourceType": "Device",
        "id": ids.of("model"),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"ni:///sha-256;{_base64url(str(model['sha256']))}"}],
        "deviceName": [{"name": str(model["name"]), "type": "model-name"}],
        "type": text_concept("Neural network that classifies muscle ultrasound"),
        "note": [{"text": note} for note in notes],
    }
    if model.get("version"):
        device["version"] = [{"value": str(model["version"])}]
    return device


def _base64url(digest: str) -> str:
    """A hash as RFC 6920 writes it."""
    return base64.urlsafe_b64encode(bytes.fromhex(digest)).decode("ascii").rstrip("=")


def _practitioner(signed: OpinionView, ids: _Ids) -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "id": ids.of(f"practitioner {signed.user}"),
        "identifier": [{"value": signed.user}],
        "name": [{"text": signed.full_name or signed.user}],
    }


def _check(bundle: dict[str, Any]) -> None:
    """Every resource against its own model: the Bundle's would take any."""
    for resource in [bundle, *(entry["resource"] for entry in bundle["entry"])]:
        kind = resource["resourceType"]
        module = require(f"fhir.resources.R4B.{_CHECKED[kind]}", extra="clinic", purpose="A FHIR report")
        try:
            getattr(module, kind).model_validate(resource)
        except ValueError as error:
            raise ClinicError(f"the study cannot be stated in FHIR: {kind}: {error}") from error
