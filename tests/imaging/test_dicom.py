from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import get_decoder
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, UltrasoundImageStorage

from myosono.errors import ImageError
from myosono.imaging import Area, Limits, read_frame, read_frames
from myosono.imaging.dicom_pixels import GreyConverter

data_store = pytest.importorskip("data_store", reason="pydicom-data is not installed")
FOLDERS = (Path(pydicom.__file__).parent / "data", Path(data_store.__file__).parent)


def _is_ultrasound(file: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        return bool(dataset.get("Modality") == "US" and "Rows" in dataset)


FILES = {file.name: file for folder in FOLDERS for file in sorted(folder.rglob("*.dcm")) if _is_ultrasound(file)}

# Frames, mean grey of the first one, B-mode area, millimetres a pixel: what each file was seen to hold.
SEEN = {
    "ExplVR_BigEnd.dcm": (1, 222.5, None, None),
    "examples_jpeg2k.dcm": (1, 35.6, None, None),
    "examples_palette.dcm": (1, 19.4, Area(60, 120, 350, 800), 0.2623),
    "examples_rgb_color.dcm": (1, 35.3, None, None),
    "examples_ybr_color.dcm": (30, 9.5, None, None),
    "JPGLosslessP14SV1_1s_1f_8b.dcm": (1, 17.4, Area(38, 14, 759, 1011), 0.2548),
    "OBXXXX1A.dcm": (1, 11.8, Area(60, 120, 519, 800), 0.2623),
    "OBXXXX1A_2frame.dcm": (2, 11.8, Area(60, 120, 519, 800), 0.2623),
    "OBXXXX1A_expb.dcm": (1, 11.8, Area(60, 120, 519, 800), 0.2623),
    "OBXXXX1A_expb_2frame.dcm": (2, 11.8, Area(60, 120, 519, 800), 0.2623),
    "OBXXXX1A_rle.dcm": (1, 11.8, Area(60, 120, 519, 800), 0.2623),
    "OBXXXX1A_rle_2frame.dcm": (2, 11.8, Area(60, 120, 519, 800), 0.2623),
    "US1_J2KI.dcm": (1, 35.7, None, None),
    "US1_J2KR.dcm": (1, 35.6, None, None),
    "US1_UNCI.dcm": (1, 35.7, None, None),
    "US1_UNCR.dcm": (1, 35.6, None, None),
    "color-pl.dcm": (1, 40.4, None, None),
    "color-px.dcm": (1, 40.4, None, None),
    "color3d_jpeg_baseline.dcm": (120, 9.6, Area(31, 84, 415, 596), 0.5105),
    "gdcm-US-ALOKA-16.dcm": (1, 29.4, Area(24, 32, 416, 336), 0.3827),
    "gdcm-US-ALOKA-16_big.dcm": (1, 29.4, Area(24, 32, 416, 336), 0.3827),
}


def test_no_ultrasound_file_of_the_packages_is_forgotten():
    assert set(FILES) >= set(SEEN)
    # Packages may grow; what is new must at least be read.
    for name in set(FILES) - set(SEEN):
        assert read_frame(FILES[name]).pixels.size


@pytest.mark.parametrize("name", SEEN)
def test_every_ultrasound_file(name):
    count, mean, area, spacing = SEEN[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = read_frame(FILES[name])
    assert frame.frame_count == count
    assert frame.pixels.mean() == pytest.approx(mean, abs=0.1)
    assert area is None or frame.area == area
    assert frame.spacing_mm == (None if spacing is None else pytest.approx((spacing, spacing), rel=1e-3))
    assert frame.device


def test_same_picture_in_every_encoding():
    first = read_frame(FILES["OBXXXX1A.dcm"]).pixels
    for name in ("OBXXXX1A_expb.dcm", "OBXXXX1A_rle.dcm", "OBXXXX1A_expb_2frame.dcm", "OBXXXX1A_rle_2frame.dcm"):
        assert np.array_equal(read_frame(FILES[name]).pixels, first), name
    planar, interleaved = (read_frame(FILES[name]).pixels for name in ("color-pl.dcm", "color-px.dcm"))
    assert np.array_equal(planar, interleaved)
    uncompressed, compressed = (read_frame(FILES[name]).pixels for name in ("US1_UNCR.dcm", "US1_J2KR.dcm"))
    assert np.array_equal(uncompressed, compressed)


def test_frames_are_decoded_one_by_one(monkeypatch):
    decoded = []
    frames = read_frames(FILES["examples_ybr_color.dcm"])
    kind = type(get_decoder(pydicom.uid.JPEGBaseline8Bit))
    original = kind.iter_array

    def counted(*args, **kwargs):
        for item in original(*args, **kwargs):
            decoded.append(1)
            yield item

    monkeypatch.setattr(kind, "iter_array", counted)
    first = next(frames)
    assert len(decoded) == 1
    second = next(frames)
    assert len(decoded) == 2
    assert (second.frame_index, second.area) == (1, first.area)
    assert len(list(frames)) == 28


def test_ybr_grey_is_the_y_channel():
    dataset = pydicom.dcmread(FILES["examples_ybr_color.dcm"])
    rgb = next(pydicom.iter_pixels(dataset)).astype(float)
    difference = read_frame(FILES["examples_ybr_color.dcm"]).pixels - rgb @ [0.299, 0.587, 0.114]
    # Not zero: converting to RGB clips what chroma pushes out of range.
    assert np.abs(difference).mean() < 0.5
    assert np.abs(difference).max() < 8


def test_regions_outside_the_image():
    clamped = read_frame(FILES["examples_palette.dcm"])
    assert "clamped" in clamped.warnings[0]
    assert clamped.b_mode.shape == (290, 680)
    nonsense = read_frame(FILES["examples_ybr_color.dcm"])
    assert "mostly outside the image" in nonsense.warnings[0]
    assert nonsense.spacing_mm is None


def test_two_tissue_regions_are_announced():
    assert "2 tissue regions" in read_frame(FILES["gdcm-US-ALOKA-16.dcm"]).warnings[0]


def build(path: Path, pixels: np.ndarray, photometric: str, **elements: object) -> Path:
    """Write a small DICOM file around ``pixels``."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = UltrasoundImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality, dataset.PatientID, dataset.ImageLaterality = "US", "P9", "L"
    frames = elements.get("NumberOfFrames") == len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[frames : frames + 2]
    dataset.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 and not frames else 1
    if dataset.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = elements.pop("BitsStored", dataset.BitsAllocated)
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_monochrome(tmp_path, speckle):
    frame = read_frame(build(tmp_path / "a.dcm", speckle, "MONOCHROME2", PixelSpacing=[0.1, 0.2]))
    assert np.array_equal(frame.pixels, speckle)
    assert (frame.patient_id, frame.side, frame.spacing_mm) == ("P9", "L", (0.1, 0.2))
    inverted = read_frame(build(tmp_path / "b.dcm", speckle, "MONOCHROME1"))
    assert np.array_equal(inverted.pixels, 255 - speckle)
    half = read_frame(build(tmp_path / "c.dcm", speckle, "MONOCHROME2", PixelSpacing=0.1))
    assert half.spacing_mm is None  # one number for two axes: no scale, and no reason to lose the image


def test_header_and_file_name_disagree(tmp_path, speckle):
    frame = read_frame(build(tmp_path / "P1_RD_1.dcm", speckle, "MONOCHROME2"))
    assert (frame.patient_id, frame.muscle, frame.side) == ("P9", "D", "L")
    assert len(frame.warnings) == 2


def test_a_later_frame_beyond_the_depth_of_the_first_is_white_and_not_black_again():
    """Read as 8-bit by a first frame below 256, the grey of later frames had wrapped around: 256 was 0."""
    header = Dataset()
    header.BitsStored, header.PixelRepresentation = 16, 0
    convert = GreyConverter(header)
    convert(np.array([[0, 250]], np.uint16), "MONOCHROME2")
    later = convert(np.array([[100, 255, 256, 300]], np.uint16), "MONOCHROME2")
    assert later.pixels.tolist() == [[100, 255, 255, 255]]


def test_deep_grey(tmp_path, speckle):
    deep = speckle.astype(np.uint16) * 257
    assert np.array_equal(read_frame(build(tmp_path / "a.dcm", deep, "MONOCHROME2")).pixels, speckle)
    twelve = (speckle.astype(np.uint32) * 4095 // 255).astype(np.uint16)
    frame = read_frame(build(tmp_path / "b.dcm", twelve, "MONOCHROME2", BitsStored=12))
    assert np.abs(frame.pixels.astype(int) - speckle).max() <= 1


def test_window(tmp_path):
    ramp = np.tile(np.arange(0, 4096, 16, dtype=np.uint16), (64, 1))
    path = build(tmp_path / "a.dcm", ramp, "MONOCHROME2", BitsStored=12, WindowCenter=1000, WindowWidth=1001)
    row = read_frame(path).pixels[0]
    assert (row[0], row[-1]) == (0, 255)
    assert row[1000 // 16] == pytest.approx(127, abs=3)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "RGB"])
def test_colour(tmp_path, speckle, photometric):
    grey = np.repeat(speckle[..., None], 3, axis=2)
    if photometric == "YBR_FULL":
        grey[..., 1:] = 128
    assert np.array_equal(read_frame(build(tmp_path / "a.dcm", grey, photometric)).pixels, speckle)


def test_without_preamble(tmp_path):
    source = FILES["color-px.dcm"].read_bytes()
    bare = tmp_path / "bare"
    bare.write_bytes(source[132:])
    assert np.array_equal(read_frame(bare).pixels, read_frame(FILES["color-px.dcm"]).pixels)


def test_huge_headers_are_refused(tmp_path, speckle):
    path = build(tmp_path / "a.dcm", speckle, "MONOCHROME2", Rows=30_000, Columns=30_000)
    with pytest.raises(ImageError, match="30000 x 30000"):
        read_frame(path)
    path = build(tmp_path / "b.dcm", speckle, "MONOCHROME2", NumberOfFrames=100_000)
    with pytest.raises(ImageError, match="100,000 frames"):
        read_frame(path)


def test_no_pixels(tmp_path, speckle):
    path = build(tmp_path / "a.dcm", speckle, "MONOCHROME2")
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)
    with pytest.raises(ImageError, match="without pixels"):
        read_frame(path)


def test_deflated_bomb_is_refused_before_it_inflates(tmp_path, speckle):
    path = build(tmp_path / "a.dcm", speckle, "MONOCHROME2", syntax=DeflatedExplicitVRLittleEndian)
    assert np.array_equal(read_frame(path).pixels, speckle)
    head = path.read_bytes()
    start = 144 + int.from_bytes(head[140:144], "little")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = io.BytesIO(head[:start])
    bomb.seek(start)
    for _ in range(64):
        bomb.write(squeeze.compress(bytes(1 << 20)))
    bomb.write(squeeze.flush())
    path.write_bytes(bomb.getvalue())
    with pytest.raises(ImageError, match="more than the limit of 10 MB"):
        read_frame(path, Limits(max_bytes=10_000_000))


def test_a_dark_first_frame_does_not_settle_the_depth_of_all(tmp_path, speckle):
    """Frame 2 of a 12-bit cine had been white, its first frame being black."""
    frames = np.stack([np.zeros_like(speckle), speckle]).astype(np.uint16) * 16
    path = build(tmp_path / "a.dcm", frames, "MONOCHROME2", NumberOfFrames=2)
    first, second = read_frames(path)
    assert first.pixels.max() == 0
    assert np.abs(second.pixels.astype(int) - speckle).max() <= 1
    assert np.array_equal(read_frame(path, index=1).pixels, second.pixels)


def test_a_window_without_width_is_none(tmp_path, speckle):
    """Such a file had been refused as damaged."""
    frame = read_frame(build(tmp_path / "a.dcm", speckle, "MONOCHROME2", WindowCenter=0, WindowWidth=0))
    assert np.array_equal(frame.pixels, speckle)
    assert any("window of width 0" in warning for warning in frame.warnings)
