"""De-identification of pixels: what stands outside the B-mode area goes, what is inside stays as it was."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian

from myosono.clinic.dicom import DeidentifyOptions, deidentify
from myosono.errors import ClinicError
from myosono.imaging import Area

from .sources import FILES, SALT, WHOLE, file_bytes, read, small_image, through_file


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_kept_inside_and_black_outside(name: str) -> None:
    original = read(name)
    cleaned = through_file(deidentify(original, DeidentifyOptions(SALT)))
    before, after = _as_rgb(original), _as_rgb(cleaned)
    assert before.shape == after.shape
    kept = (before == after).all(axis=-1) if before.ndim > after.ndim - 1 else before == after
    inside = _area_of(original, kept)
    assert kept[inside].all(), "the B-mode area is untouched"
    outside = np.ones(kept.shape, bool)
    outside[inside] = False
    assert outside.any(), "something was to be blanked"
    assert np.unique(after[outside].reshape(-1, 3), axis=0).shape[0] == 1, "one colour"
    assert after[outside].max() <= 16, "and that one is black"


def _as_rgb(dataset: Dataset) -> np.ndarray:
    from pydicom.pixels.processing import apply_color_lut

    pixels = dataset.pixel_array
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        plain = deepcopy(dataset)
        if "RedPaletteColorLookupTableData" in plain and dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
            for name in ("Red", "Green", "Blue"):
                element = plain[f"{name}PaletteColorLookupTableData"]
                element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
        pixels = apply_color_lut(pixels, plain)
        pixels = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    elif dataset.get("SamplesPerPixel") == 1:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    frames = pixels if int(dataset.get("NumberOfFrames") or 1) > 1 else pixels[None]
    return np.asarray(frames)


def _area_of(dataset: Dataset, kept: np.ndarray) -> tuple[slice, ...]:
    from myosono.imaging.area import find_b_mode_area
    from myosono.imaging.dicom_pixels import GreyConverter
    from myosono.imaging.dicom_regions import read_geometry

    height, width = kept.shape[1:3]
    area = read_geometry(dataset, height, width).area
    if area is None:
        area = find_b_mode_area(GreyConverter(dataset)(dataset.pixel_array, "RGB").pixels)
    return np.s_[:, area.top : area.bottom, area.left : area.right]


def test_pixels_of_each_kind_are_blanked_black() -> None:
    cases = {"MONOCHROME2": (0, 0), "MONOCHROME1": (0, 255)}
    for photometric, (signed, black) in cases.items():
        image = small_image(PhotometricInterpretation=photometric, PixelRepresentation=signed)
        pixels = deidentify(image, DeidentifyOptions(SALT)).pixel_array
        assert (pixels[24:56, 16:48] == 200).all()
        pixels[24:56, 16:48] = black
        assert (pixels == black).all()
    deep = small_image(BitsAllocated=16, BitsStored=12, HighBit=11, PixelRepresentation=1)
    deep.PixelData = np.full((64, 64), -5, "<i2").tobytes()
    pixels = deidentify(deep, DeidentifyOptions(SALT)).pixel_array
    assert (pixels[0, 0], pixels[30, 30]) == (-2048, -5)


def test_overlays_in_unused_bits_are_gone() -> None:
    image = small_image(BitsAllocated=16, BitsStored=8, HighBit=7)
    image.PixelData = np.full((64, 64), 0x8000 | 200, "<u2").tobytes()
    for options in (DeidentifyOptions(SALT), DeidentifyOptions(SALT, clean_pixels=False)):
        stored = np.frombuffer(deidentify(image, options).PixelData, "<u2")
        assert stored.max() == 200


def test_a_cine_loop_is_blanked_in_every_frame() -> None:
    original = read("examples_ybr_color.dcm")
    cleaned = through_file(deidentify(original, DeidentifyOptions(SALT, area=Area(20, 40, 220, 280))))
    frames = cleaned.pixel_array
    assert frames.shape == (30, 240, 320, 3)
    assert cleaned.PhotometricInterpretation == "RGB"
    assert cleaned.LossyImageCompression == "01"
    assert frames[:, :20].max() == frames[:, :, 280:].max() == 0
    assert np.array_equal(frames[:, 20:220, 40:280], original.pixel_array[:, 20:220, 40:280])


def test_an_unknown_area_is_refused_not_guessed() -> None:
    with pytest.raises(ClinicError, match=r"no B-mode area stands out.*give the area"):
        deidentify(read("color-pl.dcm"), DeidentifyOptions(SALT))
    kept = deidentify(read("color-pl.dcm"), DeidentifyOptions(SALT, area=WHOLE))
    assert np.array_equal(kept.pixel_array, read("color-pl.dcm").pixel_array)


def screen_with_a_name(**given: object) -> Dataset:
    """Whose device declares the whole screen as its region, with the patient's name in a banner over the B-mode."""
    image = small_image(Rows=480, Columns=640, **given)
    pixels = np.zeros((480, 640), np.uint8)
    pixels[10:30, 10:200] = 255
    pixels[100:400, 100:500] = np.random.default_rng(0).integers(1, 200, (300, 400))
    image.PixelData = pixels.tobytes()
    region = image.SequenceOfUltrasoundRegions[0]
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 639, 476
    return image


def test_a_declared_region_that_is_the_whole_screen_hides_no_name() -> None:
    cleaned = deidentify(screen_with_a_name(), DeidentifyOptions(SALT))
    kept = cleaned.pixel_array
    assert kept[:60].max() == 0
    assert kept[150:350, 150:450].min() > 0
    assert "detected" in str(cleaned.DeidentificationMethod)


def test_a_whole_screen_is_believed_where_the_device_says_that_nothing_is_burnt_in() -> None:
    image = screen_with_a_name(BurnedInAnnotation="NO")
    assert deidentify(image, DeidentifyOptions(SALT)).pixel_array[20, 100] == 255


def test_thumbnails_and_nested_pixels_are_removed() -> None:
    image = small_image()
    icon = Dataset()
    icon.Rows = icon.Columns = 2
    icon.PixelData = b"\xaa" * 4
    image.IconImageSequence = [icon]
    cleaned = deidentify(image, DeidentifyOptions(SALT))
    assert "IconImageSequence" not in cleaned
    assert b"\xaa" * 4 not in file_bytes(cleaned)
