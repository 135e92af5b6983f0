"""What a PACS answers, in whatever characters it was written."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset

from myosono.clinic.network.query import FoundStudy


def sent(name: str, code: str, declared: str | None) -> Dataset:
    """An answer as it comes over the wire."""
    answer = Dataset()
    if declared:
        answer.SpecificCharacterSet = declared
    answer.PatientName = "x" * len(name.encode(code))
    answer.PatientID = "P1"
    answer.NumberOfStudyRelatedInstances = 12
    buffer = BytesIO()
    dcmwrite(buffer, answer, implicit_vr=True, little_endian=True)
    raw = buffer.getvalue().replace(b"x" * len(name.encode(code)), name.encode(code))
    return dcmread(BytesIO(raw), force=True)


@pytest.mark.parametrize(
    ("name", "code", "declared"),
    [
        ("王^小东", "gbk", None),
        ("王^小东", "utf-8", None),
        ("王^小东", "gb18030", "GB18030"),
        ("Müller^Jörg", "latin-1", "ISO_IR 100"),
        ("Doe^Jane", "ascii", None),
    ],
)
def test_names_are_shown_as_they_were_written(name: str, code: str, declared: str | None):
    found = FoundStudy.from_dataset(sent(name, code, declared))
    assert (found.patient_name, found.patient_id, found.instances) == (name, "P1", 12)
