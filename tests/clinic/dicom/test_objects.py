"""Secondary Capture, Encapsulated PDF, and the door that makes all objects."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from myosono.clinic.dicom.capture import make_capture
from myosono.clinic.dicom.objects import KINDS, load_sources, make_objects
from myosono.clinic.dicom.page import HEIGHT, WIDTH, draw_page
from myosono.clinic.dicom.pdf import make_pdf
from myosono.clinic.dicom.pictures import KeyPicture
from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.key_frames import choose_key_frames
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.studies.view import ScaleRegion, StudyView
from myosono.errors import ClinicError, ImageError, NotFoundError

REGION = ScaleRegion(80, 60, 560, 460, 0.1, 0.1, "b-mode")
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


@pytest.fixture
def pictures(view: StudyView, sources: list[Dataset]) -> list[KeyPicture]:
    by_uid = {str(source.SOPInstanceUID): source for source in sources}
    relevance = np.zeros((14, 14), np.float32)
    relevance[6:9, 3:6] = 1.0
    found = []
    for key in choose_key_frames(view):
        pixels = by_uid[str(key.image.sop_instance_uid)].pixel_array
        pixels = pixels if pixels.ndim == 3 else pixels[key.frame.frame]
        top, left, bottom, right = key.frame.area
        grey = np.ascontiguousarray(pixels[top:bottom, left:right].mean(axis=-1).astype(np.uint8))
        found.append(KeyPicture(key, grey, relevance if key.image.id == 1 else None))
    return found


def test_capture_shows_each_key_frame_and_refers_to_it(
    view: StudyView, sources: list[Dataset], pictures: list[KeyPicture]
) -> None:
    dataset = make_capture(view, sources, pictures)
    pages = dataset.pixel_array
    assert pages.shape == (2, HEIGHT, WIDTH, 3)
    assert np.array_equal(pages[0], np.asarray(draw_page(view, pictures[0], 1, 2)))
    referred = [(str(i.ReferencedSOPInstanceUID), i.get("ReferencedFrameNumber")) for i in dataset.SourceImageSequence]
    assert referred == [(str(sources[0].SOPInstanceUID), None), (str(sources[1].SOPInstanceUID), 4)]
    assert dataset.LossyImageCompression == "01", "the cine loop came as JPEG"
    assert "simulation-trained" in dataset.ImageComments
    assert make_capture(view, sources, pictures) == dataset


def test_an_object_names_the_patient_as_the_page_does(view: StudyView, sources: list[Dataset]) -> None:
    """GBK in a source that declares no character set; ours is in UTF-8 and says so."""
    for source in sources:
        source.SpecificCharacterSet = None
        source.PatientName = "王^小东".encode("gbk").decode("latin-1")
    dataset = make_pdf(view, PDF, sources)
    assert (dataset.PatientName, dataset.SpecificCharacterSet) == ("王^小东", "ISO_IR 192")


def test_the_heat_map_colours_the_right_place(view: StudyView, pictures: list[KeyPicture]) -> None:
    page = np.asarray(draw_page(view, pictures[0], 1, 1)).astype(int)
    colour = np.abs(page[60:410, :, 0] - page[60:410, :, 2])
    _, columns = np.nonzero(colour > 60)
    assert columns.min() > WIDTH // 2, "the left picture stays grey"
    assert 520 + 0.15 * 488 < columns.mean() < 520 + 0.45 * 488, "columns 3 to 5 of 14"


def test_pages_carry_the_warnings_and_fit_them(view: StudyView, pictures: list[KeyPicture]) -> None:
    def warning_pixels(one: StudyView) -> int:
        page = np.asarray(draw_page(one, pictures[0], 1, 1))
        return int((page[560:626] == (255, 196, 87)).all(axis=-1).sum())

    plain = warning_pixels(replace(view, banners=()))
    assert 0 < plain < warning_pixels(view)
    many = replace(
        view, banners=tuple(f"warning number {number} of this model, at some length" for number in range(40))
    )
    last = np.asarray(draw_page(many, pictures[0], 1, 1))[622:624]
    assert not (last == (255, 196, 87)).all(axis=-1).any(), "nothing is written over the model's line"


def test_burnt_in_text_is_denied_only_where_it_is_known(
    view: StudyView, sources: list[Dataset], pictures: list[KeyPicture]
) -> None:
    assert make_capture(view, sources, pictures).BurnedInAnnotation == "YES"
    declared = [
        KeyPicture(replace(one.key, frame=replace(one.key.frame, regions=(REGION,))), one.grey, one.relevance)
        for one in pictures
    ]
    assert make_capture(view, sources, declared).BurnedInAnnotation == "NO"
    screens = []
    for one in declared:
        source = next(s for s in sources if s.SOPInstanceUID == one.key.image.sop_instance_uid)
        whole = replace(one.key.frame, area=(0, 0, int(source.Rows), int(source.Columns)))
        screens.append(KeyPicture(replace(one.key, frame=whole), one.grey, one.relevance))
    assert make_capture(view, sources, screens).BurnedInAnnotation == "YES", "its banner may name the patient"


def test_abstained_and_signed_pages(
    signed_view: StudyView, sources: list[Dataset], pictures: list[KeyPicture], judged: Callable[[Dataset], str]
) -> None:
    refused = replace(signed_view, abstained=True, label=None, reasons=("Zu wenige Muskeln 不足",), prediction_set=())
    judged(make_capture(refused, sources, pictures))


def test_pdf_holds_the_bytes(view: StudyView, sources: list[Dataset]) -> None:
    dataset = make_pdf(view, PDF, sources)
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == PDF
    assert len(dataset.EncapsulatedDocument) % 2 == 0
    assert dataset.PatientName == "王^小东"
    with pytest.raises(ClinicError, match="no PDF"):
        make_pdf(view, b"<html>", sources)


def test_dciodvfy_and_dcmtk_accept_capture_and_pdf(
    view: StudyView,
    sources: list[Dataset],
    pictures: list[KeyPicture],
    judged: Callable[[Dataset], str],
    dump: Callable[[Dataset, str], str],
) -> None:
    capture, pdf = make_objects(view, ("capture", "pdf"), sources, PDF, pictures)
    assert "MultiframeTrueColorSCImage" in judged(capture)
    assert "EncapsulatedPDF" in judged(pdf)
    assert "(7fe0,0010)" in dump(capture, "dcmdump")
    assert "(0042,0011)" in dump(pdf, "dcmdump")


def test_dcmtk_takes_the_pdf_out_again(view: StudyView, sources: list[Dataset], tmp_path: Path) -> None:
    program = shutil.which("dcm2pdf", path="/usr/bin")
    if program is None:
        pytest.skip("dcm2pdf is not installed (apt-get install dcmtk)")
    make_pdf(view, PDF, sources).save_as(tmp_path / "in.dcm", enforce_file_format=True)
    subprocess.run([program, str(tmp_path / "in.dcm"), str(tmp_path / "out.pdf")], check=True, capture_output=True)
    assert (tmp_path / "out.pdf").read_bytes().rstrip(b"\0") == PDF


def test_objects_come_in_order_with_series_of_their_own(
    view: StudyView, sources: list[Dataset], pictures: list[KeyPicture]
) -> None:
    made = make_objects(view, KINDS, sources, PDF, pictures)
    assert [one.Modality for one in made] == ["SR", "OT", "DOC"]
    assert len({one.SeriesInstanceUID for one in made}) == len({one.SOPInstanceUID for one in made}) == 3
    assert {str(one.StudyInstanceUID) for one in made} == {view.study_uid}
    assert {str(one.PatientName) for one in made} == {"王^小东"}
    assert {one.SpecificCharacterSet for one in made} == {"ISO_IR 192"}


def test_what_is_missing_is_named(view: StudyView, sources: list[Dataset]) -> None:
    with pytest.raises(ClinicError, match="load_key_pictures"):
        make_objects(view, ("capture",), sources)
    with pytest.raises(ClinicError, match="render_pdf"):
        make_objects(view, ("pdf",), sources)
    with pytest.raises(ClinicError, match=r"'dvd'.*sr, capture, pdf"):
        make_objects(view, ("dvd",), sources)
    with pytest.raises(ClinicError, match="no frame"):
        make_capture(view, sources, [])
    for kind in KINDS:
        with pytest.raises(ClinicError, match="no DICOM image"):
            make_objects(view, (kind,), [], PDF, [])


def test_times_follow_the_zone_that_the_images_state(view: StudyView, sources: list[Dataset]) -> None:
    shifted = [Dataset(one) for one in sources]
    for one in shifted:
        one.TimezoneOffsetFromUTC = "+0800"
    late = replace(view, updated=datetime(2026, 3, 4, 20, 0, tzinfo=UTC))
    dataset = make_objects(late, ("sr",), shifted)[0]
    assert (dataset.ContentDate, dataset.ContentTime, dataset.TimezoneOffsetFromUTC) == ("20260305", "040000", "+0800")


@pytest.mark.parametrize("offset", ["+2500", "-1300", "+1401", "-1201", "+0860", "+9999", "8", "Z"])
def test_a_zone_that_cannot_be_counts_as_not_stated(view: StudyView, sources: list[Dataset], offset: str) -> None:
    odd, silent = [Dataset(one) for one in sources], [Dataset(one) for one in sources]
    for one in odd:
        one.add_new("TimezoneOffsetFromUTC", "SH", offset)
    made, plain = make_objects(view, ("sr",), odd)[0], make_objects(view, ("sr",), silent)[0]
    assert "TimezoneOffsetFromUTC" not in made
    assert (made.ContentDate, made.ContentTime) == (plain.ContentDate, plain.ContentTime)


@pytest.mark.parametrize(("offset", "time"), [("-1200", "080000"), ("+1400", "100000"), ("+0545", "014500")])
def test_the_last_zones_of_the_earth_are_kept(view: StudyView, sources: list[Dataset], offset: str, time: str) -> None:
    shifted = [Dataset(one) for one in sources]
    for one in shifted:
        one.TimezoneOffsetFromUTC = offset
    made = make_objects(replace(view, updated=datetime(2026, 3, 4, 20, 0, tzinfo=UTC)), ("sr",), shifted)[0]
    assert (made.TimezoneOffsetFromUTC, made.ContentTime) == (offset, time)


def test_values_that_the_standard_forbids_are_not_passed_on(
    view: StudyView, sources: list[Dataset], judged: Callable[[Dataset], str]
) -> None:
    odd = [Dataset(one) for one in sources]
    for one in odd:
        one.PatientSex, one.PatientAge = "female", "66"
        del one.StudyID
        del one.AccessionNumber
    dataset = make_objects(view, ("sr",), odd)[0]
    assert dataset.PatientSex == ""
    assert "PatientAge" not in dataset
    judged(dataset)


def test_sources_are_headers_from_the_store(view: StudyView, sources: list[Dataset], tmp_path: Path) -> None:
    store = FileStore(ClinicSettings(data=tmp_path))
    images = []
    for image, source in zip(view.images, sources, strict=False):
        buffer = io.BytesIO()
        source.save_as(buffer, enforce_file_format=True)
        images.append(replace(image, file=store.put(buffer.getvalue(), ".dcm").path))
    stored = replace(view, images=(*images, view.images[2]))
    found = load_sources(stored, store)
    assert [one.SOPInstanceUID for one in found] == [one.SOPInstanceUID for one in sources]
    assert not any("PixelData" in one for one in found)
    assert make_objects(stored, ("sr",), found) == make_objects(view, ("sr",), sources)

    gone = replace(stored, images=(replace(images[0], file="00/gone.dcm"),))
    with pytest.raises(NotFoundError, match=r"gone\.dcm"):
        load_sources(gone, store)
    damaged = store.put(b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\xff\xff", ".dcm").path
    with pytest.raises(ImageError, match=r"DICOM header|UIDs"):
        load_sources(replace(stored, images=(replace(images[0], file=damaged),)), store)
    assert dcmread(store.path(images[0].file)).SOPInstanceUID == sources[0].SOPInstanceUID


def test_a_damaged_element_does_not_cost_the_report(view: StudyView, sources: list[Dataset], tmp_path: Path) -> None:
    store = FileStore(ClinicSettings(data=tmp_path))
    images = []
    for image, source in zip(view.images, sources, strict=False):
        buffer = io.BytesIO()
        source.save_as(buffer, enforce_file_format=True)
        data = buffer.getvalue().replace(b"\x08\x00\x90\x00PN", b"\x08\x00\x90\x00QH")  # Referring Physician's Name
        assert b"QH" in data
        images.append(replace(image, file=store.put(data, ".dcm").path))
    found = load_sources(replace(view, images=tuple(images)), store)
    assert not any("ReferringPhysicianName" in one for one in found)
    assert make_objects(view, ("sr",), found)[0].ReferringPhysicianName == ""
