"""CSV that no spreadsheet evaluates, and FHIR that its own models accept."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sr.codedict import codes as dicom_codes

from myosono.anatomy import MUSCLES
from myosono.clinic.reports import codes
from myosono.clinic.reports.csv import _cell, to_csv
from myosono.clinic.reports.fhir import to_fhir
from myosono.clinic.reports.html import render_report
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_site_with_numbers_that_read_back(view: StudyView) -> None:
    rows = rows_of(to_csv([view]))
    assert len(rows) == 14
    deltoid = next(row for row in rows if row["site"] == "RD")
    assert float(deltoid["echo_intensity"]) == 86.9
    assert float(deltoid["z_score"]) == 3.24
    assert float(deltoid["p_IBM"]) == 0.55
    assert float(deltoid["site_p_IBM"]) == 0.62
    missing = next(row for row in rows if row["site"] == "LD")
    assert (missing["images"], missing["echo_intensity"], missing["site_p_IBM"]) == ("0", "", "")


def test_a_lower_bound_of_a_thickness_is_told_as_one(view: StudyView) -> None:
    sites = [replace(site, muscle_thickness_at_least=site.code == "RD") for site in view.sites]
    told = replace(view, sites=tuple(sites))
    found = {row["site"]: row["muscle_thickness_at_least"] for row in rows_of(to_csv([told]))}
    assert (found["RD"], found["RB"], found["LD"]) == ("true", "false", "")  # nothing was measured at LD
    entries = [one["resource"] for one in to_fhir(told)["entry"]]
    parts = [part for one in entries for part in one.get("component", ()) if "Muscle thickness" in str(part["code"])]
    assert [part["valueQuantity"].get("comparator") for part in parts].count(">=") == 1
    assert "≥\N{NO-BREAK SPACE}14.2" in render_report(told, "en", {}, made=datetime(2026, 3, 4, tzinfo=UTC))


def test_grades_that_differ_are_told_with_their_givers(view: StudyView) -> None:
    differ = (("Dr. A", 4), ("Dr. B", 1))
    sites = [replace(site, heckmatt_grades=differ) if site.code == "RD" else site for site in view.sites]
    told = replace(view, sites=tuple(sites))
    deltoid = next(row for row in rows_of(to_csv([told])) if row["site"] == "RD")
    assert (deltoid["heckmatt"], deltoid["heckmatt_by"]) == ("", "Dr. A: 4; Dr. B: 1")
    entries = [one["resource"] for one in to_fhir(told)["entry"]]
    parts = [part for one in entries for part in one.get("component", ()) if "given by Dr." in str(part["code"])]
    assert [part["valueInteger"] for part in parts] == [4, 1]
    assert "given by Dr. B" in str(parts[1])


def test_studies_of_different_models_share_a_table(view: StudyView) -> None:
    other = replace(view, id=8, classes=("unaffected", "affected"), probabilities={"unaffected": 0.3, "affected": 0.7},
                    sites=tuple(replace(site, probabilities=None) for site in view.sites))  # fmt: skip
    rows = rows_of(to_csv([view, other]))
    assert len(rows) == 28
    assert (rows[0]["p_affected"], rows[-1]["p_affected"], rows[-1]["p_IBM"]) == ("", "0.7", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n@", '"='])
def test_a_formula_in_a_name_stays_text(view: StudyView, start: str) -> None:
    name = f'{start}HYPERLINK("http://example.com","x")'
    rows = rows_of(to_csv([replace(view, patient_name=name, classes=(*view.classes, "=1+1"))]))
    assert rows[0]["patient_name"] == "'" + name
    assert all(not key.startswith(("=", "+", "-", "@")) for key in rows[0])


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_no_text_cell_starts_like_a_formula(text: str) -> None:
    assert not _cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert _cell(text).removeprefix("'") == text.removeprefix("'")


def test_negative_numbers_stay_numbers() -> None:
    assert _cell(-1.5) == "-1.5"


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in bundle["entry"]]
    return [resource for resource in found if resource["resourceType"] == kind]


def component(observation: dict[str, Any], text: str) -> dict[str, Any]:
    return next(one for one in observation["component"] if one["code"]["text"] == text)


def test_status_follows_the_signature(view: StudyView, opinion: Any) -> None:
    second = opinion(id=2, amends_id=1, amend_reason="biopsy came in")
    for opinions, status in (((), "preliminary"), ((opinion(),), "final"), ((opinion(), second), "amended")):
        bundle = to_fhir(replace(view, opinions=opinions))
        (report,) = resources(bundle, "DiagnosticReport")
        assert report["status"] == status
        assert {one["status"] for one in resources(bundle, "Observation")} == {status}
        assert "simulation-trained" in report["conclusion"]


def test_a_signature_does_not_speak_for_what_came_after_it(view: StudyView, opinion: Any) -> None:
    bundle = to_fhir(replace(view, answer="PM", opinions=(opinion(),)))
    (report,) = resources(bundle, "DiagnosticReport")
    assert report["status"] == "final"
    assert "has changed since the signature, from IBM or PM" in report["conclusion"]
    assert {one["status"] for one in resources(bundle, "Observation")} == {"preliminary"}


def test_readings_of_two_physicians_both_leave_the_clinic(view: StudyView, opinion: Any) -> None:
    second = opinion(id=2, user="ben", full_name="Dr Ben", diagnosis="Normal", notes="normal for age")
    both = replace(view, opinions=(opinion(), second))
    bundle = to_fhir(both)
    (report,) = resources(bundle, "DiagnosticReport")
    assert {one["identifier"][0]["value"] for one in resources(bundle, "Practitioner")} == {"lee", "ben"}
    assert len(report["resultsInterpreter"]) == 2
    assert "The physicians who signed disagree." in report["conclusion"]
    assert "Physician (Dr Ming Lee (lee)): inclusion body myositis (IBM)." in report["conclusion"]
    assert "Finger flexors bright" in report["conclusion"]
    assert "conclusionCode" not in report
    agreeing = replace(both, opinions=(opinion(), replace(second, diagnosis="IBM")))
    (report,) = resources(to_fhir(agreeing), "DiagnosticReport")
    assert len(report["conclusionCode"]) == 1
    row = next(csv.DictReader(io.StringIO(to_csv([both]))))
    assert (row["physician"], row["physician_diagnosis"]) == ("lee; ben", "IBM; Normal")
    assert row["changed_since_signature"] == ""


def test_only_a_physicians_word_is_a_coded_conclusion(view: StudyView, opinion: Any) -> None:
    (report,) = resources(to_fhir(view), "DiagnosticReport")
    assert "conclusionCode" not in report
    assert "Not signed by a physician" in report["conclusion"]
    (report,) = resources(to_fhir(replace(view, opinions=(opinion(),))), "DiagnosticReport")
    assert report["conclusionCode"][0]["coding"][0]["code"] == "72315009"


def test_probabilities_and_measures_read_back(view: StudyView) -> None:
    patient, *sites = resources(to_fhir(view), "Observation")
    assert patient["valueCodeableConcept"] == {"text": "Inclusion body myositis (IBM) or polymyositis (PM)"}
    assert component(patient, "Probability of polymyositis (PM)")["valueQuantity"]["value"] == 0.40
    deltoid = next(one for one in sites if one["bodySite"]["text"] == "right deltoid")
    assert deltoid["bodySite"]["coding"][0] == {
        "system": "urn:iso:std:iso:11073:10101", "code": str(7 * 65536 + 606), "display": "Musculus deltoideus, right",
    }  # fmt: skip
    assert component(deltoid, "Mean echo intensity")["valueQuantity"]["value"] == 86.9
    assert component(deltoid, "z-score of the echo intensity")["valueQuantity"]["value"] == 3.24
    assert len(sites) == 11


def test_an_abstention_is_an_absent_value(view: StudyView) -> None:
    patient, *_ = resources(to_fhir(replace(view, prediction_set=(), reasons=("unlike",))), "Observation")
    assert "valueCodeableConcept" not in patient
    assert "abstains" in patient["dataAbsentReason"]["text"]


def test_an_empty_set_excludes_nothing(nothing_fits: StudyView) -> None:
    patient, *_ = resources(to_fhir(nothing_fits), "Observation")
    assert patient["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert len(patient["component"]) == 4
    assert not any("interpretation" in one for one in patient["component"])


def test_a_refusal_of_all_images_is_a_result_and_says_why(all_refused: StudyView) -> None:
    bundle = to_fhir(all_refused)
    patient, *sites = resources(bundle, "Observation")
    assert patient["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert "component" not in patient
    assert patient["note"][0]["text"] == "not muscle ultrasound: none of the images is"
    (report,) = resources(bundle, "DiagnosticReport")
    assert "Model: No diagnosis: the model abstains." in report["conclusion"]
    assert "(not muscle ultrasound: none of the images is)" in report["conclusion"]
    graded = {"right flexor digitorum profundus", "left flexor digitorum profundus"}
    absent = {one["dataAbsentReason"]["coding"][0]["code"] for one in sites if one["bodySite"]["text"] not in graded}
    assert absent == {"unknown"}
    row = next(csv.DictReader(io.StringIO(to_csv([all_refused]))))
    assert (row["answer"], row["abstained"]) == ("abstains", "true")


def test_a_site_without_a_readable_image_is_an_error(all_refused: StudyView) -> None:
    broken = tuple(replace(one, status="failed", frames=()) for one in all_refused.images)
    _, *sites = resources(to_fhir(replace(all_refused, images=broken)), "Observation")
    assert {one["dataAbsentReason"]["coding"][0]["code"] for one in sites if "component" not in one} == {"error"}


def test_every_reference_is_in_the_bundle(view: StudyView, opinion: Any) -> None:
    bundle = to_fhir(replace(view, opinions=(opinion(),)), pdf=b"%PDF-1.7")
    known = {entry["fullUrl"] for entry in bundle["entry"]}
    assert len(known) == len(bundle["entry"])

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["reference"]] if "reference" in value else []
            return own + [one for part in value.values() for one in references(part)]
        return [one for part in value for one in references(part)] if isinstance(value, list) else []

    assert references(bundle)
    assert set(references(bundle)) <= known
    assert to_fhir(replace(view, opinions=(opinion(),)), pdf=b"%PDF-1.7") == bundle


def test_an_uploaded_study_without_result_or_header(view: StudyView) -> None:
    images = tuple(
        replace(one, series_uid=None, sop_instance_uid=None, frames=(), status="pending") for one in view.images
    )
    bare = replace(
        view, images=images, sites=(), probabilities=None, prediction_set=(), model={}, banners=(), patient_name="",
        patient_id="", patient_sex="", patient_birth_date=None, study_date=None, accession="", description="",
        status="receiving", source="demo",
    )  # fmt: skip
    bundle = to_fhir(bare)
    assert resources(bundle, "Observation") == []
    assert bundle["meta"]["tag"][0]["code"] == "HTEST"
    (study,) = resources(bundle, "ImagingStudy")
    assert study["numberOfInstances"] == 0


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("^^^^", None),
        ("^ ^", None),
        ("", None),
        ("=王^小东", [{"text": "王 小东"}]),
        ("^Jane", [{"text": "Jane", "given": ["Jane"]}]),
    ],
)
def test_a_name_of_separators_alone_is_none(view: StudyView, name: str, stated: list[dict[str, Any]] | None) -> None:
    """FHIR has no empty objects (R4, ele-1)."""
    (patient,) = resources(to_fhir(replace(view, patient_name=name)), "Patient")
    assert patient.get("name") == stated


def test_what_fhir_forbids_does_not_leave(view: StudyView) -> None:
    with pytest.raises(ClinicError, match="cannot be stated in FHIR"):
        to_fhir(replace(view, images=tuple(replace(one, series_uid="not a uid\n") for one in view.images)))


def test_muscle_and_side_codes_are_those_of_the_standard() -> None:
    known = {value: entry for entry in vars_of("MDC") for value in [entry.value]}
    for muscle in MUSCLES:
        for side in (None, "L", "R"):
            code = codes.muscle_code(muscle, side)
            assert code is not None
            assert known[code.term].meaning == code.meaning
    assert dicom_codes.SCT.Left.value == codes.SIDES["L"].value
    assert dicom_codes.SCT.Right.value == codes.SIDES["R"].value
    for ours, theirs in (
        (codes.PROBABILITY, dicom_codes.DCM.Probability),
        (codes.Z_SCORE, dicom_codes.DCM.ZScore),
        (codes.ECHOGENICITY, dicom_codes.DCM.Echogenicity),
        (codes.THICKNESS, dicom_codes.LN.Thickness),
    ):
        assert (ours.value, ours.display) == (theirs.value, theirs.meaning)


def vars_of(scheme: str) -> list[Any]:
    collection = getattr(dicom_codes, scheme)
    return [getattr(collection, name) for name in collection.dir("Musculus")]
