"""What fuzzing found, each as one small file: a typed error now."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from myosono.errors import CohortError, MyosonoError
from myosono.imaging import Limits, read_frame
from myosono.imaging.dicom_streams import stream_size
from myosono.quantification import Reference

DEEP = "[" * 100_000
READ = """
import sys
from myosono.errors import ImageError
from myosono.imaging import read_frames
for path in sys.argv[1:]:
    try:
        print("read", len(list(read_frames(path))), flush=True)
    except ImageError as error:
        print("refused", flush=True)
"""
STREAMS = ("JPEGLSNearLossless_08.dcm", "JPEG-LL.dcm", "JPGExtended.dcm")
LIES = ({"Rows": 8000}, {"Columns": 5000}, {"BitsAllocated": 32}, {"SamplesPerPixel": 3})


def test_a_stream_smaller_than_announced_does_not_abort_the_process(tmp_path: Path) -> None:
    """GDCM called ``abort`` and took the process with it: a web server, for a file of 852 bytes."""
    paths = []
    for name in STREAMS:
        for number, lie in enumerate(LIES):
            dataset = pydicom.dcmread(str(get_testdata_file(name)))
            for keyword, value in lie.items():
                setattr(dataset, keyword, value)
            paths.append(str(tmp_path / f"{number}_{name}"))
            dataset.save_as(paths[-1])
    done = subprocess.run([sys.executable, "-c", READ, *paths], capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(said) == len(paths)
    # What a decoder reads all the same, because the stream knows better than the header, is no harm.
    assert all(answer == "refused" for answer, path in zip(said, paths, strict=True) if Path(path).name[0] in "01")


def test_intact_jpeg_streams_are_still_read() -> None:
    for name, shape in (("JPEGLSNearLossless_08.dcm", (45, 10)), ("JPEG-LL.dcm", (1024, 256))):
        assert read_frame(str(get_testdata_file(name))).pixels.shape == shape


@pytest.mark.parametrize("cut", range(12))
def test_a_cut_frame_header_is_no_size(cut: int) -> None:
    whole = bytes.fromhex("ffd8ffc3000b080010002001")
    assert stream_size(whole) is not None
    assert stream_size(whole[:cut]) is None


def test_the_largest_image_allowed_stays_below_a_gigabyte() -> None:
    """64 million pixels, the limit before, took 1.8 GB in colour; what decoding takes is measured by the bombs."""
    assert Limits().max_pixels <= 25_000_000


def test_json_nested_without_end(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    path.write_text(DEEP)
    with pytest.raises(CohortError, match="cannot be read"):
        Reference.open(path)


def test_a_cohort_with_json_nested_without_end(tmp_path: Path) -> None:
    cohort = pytest.importorskip("myosono.cohort")
    (tmp_path / "cohort.json").write_text(DEEP)
    with pytest.raises(CohortError, match="cannot be read"):
        cohort.Cohort.open(tmp_path)


def test_settings_nested_without_end(tmp_path: Path) -> None:
    settings = pytest.importorskip("myosono.clinic.settings")
    (tmp_path / "clinic.toml").write_text("model = " + DEEP)
    with pytest.raises(MyosonoError, match="not a TOML file"):
        settings.load_settings(tmp_path)


def test_a_table_whose_pandas_notes_lack_a_key(tmp_path: Path) -> None:
    table = pytest.importorskip("myosono.evaluation.table")
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    notes = {"index_columns": [], "column_indexes": [{}], "columns": [{"name": "p", "field_name": "p"}]}
    made = arrow.table({"p": [1.0]}).replace_schema_metadata({"pandas": json.dumps(notes)})
    parquet.write_table(made, tmp_path / "predictions.parquet")
    with pytest.raises(MyosonoError, match="neither a Parquet nor a CSV table"):
        table.read_predictions(tmp_path / "predictions.parquet")
