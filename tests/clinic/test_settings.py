from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from myosono.clinic.settings import ClinicSettings, UploadLimits, load_settings
from myosono.errors import ClinicError

DOCUMENT = Path(__file__).parents[2] / "docs" / "serve.md"


def test_options_go_before_the_file_and_that_before_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "clinic.toml").write_text('port = 9000\nlanguage = "zh-CN"\n[uploads]\nfiles = 3\n')
    found = load_settings(tmp_path, port=9001, host=None)
    assert (found.port, found.language, found.host, found.uploads.files) == (9001, "zh-CN", "127.0.0.1", 3)
    assert found.url == f"sqlite:///{(tmp_path / 'clinic.db').resolve()}"


def test_a_byte_order_mark_is_no_setting(tmp_path: Path) -> None:
    """Windows' Notepad writes one when asked for UTF-8."""
    (tmp_path / "clinic.toml").write_text("port = 9000\n", encoding="utf-8-sig")
    assert load_settings(tmp_path).port == 9000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("portt = 1", "portt"),
        ("[uploads]\nfile_byte = 1", r"uploads\.file_byte"),
        ("port = 70000", "port"),
        ("port =", "not a TOML file"),
        ('language = "fr"', "language"),
        ("session_hours = 0", "session_hours"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "clinic.toml").write_text(text)
    with pytest.raises(ClinicError, match=rf"clinic\.toml.*{reason}"):
        load_settings(tmp_path)


def test_the_document_names_every_setting() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text[text.index("## Settings") : text.index("```toml\nhost")]
    names = {*ClinicSettings.model_fields, *UploadLimits.model_fields} - {"data"}
    assert not {name for name in names if f"`{name}`" not in table and f"`[{name}]`" not in table}


def test_the_documents_examples_are_settings() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        ClinicSettings.model_validate(tomllib.loads(example))
