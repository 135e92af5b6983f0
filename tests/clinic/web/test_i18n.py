"""Every text of the pages has a Chinese one, with the same fields."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import jinja2.ext
import pytest

import myosono.clinic.web
from myosono.clinic.reports.language import _catalogue as reports_catalogue
from myosono.clinic.web.i18n import LANGUAGES, catalogue, choose_language, translate
from myosono.clinic.web.pages import environment, moment, percent, sentence

WEB = Path(myosono.clinic.web.__file__).parent
_CALL = re.compile(r"""\bt\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`)""")


def in_templates() -> Iterator[tuple[str, str]]:
    for path in sorted((WEB / "templates").rglob("*.html")):
        tree = environment("en").parse(path.read_text(encoding="utf-8"))
        for _, _, text in jinja2.ext.extract_from_ast(tree, ("_",)):
            if isinstance(text, str):
                yield path.name, text


def in_scripts() -> Iterator[tuple[str, str]]:
    for path in sorted((WEB / "static").rglob("*.js")):
        for found in _CALL.finditer(path.read_text(encoding="utf-8")):
            assert found[3] is None, f"{path.name}: t() of a template literal cannot be translated: {found[3]}"
            yield path.name, json.loads(f'"{found[1]}"') if found[1] is not None else found[2].replace("\\'", "'")


def in_python() -> Iterator[tuple[str, str]]:
    for path in sorted(WEB.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("N_", "_"):
                for argument in node.args[:1]:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield path.name, argument.value


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_text_is_translated(language: str) -> None:
    texts = [*in_templates(), *in_scripts(), *in_python()]
    assert len(texts) > 150
    missing = sorted({f"{where}: {text}" for where, text in texts if text not in catalogue(language)})
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_translations_have_the_fields_of_the_text(language: str) -> None:
    wrong = [text for text, said in catalogue(language).items() if fields(text) != fields(said)]
    assert not wrong
    assert not [text for text, said in catalogue(language).items() if not said.strip()]


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_no_text_of_the_catalogue_is_written_twice(language: str) -> None:
    pairs = json.loads((WEB / "locale" / f"{language}.json").read_text(encoding="utf-8"), object_pairs_hook=list)
    texts = [text for text, _ in pairs]
    assert len(set(texts)) == len(texts)


def test_filled_in_messages_are_recognised() -> None:
    assert translate("zh-CN", "the user name li.wei is taken") == "用户名 li.wei 已被使用"
    assert translate("zh-CN", "no user {n}", n=7) == "没有用户 7"
    assert translate("en", "the user name li.wei is taken") == "the user name li.wei is taken"
    assert translate("zh-CN", "a message {nobody} translated") == "a message {nobody} translated"
    assert translate("en", "{n} lines, page {page} of {pages}", n=1, page=2, pages=3) == "1 lines, page 2 of 3"


@pytest.mark.parametrize(
    ("chosen", "accept", "language"),
    [
        (["zh-CN"], "en", "zh-CN"),
        ([None, "xx", "en"], "zh", "en"),
        ([None], "zh-Hans-CN,zh;q=0.9", "zh-CN"),
        ([None], "de,en;q=0.5", "en"),
        ([None], "", "zh-CN"),
    ],
)
def test_the_choice_goes_before_the_browser_and_that_before_the_clinic(
    chosen: list[str | None], accept: str, language: str
) -> None:
    assert choose_language(chosen, accept, "zh-CN") == language


def test_the_scripts_catalogue_is_a_script_that_ends_no_tag(visitor: Any) -> None:
    answer = visitor.get("/locale/zh-CN.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    start = "globalThis.myosonoTexts = "
    assert answer.text.startswith(start)
    assert json.loads(answer.text.removeprefix(start).rstrip(";\n")) == catalogue("zh-CN")
    assert "</" not in answer.text
    assert visitor.get("/locale/xx.js").status_code == 404


def test_filters() -> None:
    assert percent(0.7345) == "73 %"
    assert percent(0.7345, 1) == "73.5 %"
    assert percent(None) == "–"
    assert moment(None) == ""
    assert sentence("no room") == "No room."
    assert sentence("磁盘已满") == "磁盘已满。"
    assert sentence("Done.") == "Done."


def test_a_short_entry_takes_no_sentence_for_its_own() -> None:
    """ "{found} of {all}" had swallowed every reason with an "of" in it before the reports' texts were asked."""
    reason = "not muscle ultrasound: none of the images is"
    assert translate("zh-CN", reason) == reason
    assert translate("zh-CN", "3 of 14") == "3 / 14"


@pytest.mark.parametrize("text", sorted(reports_catalogue("zh-CN")[0]))
def test_what_reports_say_in_chinese_pages_say_too(text: str) -> None:
    said = translate("zh-CN", text)
    assert said == text or not re.search("[a-z]{4,} [a-z]{2,} [a-z]{2,}", said), said
