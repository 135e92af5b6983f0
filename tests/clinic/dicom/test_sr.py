"""The Structured Report says what the view says, is read by others, and is valid."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from highdicom import sr
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from myosono.clinic.dicom.codes import class_code
from myosono.clinic.dicom.pdf import make_pdf
from myosono.clinic.dicom.sr import make_sr
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError


def written(dataset: Dataset) -> Dataset:
    """Through a file and back."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return dcmread(io.BytesIO(buffer.getvalue()))


def read_probabilities(group: Dataset) -> dict[str, float]:
    """What a stranger reads of a group: code of the class -> value."""
    found = {}
    for item in group.ContentSequence:
        if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == "122157":
            value = item.MeasuredValueSequence[0]
            assert abs(float(value.NumericValue) - value.FloatingPointValue) < 1e-9
            found[item.ContentSequence[0].ConceptCodeSequence[0].CodeValue] = value.FloatingPointValue
    return found


def groups(dataset: Dataset) -> dict[str, Dataset]:
    """Measurement groups by their tracking identifier."""
    measurements = next(
        item
        for item in dataset.ContentSequence
        if item.ValueType == "CONTAINER" and item.ConceptNameCodeSequence[0].CodeValue == "126010"
    )
    found = {}
    for group in measurements.ContentSequence:
        label = next(i.TextValue for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "112039")
        found[label] = group
    return found


def texts(dataset: Dataset) -> list[str]:
    return [item.TextValue for item in dataset.ContentSequence if item.ValueType == "TEXT"]


def test_probabilities_come_back_exactly(view: StudyView, sources: list[Dataset]) -> None:
    found = groups(written(make_sr(view, sources)))
    still, cine = sources
    expected = {
        "patient": view.probabilities,
        "site RD": view.sites[0].probabilities,
        "site LG": view.sites[1].probabilities,
        f"image {still.SOPInstanceUID}": view.images[0].frames[0].probabilities,
        f"image {cine.SOPInstanceUID} frame 4": view.images[1].frames[0].probabilities,
        f"image {cine.SOPInstanceUID} frame 18": view.images[1].frames[1].probabilities,
    }
    assert set(found) == set(expected)
    for label, values in expected.items():
        assert values is not None
        assert read_probabilities(found[label]) == {class_code(name).value: value for name, value in values.items()}


def test_highdicom_reads_it(view: StudyView, sources: list[Dataset]) -> None:
    report = sr.ComprehensiveSR.from_dataset(written(make_sr(view, sources))).content
    assert isinstance(report, sr.MeasurementReport)
    frames = [group for group in report.get_image_measurement_groups() if group.source_images]
    assert [image.referenced_frame_numbers for group in frames for image in group.source_images] == [None, [4], [18]]
    right_deltoid = frames[0]
    assert right_deltoid.finding_sites[0].value == codes.SCT.DeltoidMuscle
    assert right_deltoid.finding_sites[0].laterality == codes.SCT.Right
    (echo,) = right_deltoid.get_measurements(codes.DCM.Echogenicity)
    assert echo.value == 91.5
    assert echo.derivation == codes.SCT.Mean
    thickness = {one.finding_sites[0].value if one.finding_sites else None: one for one in
                 right_deltoid.get_measurements(codes.LN.Thickness)}  # fmt: skip
    assert {None if site is None else site.meaning: one.value for site, one in thickness.items()} == {
        None: 18.25,
        "Subcutaneous tissue": 4.5,
    }
    assert right_deltoid.get_qualitative_evaluations(codes.DCM.OverallAssessment)[0].value == class_code("IBM")
    assert frames[2].get_qualitative_evaluations(codes.DCM.OverallAssessment)[0].value == codes.SCT.Indeterminate


def test_z_score_algorithm_and_notes(view: StudyView, sources: list[Dataset]) -> None:
    dataset = written(make_sr(view, sources))
    site = groups(dataset)["site RD"]
    echo = next(i for i in site.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "110849")
    properties = {i.ConceptNameCodeSequence[0].CodeValue: i for i in echo.ContentSequence}
    assert properties["121416"].MeasuredValueSequence[0].FloatingPointValue == 2.125
    assert properties["121405"].TextValue == "33 normals"
    said = texts(site)
    assert {"stanet_s", "1.2.0", f"sha256={'ab' * 32}"} <= set(said)
    assert "no muscle ultrasound" in texts(groups(dataset)[f"image {sources[1].SOPInstanceUID} frame 18"])
    root = texts(dataset)
    assert "simulation-trained, not for clinical use" in root
    assert any("image-3" in line for line in root), "an image that is left out is named"


def test_unsigned_is_preliminary(view: StudyView, sources: list[Dataset]) -> None:
    dataset = make_sr(view, sources)
    assert (dataset.CompletionFlag, dataset.VerificationFlag, dataset.PreliminaryFlag) == (
        "COMPLETE",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    assert "VerifyingObserverSequence" not in dataset


def test_signed_is_verified_by_the_physician(signed_view: StudyView, sources: list[Dataset]) -> None:
    dataset = written(make_sr(signed_view, sources))
    assert (dataset.VerificationFlag, dataset.PreliminaryFlag) == ("VERIFIED", "FINAL")
    observer = dataset.VerifyingObserverSequence[0]
    assert observer.VerifyingObserverName.family_name == "李雷"
    assert observer.VerificationDateTime.startswith("2026030")
    found = groups(dataset)
    own = found["physician's reading 3"]
    said = {i.ConceptNameCodeSequence[0].CodeValue: i for i in own.ContentSequence}
    assert said["121008"].PersonName.family_name == "李雷"
    assert said["111413"].ConceptCodeSequence[0].CodeValue == class_code("PM").value
    assert said["AGREEMENT"].ConceptCodeSequence[0].CodeMeaning == "No"
    assert "谨慎 observed twice" in texts(own)
    grade = found["physician's reading 3 RD"]
    assert grade.ContentSequence[-1].ConceptCodeSequence[0].CodeValue == "HECKMATT-3"
    assert "111001" not in said, "the algorithm is not named as the author of the physician's reading"


def test_reading_again_after_the_signature_is_not_verified(signed_view: StudyView, sources: list[Dataset]) -> None:
    other = replace(signed_view, model={**signed_view.model, "sha256": "cd" * 32})
    dataset = make_sr(other, sources)
    assert (dataset.VerificationFlag, dataset.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert "physician's reading 3" in groups(dataset)


def test_both_physicians_verify_and_are_quoted(
    signed_view: StudyView, sources: list[Dataset], judged: Callable[[Dataset], str]
) -> None:
    second = replace(signed_view.opinions[0], id=4, user="han", full_name="韩梅", diagnosis="IBM", heckmatt={})
    dataset = make_sr(replace(signed_view, opinions=(*signed_view.opinions, second)), sources)
    names = [one.VerifyingObserverName.family_name for one in dataset.VerifyingObserverSequence]
    assert names == ["李雷", "韩梅"]
    assert {"physician's reading 3", "physician's reading 4"} <= set(groups(dataset))
    judged(dataset)


def test_late_images_are_under_no_signature(signed_view: StudyView, sources: list[Dataset]) -> None:
    signed_at = signed_view.opinions[0].signed_at
    assert signed_at is not None
    late = replace(signed_view.images[0], received=signed_at + timedelta(minutes=1))
    changed = replace(signed_view, images=(late, *signed_view.images[1:]))
    assert make_sr(changed, sources).VerificationFlag == "UNVERIFIED"
    pdf = b"%PDF-1.7 "
    assert make_pdf(changed, pdf, sources).VerificationFlag == "UNVERIFIED"
    assert make_pdf(signed_view, pdf, sources).VerificationFlag == "VERIFIED"


def test_unread_images_make_it_partial(view: StudyView, sources: list[Dataset]) -> None:
    waiting = replace(view.images[2], status="pending", error=None)
    dataset = make_sr(replace(view, images=(*view.images[:2], waiting)), sources)
    assert dataset.CompletionFlag == "PARTIAL"
    assert dataset.VerificationFlag == "UNVERIFIED"


def test_made_again_it_is_the_same_object(view: StudyView, sources: list[Dataset]) -> None:
    first, second = make_sr(view, sources), make_sr(view, list(reversed(sources)))
    assert first == second
    changed = make_sr(replace(view, answer="DM"), sources)
    assert changed.SOPInstanceUID != first.SOPInstanceUID
    assert changed.SeriesInstanceUID == first.SeriesInstanceUID


def test_abstained_patient(view: StudyView, sources: list[Dataset], judged: Callable[[Dataset], str]) -> None:
    refused = replace(
        view, abstained=True, label=None, answer="no answer", prediction_set=(), reasons=("too few muscles: 2",)
    )
    dataset = make_sr(refused, sources)
    patient = groups(dataset)["patient"]
    answer = next(i for i in patient.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "111413")
    assert answer.ConceptCodeSequence[0].CodeValue == codes.SCT.Indeterminate.value
    assert "too few muscles: 2" in texts(patient)
    judged(dataset)


def test_dciodvfy_finds_no_error(
    view: StudyView, signed_view: StudyView, sources: list[Dataset], judged: Callable[[Dataset], str]
) -> None:
    for one in (view, signed_view):
        assert "ComprehensiveSR" in judged(make_sr(one, sources))


def test_dcmtk_reads_it(signed_view: StudyView, sources: list[Dataset], dump: Callable[[Dataset, str], str]) -> None:
    dataset = make_sr(signed_view, sources)
    printed = dump(dataset, "dsrdump")
    expected = (
        "Comprehensive SR Document",
        "Inclusion body myositis",
        "Deltoid muscle",
        "VERIFIED",
        "simulation-trained",
    )
    for words in expected:
        assert words in printed
    assert "(0040,a730)" in dump(dataset, "dcmdump")


def test_a_study_without_dicom_sources_is_refused(view: StudyView, sources: list[Dataset]) -> None:
    with pytest.raises(ClinicError, match=r"no DICOM image.*PDF, CSV or FHIR"):
        make_sr(view, [])
    with pytest.raises(ClinicError, match="belongs to"):
        make_sr(replace(view, study_uid="1.2.3"), sources)
    with pytest.raises(ClinicError, match="has been read"):
        make_sr(replace(view, model={}), sources)
