"""What fuzzing found, each as one small file: a typed error now."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from fuzzing import seeds
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, JPEGLosslessSV1, JPEGLSLossless

from myosono.errors import CohortError, ImageError, MyosonoError
from myosono.imaging import Limits, read_frame
from myosono.imaging.bounded import BoundedFile
from myosono.imaging.colour import coloured_pixels
from myosono.imaging.dicom_streams import stream_size
from myosono.imaging.grey import luma
from myosono.quantification import Reference

DEEP = "[" * 100_000
READ = """
import sys
import time
import zipfile
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


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless])
def test_a_stream_of_another_kind_is_not_given_to_gdcm(tmp_path: Path, syntax: UID) -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("SC_rgb_dcmtk_+eb+cr.dcm")))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(tmp_path / "other.dcm")
    with pytest.raises(ImageError, match="frame 1 of 1 is no JPEG"):
        read_frame(tmp_path / "other.dcm")


def test_colours_of_odd_depth_are_not_given_to_gdcm(tmp_path: Path) -> None:
    """GDCM aborted the process where bits stored were not those allocated."""
    dataset = pydicom.dcmread(str(get_testdata_file("SC_rgb_jpeg_gdcm.dcm")))
    dataset.BitsStored = 7
    dataset.save_as(tmp_path / "odd.dcm")
    with pytest.raises(ImageError, match="colours of 7 bits"):
        read_frame(tmp_path / "odd.dcm")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("JPEGLSNearLossless_08.dcm", b"\xff\xf7\x00\x0b\x08\x00\x2d\x00\x0a"),
        ("693_J2KR.dcm", struct.pack(">II", 512, 512)),
        ("SC_rgb_jpeg_gdcm.dcm", b"\x00\x64\x00\x64"),
    ],
)
def test_a_stream_larger_than_announced_is_not_decoded(tmp_path: Path, name: str, size: bytes) -> None:
    """The data set says 45 x 10 pixels, the stream inside it 61423 x 61423: a decoder would believe the stream."""
    whole = Path(str(get_testdata_file(name))).read_bytes()
    at = whole.rindex(size) if name.startswith("SC") else whole.index(size)
    path = tmp_path / name
    path.write_bytes(whole[:at] + size[:-4].ljust(len(size), b"\xef") + whole[at + len(size) :])
    started = time.process_time()
    with pytest.raises(ImageError, match="not what its header announces"):
        read_frame(path)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("lost", [4, 8, 1107, 2215])
def test_a_jpeg_ls_stream_that_is_cut_short_takes_no_time(tmp_path: Path, lost: int) -> None:
    """pyjpegls worked for minutes on some: 64 x 64 pixels, the last quarter missing."""
    dataset = pydicom.dcmread(str(get_testdata_file("MR_small_jpeg_ls_lossless.dcm")))
    (stream,) = generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = encapsulate([stream[: (len(stream) - lost) // 2 * 2]])
    dataset.save_as(tmp_path / "short.dcm")
    started = time.process_time()
    with pytest.raises(ImageError, match="cannot decode"):
        read_frame(tmp_path / "short.dcm")
    assert time.process_time() - started < 2


@pytest.mark.parametrize("length", [0, 1, 7])
def test_a_box_that_leads_nowhere_is_no_jpeg_2000(tmp_path: Path, length: int) -> None:
    """pydicom followed a box of length 0 for ever (found by coverage-guided fuzzing)."""
    dataset = pydicom.dcmread(str(get_testdata_file("693_J2KR.dcm")))
    dataset.Rows, dataset.Columns, dataset.BitsStored, dataset.HighBit = 64, 80, 8, 7
    dataset.BitsAllocated, dataset.PixelRepresentation = 8, 0
    buffer = io.BytesIO()
    Image.fromarray(seeds.speckle()).save(buffer, "JPEG2000", no_jp2=False)
    whole = buffer.getvalue() + b"\0" * (len(buffer.getvalue()) % 2)
    dataset.PixelData = encapsulate([whole])
    dataset.save_as(tmp_path / "boxed.dcm")
    assert read_frame(tmp_path / "boxed.dcm").pixels.shape == (64, 80)
    dataset.PixelData = encapsulate([whole[:12] + length.to_bytes(4, "big") + whole[16:]])
    dataset.save_as(tmp_path / "stuck.dcm")
    with pytest.raises(ImageError, match="is no JPEG stream"):
        read_frame(tmp_path / "stuck.dcm")


def test_intact_jpeg_streams_are_still_read() -> None:
    for name, shape in (
        ("JPEGLSNearLossless_08.dcm", (45, 10)),
        ("JPEGLSNearLossless_16.dcm", (50, 10)),
        ("MR_small_jpeg_ls_lossless.dcm", (64, 64)),
        ("JPEG-LL.dcm", (1024, 256)),
    ):
        assert read_frame(str(get_testdata_file(name))).pixels.shape == shape


@pytest.mark.parametrize("cut", range(12))
def test_a_cut_frame_header_is_no_size(cut: int) -> None:
    whole = bytes.fromhex("ffd8ffc3000b080010002001")
    assert stream_size(whole) is not None
    assert stream_size(whole[:cut]) is None


def test_the_largest_image_allowed_stays_below_a_gigabyte() -> None:
    """64 million pixels, the limit before, took 1.8 GB in colour; what decoding takes is measured by the bombs."""
    assert Limits().max_pixels <= 16_000_000


def test_a_large_colour_image_is_converted_in_blocks_to_the_same_grey() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (2100, 2000, 3), dtype=np.uint8)
    whole = luma(rgb)
    assert (whole[:100] == luma(rgb[:100])).all()
    assert (whole[-100:] == luma(rgb[-100:])).all()
    rgb[:] = rgb[..., :1]
    rgb[300:700, 500:900] = (250, 20, 20)
    mask = coloured_pixels(rgb)
    assert mask is not None
    assert mask.shape == rgb.shape[:2]
    assert float(mask.mean()) == pytest.approx(400 * 400 / (2100 * 2000), rel=0.02)


def test_json_nested_without_end(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    path.write_text(DEEP)
    with pytest.raises(CohortError, match="cannot be read"):
        Reference.open(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("minimum", "1e999"),
        ("sd", "0"),
        ("sd", "NaN"),
        ("coefficients", "[1]"),
        ("coefficients", "[1e999, 0]"),
        ("terms", '["mean", "shoe size"]'),
        ("age_range", "[1" + "0" * 400 + ", 2]"),
        ("patients", "Infinity"),
        ("left_out", "[3]"),
    ],
)
def test_a_reference_with_impossible_numbers(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "reference.json"
    whole = json.loads(seeds.reference_file())
    place = whole if key in whole else whole["models"][0]
    place[key] = "HERE"
    path.write_text(json.dumps(whole).replace('"HERE"', value))
    with pytest.raises(CohortError, match="damaged"):
        Reference.open(path)
    path.write_bytes(seeds.reference_file())
    assert Reference.open(path).z_score(90.0, muscle="D", age=50.0, device="GE").z == pytest.approx(3.75)


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


def zip_with_nameless_member() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"x")
    return buffer.getvalue()


def test_an_archive_with_a_member_without_a_name(tmp_path: Path) -> None:
    archives = pytest.importorskip("myosono.clinic.files.archive")
    settings = pytest.importorskip("myosono.clinic.settings")
    (tmp_path / "a.zip").write_bytes(zip_with_nameless_member())
    with pytest.raises(MyosonoError, match="points out of it"):
        list(archives.unpack(tmp_path / "a.zip", "a.zip", settings.UploadLimits(), tmp_path))


def test_a_header_is_not_given_more_memory_than_its_file_has(tmp_path: Path) -> None:
    """Four bytes that claim four gigabytes: Python would have made room for them first."""
    path = tmp_path / "lying.dcm"
    whole = Path(str(get_testdata_file("MR_small.dcm"))).read_bytes()
    path.write_bytes(whole[:132] + b"\x02\x00\x00\x00OB\0\0\xf0\xff\xff\xff" + whole[132:])
    with BoundedFile(path) as stream:
        assert len(stream.read(2**40)) == path.stat().st_size
        assert stream.read(2**40) == b""


@pytest.mark.parametrize("flaw", ["representation", "deflate"])
def test_a_damaged_dataset_is_answered_not_raised(tmp_path: Path, flaw: str) -> None:
    receive = pytest.importorskip("myosono.clinic.network.receive")
    engine = pytest.importorskip("myosono.clinic.database.engine")
    models = pytest.importorskip("myosono.clinic.database.models")
    store = pytest.importorskip("myosono.clinic.files.store")
    settings = pytest.importorskip("myosono.clinic.settings").ClinicSettings(data=tmp_path, database_url="sqlite://")
    database = engine.Database(settings)
    models.Base.metadata.create_all(database.engine)
    path = tmp_path / "damaged.dcm"
    if flaw == "deflate":
        whole = Path(str(get_testdata_file("image_dfl.dcm"))).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    else:
        whole = Path(str(get_testdata_file("MR_small.dcm"))).read_bytes()
        path.write_bytes(whole.replace(b"\x08\x00\x16\x00UI", b"\x08\x00\x16\x00U\xc8"))
    answer = receive.Receiver(database, store.FileStore(settings)).receive(path, "CART")
    assert answer.status == receive.CANNOT_UNDERSTAND
    assert answer.image_id is None
    database.close()


def test_half_a_character_does_not_stop_a_fhir_report() -> None:
    parts = pytest.importorskip("myosono.clinic.reports.fhir_parts")
    found = parts.storable({"text": ["a\ud83d\0b", "\x01", 3, None]})
    assert found == {"text": ["ab", "?", 3, None]}


def test_a_parquet_table_with_text_that_is_no_text(tmp_path: Path) -> None:
    table = pytest.importorskip("myosono.evaluation.table")
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "predictions.parquet"
    frame = pandas.DataFrame({"patient_id": ["paul", "anna"], "target": ["PM", "DM"], "p_DM": [0.2, 0.8]})
    frame.assign(p_PM=1 - frame["p_DM"]).to_parquet(path, compression=None)
    whole = path.read_bytes()
    assert table.read_predictions(path).targets.tolist() == [1, 0]
    path.write_bytes(whole.replace(b"paul", b"pa\xfel"))
    with pytest.raises(MyosonoError, match="neither a Parquet nor a CSV table"):
        table.read_predictions(path)
