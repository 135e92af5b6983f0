"""The report as a page and as PDF: says what the view says, escapes it, needs nothing from outside."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from myosono.clinic.reports.content import unread_images
from myosono.clinic.reports.html import render_report
from myosono.clinic.reports.language import LANGUAGES, translator
from myosono.clinic.reports.pdf import render_pdf
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError

SIGNED = datetime(2026, 3, 5, 16, 5, tzinfo=UTC)
MADE = datetime(2026, 3, 6, tzinfo=UTC)


def test_an_unsigned_report_says_so_and_carries_every_warning(view: StudyView) -> None:
    page = render_report(view, "en", {}, made=MADE)
    assert "Preliminary" in page
    assert "nobody has reviewed" in page
    assert "simulation-trained, not for clinical use" in page
    assert "cannot be told apart at 90% confidence" in page
    assert "Inclusion body myositis (IBM) or polymyositis (PM)" in page
    assert view.model["sha256"] in page
    assert "missing: left deltoid" in page
    assert "cannot open as PNG" in page
    assert "blank image: almost no contrast" in page


def test_an_image_that_came_without_a_name_is_told_by_its_site_or_its_uid(view: StudyView) -> None:
    """Over DICOM nothing has a file name."""
    broken = replace(view.images[-1], name="", error="cannot open")
    nowhere = replace(broken, id=42, muscle=None, side=None, sop_instance_uid="1.2.826.0.1.3680043.8.498.77")
    unknown = replace(nowhere, id=43, sop_instance_uid=None)
    images = replace(view, images=(broken, nowhere, unknown))
    assert unread_images(images, translator("en")) == (
        ("right deltoid · image 41", "cannot open"),
        ("image 42 · UID …043.8.498.77", "cannot open"),
        ("image 43", "cannot open"),
    )
    assert unread_images(images, translator("zh-CN"))[0][0] == "右三角肌 · 图像 41"


def test_a_signed_report_puts_the_physician_first(view: StudyView, opinion: Any) -> None:
    page = render_report(replace(view, opinions=(opinion(),)), "en", {}, made=MADE)
    assert "Signed electronically by" in page
    assert "Dr Ming Lee (lee)" in page
    assert page.index("Finger flexors bright") < page.index("Result of the model")
    assert "nobody has reviewed" not in page


def test_an_amended_report_shows_the_reason_and_the_earlier_reading(view: StudyView, opinion: Any) -> None:
    second = opinion(id=2, amends_id=1, diagnosis="PM", amend_reason="biopsy came in")
    page = render_report(replace(view, opinions=(opinion(), second)), "en", {}, made=MADE)
    assert "Amended" in page
    assert "biopsy came in" in page
    before, after = page.split("Earlier readings", 1)
    assert "Polymyositis (PM)</p>" in before
    assert "Inclusion body myositis (IBM): Finger flexors bright" in after


def test_two_physicians_stand_side_by_side_and_neither_is_called_amended(view: StudyView, opinion: Any) -> None:
    second = opinion(id=2, user="ben", full_name="Dr Ben", diagnosis="Normal", notes="normal for age")
    both = replace(view, opinions=(opinion(), second))
    page = render_report(both, "en", {}, made=MADE)
    assert "Earlier readings" not in page
    assert "The physicians who signed disagree" in page
    assert page.index("Dr Ben (ben)") < page.index("Dr Ming Lee (lee)") < page.index("Result of the model")
    assert page.count("Physician (signed electronically)") == 2
    agreeing = replace(both, opinions=(opinion(), replace(second, diagnosis="IBM")))
    assert "disagree" not in render_report(agreeing, "en", {}, made=MADE)
    assert "意见不一致" in render_report(both, "zh-CN", {}, made=MADE)


def test_grades_that_differ_are_told_with_their_givers(view: StudyView) -> None:
    differ = (("Dr. A", 4), ("Dr. B", 1))
    sites = [replace(site, heckmatt_grades=differ) if site.code == "RD" else site for site in view.sites]
    page = render_report(replace(view, sites=tuple(sites)), "en", {}, made=MADE)
    assert "IV / I</td>" in page
    assert "Heckmatt grades differ, RD: Dr. A IV, Dr. B I" in page.replace("&#39;", "'")
    assert "分级不一致，RD：Dr. A IV, Dr. B I" in render_report(
        replace(view, sites=tuple(sites)), "zh-CN", {}, made=MADE
    )


def test_what_came_after_the_signature_is_told(view: StudyView, opinion: Any) -> None:
    late = replace(view.images[0], id=50, received=SIGNED + timedelta(hours=1))
    waiting = replace(late, id=51, status="pending", frames=())
    changed = replace(view, images=(*view.images, late, waiting), answer="PM", opinions=(opinion(),))
    page = render_report(changed, "en", {}, made=MADE)
    assert "Images that came after the signature: 2." in page
    assert "Images that are not read yet: 1." in page
    assert "The model&#39;s answer has changed since the signature, from IBM or PM." in page
    chinese = render_report(changed, "zh-CN", {}, made=MADE)
    assert "签署之后新到的图像：2 幅。" in chinese
    assert "签署时为：IBM 或 PM。" in chinese
    assert "since the signature" not in render_report(replace(view, opinions=(opinion(),)), "en", {}, made=MADE)


@pytest.mark.parametrize(
    ("stated", "born", "english", "chinese"),
    [
        (64.8, date(1961, 5, 17), "64 years", "64 岁"),  # 65 in two months
        (65.0, date(1961, 3, 4), "65 years", "65 岁"),  # on the birthday
        (64.9, date(1961, 3, 5), "64 years", "64 岁"),  # on the day before
        (56.0, None, "56 years", "56 岁"),
        (55.7, None, "55 years", "55 岁"),
        (0.9, None, "11 months", "11 个月"),  # 011M
        (1.5, None, "18 months", "18 个月"),
        (0.0, date(2026, 2, 28), "0 months", "0 个月"),
        (70.0, date(1900, 1, 1), "70 years", "70 岁"),  # a date that stands for an unknown one
        (None, None, "–", "–"),
    ],
)
def test_an_age_is_in_completed_years_and_of_a_small_child_in_months(
    view: StudyView, stated: float | None, born: date | None, english: str, chinese: str
) -> None:
    seen = replace(view, patient_age=stated, patient_birth_date=born)
    assert f"<dt>Age</dt><dd>{english}</dd>" in render_report(seen, "en", {}, made=MADE)
    assert f"<dt>年龄</dt><dd>{chinese}</dd>" in render_report(seen, "zh-CN", {}, made=MADE)


def test_a_draft_never_shows(view: StudyView, opinion: Any) -> None:
    page = render_report(replace(view, opinions=(opinion(signed_at=None, notes="only a thought"),)), "en", {})
    assert "only a thought" not in page


def test_a_reading_of_an_earlier_model_is_told(view: StudyView, opinion: Any) -> None:
    page = render_report(replace(view, opinions=(opinion(model_sha256="cd" * 32),)), "en", {})
    assert "saw the result of an earlier model" in page


def test_a_study_without_any_result_is_a_report_too(view: StudyView) -> None:
    empty = replace(view, probabilities=None, prediction_set=(), reasons=(), model={}, images=(), sites=(), banners=())
    page = render_report(replace(empty, status="receiving", completeness=None), "en", {})
    assert "No result yet" in page
    assert "No image could be read" in render_report(replace(empty, status="failed"), "en", {})


def test_an_abstention_marks_no_class_as_excluded(view: StudyView, nothing_fits: StudyView) -> None:
    assert "○" in render_report(view, "en", {}, made=MADE)
    page = render_report(nothing_fits, "en", {}, made=MADE)
    assert "No diagnosis: the model abstains" in page
    assert "55 %" in page
    assert not {"●", "○"} & set(page)


def test_a_refusal_of_all_images_is_no_failure_to_read_them(all_refused: StudyView) -> None:
    page = render_report(all_refused, "en", {}, made=MADE)
    assert "No diagnosis: the model abstains" in page
    assert "No image could be read" not in page
    assert "not muscle ultrasound: none of the images is" in page
    assert "没有一幅图像属于肌肉超声" in render_report(all_refused, "zh-CN", {}, made=MADE)


def test_what_came_with_the_study_is_escaped(view: StudyView, opinion: Any) -> None:
    nasty = "<script>alert(1)</script><img src=http://example.com/x>"
    signed = opinion(notes=nasty, diagnosis=nasty, amend_reason=nasty, full_name=nasty)
    named = replace(view, patient_name=nasty, patient_id=nasty, description=nasty, opinions=(signed,), reasons=(nasty,))
    page = render_report(named, "en", {}, made=MADE)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_loads_nothing(view: StudyView, pictures: Mapping[str, bytes], language: Any) -> None:
    page = render_report(view, language, pictures, made=MADE)
    assert not re.findall(r"""(?:src|href)=["'](?!data:image/png;base64,)""", page)
    assert "url(" not in page
    assert f'lang="{language}"' in page


def test_pictures_stand_for_their_sites(view: StudyView, pictures: Mapping[str, bytes]) -> None:
    page = render_report(view, "en", pictures)
    assert page.count("<figure>") == 11
    assert page.count("data:image/png") == 22
    one = dict(list(pictures.items())[:1])
    assert "The image file cannot be shown" in render_report(view, "en", one)


def test_chinese_leaves_no_heading_in_english(view: StudyView, pictures: Mapping[str, bytes], opinion: Any) -> None:
    # What belongs to the study (names, notes, a decoder's message) is never translated: take it out.
    own = replace(view, model=dict(view.model) | {"trained_on": ""}, description="", quantification_notes=())
    own = replace(own, images=own.images[:-1], opinions=(opinion(notes=""),))
    page = render_report(own, "zh-CN", pictures)
    body = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert re.findall(r"\b[a-z]{3,}(?: [a-z]{2,})+", body) == []
    assert "包涵体肌炎" in body
    assert "右三角肌" in body


@pytest.mark.slow
def test_the_pdf_holds_the_text_in_both_languages(
    view: StudyView, pictures: Mapping[str, bytes], opinion: Any, tmp_path: Path
) -> None:
    pypdf = pytest.importorskip("pypdf")
    signed = replace(view, opinions=(opinion(),))
    for language, words in (("en", "Muscle ultrasound report"), ("zh-CN", "肌肉超声报告")):
        pdf = render_pdf(signed, language, pictures, made=MADE)
        reader = pypdf.PdfReader(io.BytesIO(pdf))
        text = "\n".join(page.extract_text() for page in reader.pages)
        assert words in text
        assert "王 小东" in text
        width, height = (float(value) / 72 * 25.4 for value in reader.pages[0].mediabox[2:])
        assert (round(width), round(height)) == (210, 297)
        assert len(reader.pages) <= 3


@pytest.mark.slow
def test_the_pdf_fetches_nothing(view: StudyView, monkeypatch: pytest.MonkeyPatch) -> None:
    page = '<img src="file:///etc/hostname">'
    monkeypatch.setattr("myosono.clinic.reports.pdf.render_report", lambda *_args, **_kept: page)
    with pytest.raises(ClinicError, match="loads nothing"):
        render_pdf(view, "en", {})
