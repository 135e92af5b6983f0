"""The files: self-contained pages, PDFs with text, and the command line."""

from __future__ import annotations

import ctypes.util
import dataclasses
import importlib.util
import io
import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from myosono.cli.document import Kind, _kinds
from myosono.errors import MissingExtraError, RunError, UsageError
from myosono.reporting.documents import claim_checklist, model_card, render_document, write_document
from myosono.reporting.documents import write as writing

NO_PANGO = ctypes.util.find_library("pango-1.0") is None
pdf = pytest.mark.skipif(
    NO_PANGO or importlib.util.find_spec("weasyprint") is None,
    reason="a PDF needs the extra documents and the Pango library (apt-get install libpango-1.0-0 libpangoft2-1.0-0)",
)
VOID = {"meta", "br", "col"}


class Page(HTMLParser):
    """What a browser would load, and whether tags close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.loads += [tag] if tag in ("script", "link", "iframe", "img", "image", "object", "embed") else []
        self.loads += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and not v.startswith("#")]
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("make", [model_card, claim_checklist])
def test_a_page_is_well_formed_and_loads_nothing(make, source):
    text = render_document(make(source))
    page = Page(text)
    assert (page.loads, page.open) == ([], [])
    assert "@import" not in text
    assert "open: to be filled by the authors" in text
    assert "not evidence about patients" in text


def test_what_comes_from_files_is_escaped(source):
    hostile = dataclasses.replace(source, name="<script>alert(1)</script>")
    assert "<script>" not in render_document(claim_checklist(hostile))


@pdf
def test_a_pdf_has_its_text_its_banner_and_every_item(source, tmp_path):
    from pypdf import PdfReader

    html, made = write_document(claim_checklist(source), tmp_path, formats=("html", "pdf"))
    assert html.suffix == ".html"
    text = " ".join(page.extract_text() for page in PdfReader(made).pages).replace("\n", " ")
    for said in ("CLAIM 2024 checklist of", "Simulated images", "Funding and the role of funders", "ryai.240300"):
        assert said in text


@pdf
def test_figures_have_ink_in_the_pdf(source):
    from pypdf import PdfReader

    content = writing.to_pdf(render_document(model_card(source)))
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    for said in ("decision", "confidence", "share right"):  # words of the two figures
        assert said in text


@pdf
def test_a_pdf_loads_nothing():
    with pytest.raises(RunError, match=r"loads nothing.*example\.org/pixel\.png"):
        writing.to_pdf("<p>word<img src='https://example.org/pixel.png'></p>")


def test_without_pango_the_remedy_is_named(monkeypatch):
    def no_library(*_, **__):
        raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(writing, "require", no_library)
    with pytest.raises(MissingExtraError, match="apt-get install libpango"):
        writing.to_pdf("<p>word</p>")


def run(*arguments):
    command = [sys.executable, "-m", "myosono.cli", "document", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_writes_all_and_tells_in_json(run_folder, tmp_path):
    found = run(run_folder, "--since", run_folder, "--out", tmp_path, "--json")
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert [one["document"] for one in told["documents"]] == ["model_card", "claim_2024", "tripod_ai", "change_record"]
    assert len(told["documents"][1]["sections"]) > 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "change_record.html", "claim_2024.html", "model_card.html", "model_card.json", "tripod_ai.html",
    ]  # fmt: skip


def test_a_usage_error_exits_with_2(tiny_model):
    found = run(tiny_model.path)
    assert (found.returncode, found.stdout) == (2, "")
    assert "only a change record" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("source", "since", "only", "word"),
    [
        ("run", None, Kind.CHANGE, "--since"),
        ("model", "model", Kind.CARD, "--only card"),
        ("model", None, None, "is a file"),
    ],
)
def test_what_cannot_be_made_is_refused(run_folder, tiny_model, source, since, only, word):
    place = {"run": run_folder, "model": tiny_model.path, None: None}
    with pytest.raises(UsageError, match=word):
        _kinds(place[source], place[since], None if only is None else [only])


def test_each_source_has_its_documents(run_folder, tiny_model):
    assert _kinds(run_folder, None, None) == [Kind.CARD, Kind.CLAIM, Kind.TRIPOD]
    assert _kinds(run_folder, run_folder, [Kind.CHANGE, Kind.CARD]) == [Kind.CARD, Kind.CHANGE]
    assert _kinds(tiny_model.path, tiny_model.path, None) == [Kind.CHANGE]
