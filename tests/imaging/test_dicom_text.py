"""What a header says, whatever its sender wrote it in."""

from __future__ import annotations

import io

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from myosono.imaging.dicom import joined_text, stated_text

NAME = "王^小东"
TRAIL = "王^誠"
"""In GBK the last byte of 誠 is that of a backslash."""


def written(name: bytes, number: bytes = b"", declared: str | list[str] | None = None) -> Dataset:
    """A header read from a file that holds these bytes."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if declared is not None:
        header.SpecificCharacterSet = declared
    header.PatientName, header.PatientID = "N" * len(name), "I" * len(number)
    stream = io.BytesIO()
    header.save_as(stream, enforce_file_format=False)
    data = stream.getvalue()
    if name:
        data = data.replace(b"N" * len(name), name)
    if number:
        data = data.replace(b"I" * len(number), number)
    return dcmread(io.BytesIO(data), force=True)


@pytest.mark.parametrize("declared", [None, "", "ISO_IR 6", "ISO 2022 IR 6"])
@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
@pytest.mark.parametrize("name", [NAME, TRAIL])
def test_an_undeclared_chinese_name_is_read_and_the_bytes_stay(name: str, encoding: str, declared: str | None) -> None:
    header = written(name.encode(encoding), declared=declared)
    assert joined_text(header, "PatientName") == name
    stream = io.BytesIO()
    header.save_as(stream, enforce_file_format=False)
    assert name.encode(encoding) in stream.getvalue()


@pytest.mark.parametrize("name", ["Müller^Jürgen", "Wang^XiaoDong", "Núñez^José"])
def test_an_undeclared_european_name_stays(name: str) -> None:
    assert joined_text(written(name.encode("latin-1")), "PatientName") == name


@pytest.mark.parametrize(
    ("declared", "encoding", "name"),
    [
        ("ISO_IR 100", "latin-1", "Größ^Ute"),
        ("ISO_IR 192", "utf-8", NAME),
        ("GB18030", "gb18030", NAME),
        ("ISO_IR 144", "iso8859_5", "Люкceмбypг"),
    ],
)
def test_a_declared_set_is_believed(declared: str, encoding: str, name: str) -> None:
    assert joined_text(written(name.encode(encoding), declared=declared), "PatientName") == name


def test_latin_1_is_believed_of_chinese_bytes_too() -> None:
    header = written(NAME.encode("gbk"), declared="ISO_IR 100")
    assert joined_text(header, "PatientName") == NAME.encode("gbk").decode("latin-1")


def test_a_backslash_is_no_list() -> None:
    header = written(b"Roe\\Doe^Jane", b"12\\34")
    assert joined_text(header, "PatientID", "PatientName") == "12\\34 Roe\\Doe^Jane"


def test_what_is_absent_or_empty_is_nothing() -> None:
    header = written(b"")
    assert stated_text(header, "PatientName") == stated_text(header, "Manufacturer") == ""
    assert joined_text(header, "PatientName", "PatientID") is None
