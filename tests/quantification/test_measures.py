"""Echo intensity, thickness and texture: known answers and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from myosono.errors import UsageError
from myosono.quantification import (
    MeasuredImage,
    Quantifier,
    Region,
    echo_intensity,
    muscle_thickness,
    subcutaneous_thickness,
    texture_features,
)
from myosono.quantification.texture import LEVELS, cooccurrence
from myosono.quantification.thickness import CUT_OFF, NO_SPACING, cut_off

images = arrays(np.uint8, (12, 10), elements=st.integers(60, 180))
masks = arrays(np.bool_, (12, 10)).filter(lambda mask: mask.sum() >= 2)


def test_known_echo_intensity(band) -> None:
    image, mask = band
    image[30:55] = 80
    image[55:80] = 120
    found = echo_intensity(image, mask)
    assert (found.mean, found.sd, found.pixels, found.saturated) == (100.0, 20.0, 50 * 90, 0.0)


@settings(max_examples=50, deadline=None)
@given(image=images, mask=masks, gain=st.integers(-60, 75))
def test_a_shift_of_gain_moves_the_mean_by_itself_and_not_the_spread(image, mask, gain: int) -> None:
    before, after = echo_intensity(image, mask), echo_intensity((image.astype(int) + gain).astype(np.uint8), mask)
    assert after.mean == pytest.approx(before.mean + gain)
    assert after.sd == pytest.approx(before.sd, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(image=images, mask=masks, other=images)
def test_pixels_outside_the_mask_do_not_count(image, mask, other) -> None:
    changed = np.where(mask, image, other)
    assert echo_intensity(changed, mask) == echo_intensity(image, mask)


@settings(max_examples=50, deadline=None)
@given(image=images, mask=masks)
def test_the_mean_of_all_is_the_weighted_mean_of_the_parts(image, mask) -> None:
    whole = echo_intensity(image, np.ones_like(mask))
    parts = [echo_intensity(image, part) for part in (mask, ~mask) if part.any()]
    pixels = sum(part.pixels for part in parts)
    assert pixels == image.size
    assert whole.mean == pytest.approx(sum(part.mean * part.pixels for part in parts) / pixels)


def test_saturated_display_is_told() -> None:
    image = np.full((20, 20), 255, np.uint8)
    found = echo_intensity(image, np.ones(image.shape, bool))
    assert found.saturated == 1.0
    assert "gain" in found.notes[0]


def test_thickness_in_pixels_and_in_mm(band) -> None:
    _, mask = band
    assert muscle_thickness(mask).pixels == 50
    assert muscle_thickness(mask).mm is None
    assert muscle_thickness(mask, (0.2, 0.9)).mm == pytest.approx(10.0)
    assert subcutaneous_thickness(mask, (0.2, 0.9)).mm == pytest.approx(6.0)
    with pytest.raises(UsageError, match="positive"):
        muscle_thickness(mask, (0.0, 0.1))
    with pytest.raises(UsageError, match="empty"):
        muscle_thickness(np.zeros((9, 9), bool))


@settings(max_examples=50, deadline=None)
@given(top=st.integers(0, 40), thick=st.integers(1, 40), mm=st.floats(0.01, 0.5), left=st.integers(0, 20))
def test_thickness_does_not_depend_on_where_the_muscle_lies(top: int, thick: int, mm: float, left: int) -> None:
    mask = np.zeros((90, 60), bool)
    mask[top : top + thick, left : left + 30] = True
    assert muscle_thickness(mask, (mm, 1.0)).mm == pytest.approx(thick * mm)
    assert subcutaneous_thickness(mask, (mm, 1.0)).mm == pytest.approx(top * mm)


def test_a_deep_border_out_of_view_is_told(band) -> None:
    image, mask = band
    mask[30:] = True
    assert cut_off(mask)
    assert CUT_OFF in Quantifier().measure(image, region=Region.given(mask)).notes


def test_texture_agrees_with_scikit_image() -> None:
    feature = pytest.importorskip("skimage.feature")
    image = np.random.default_rng(1).integers(0, 256, (40, 50), dtype=np.uint8)
    matrix = cooccurrence(image, np.ones(image.shape, bool))
    counted = feature.graycomatrix(
        image // (256 // LEVELS), [1], [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4], levels=LEVELS, symmetric=True
    )
    pooled = counted.sum(axis=3, keepdims=True) / counted.sum()
    np.testing.assert_allclose(matrix, pooled[:, :, 0, 0])
    found = texture_features(image, np.ones(image.shape, bool))
    for name in ("contrast", "homogeneity", "energy", "correlation"):
        assert getattr(found, name) == pytest.approx(float(feature.graycoprops(pooled, name)[0, 0])), name


def test_texture_of_an_even_and_of_a_striped_region() -> None:
    even = texture_features(np.full((20, 20), 90, np.uint8), np.ones((20, 20), bool))
    assert (even.contrast, even.entropy, even.energy, even.echovariation) == (0.0, 0.0, 1.0, 0.0)
    stripes = np.zeros((20, 20), np.uint8)
    stripes[::2] = 8
    striped = texture_features(stripes, np.ones((20, 20), bool))
    across = cooccurrence(stripes, np.ones((20, 20), bool))[0, 1] * 2
    assert striped.contrast == pytest.approx(across)
    assert striped.contrast > 0.5


@settings(max_examples=30, deadline=None)
@given(image=images)
def test_texture_is_the_same_in_the_mirror_and_stays_in_range(image) -> None:
    mask = np.ones(image.shape, bool)
    found, mirrored = texture_features(image, mask), texture_features(image[:, ::-1].copy(), mask)
    for name, value in found.to_dict().items():
        assert value == pytest.approx(mirrored.to_dict()[name]), name
    assert 0 <= found.energy <= 1
    assert 0 < found.homogeneity <= 1
    assert -1 - 1e-9 <= found.correlation <= 1 + 1e-9
    assert 0 <= found.entropy <= 10


def test_pairs_across_the_edge_of_the_region_do_not_count() -> None:
    image = np.full((10, 10), 0, np.uint8)
    image[:, 5:] = 200
    mask = np.zeros(image.shape, bool)
    mask[:, :5] = True
    assert texture_features(image, mask).contrast == 0
    with pytest.raises(UsageError, match="neighbouring"):
        texture_features(image, np.arange(100).reshape(10, 10) == 5)


def test_what_is_measured_is_said(band) -> None:
    image, mask = band
    found = Quantifier().measure(image, region=Region.given(mask))
    assert found.notes == ("muscle region given as a mask", NO_SPACING)
    small = np.zeros_like(mask)
    small[:3, :3] = True
    none = Quantifier().measure(image, region=Region.given(small))
    assert none.echo_intensity is None
    assert "not measured" in none.notes[0]


def test_masks_and_images_of_the_wrong_kind_are_refused(band) -> None:
    image, mask = band
    with pytest.raises(UsageError, match="does not fit"):
        echo_intensity(image, mask[:-1])
    with pytest.raises(UsageError, match="uint8"):
        echo_intensity(image.astype(float), mask)
    with pytest.raises(UsageError, match="empty"):
        echo_intensity(image, np.zeros_like(mask))
    with pytest.raises(UsageError, match="marks no muscle"):
        Region.given(np.zeros((5, 5)))
    with pytest.raises(UsageError, match="shape"):
        Region.given(np.zeros((5, 5, 3)))


def test_a_long_clip_does_not_outvote_the_other_shots(band):
    image, mask = band

    def shot(add: int, file: str) -> MeasuredImage:
        bright = (image + np.uint8(add)).astype(np.uint8)
        found = Quantifier().measure(bright, region=Region.given(mask), spacing_mm=(0.1 + add / 1000, 0.1))
        return MeasuredImage("P1", "D", "L", "cart", found, file=file)

    clip, stills = [shot(60, "clip.dcm")] * 8, [shot(0, "1.dcm"), shot(0, "2.dcm")]
    (site,) = Quantifier().study([*clip, *stills]).sites
    assert site.images == 10
    assert site.echo_intensity == pytest.approx((160 + 100 + 100) / 3)
    assert site.muscle_thickness_mm == pytest.approx((8 + 5 + 5) / 3)
    (alone,) = Quantifier().study([shot(60, ""), shot(0, ""), shot(0, "")]).sites
    assert alone.echo_intensity == pytest.approx(site.echo_intensity)


def test_a_site_says_what_limits_its_images(band) -> None:
    image, mask = band
    deep = mask.copy()
    deep[30:] = True

    def shot(region, **known) -> MeasuredImage:
        found = Quantifier().measure(image, region=region, **known)
        return MeasuredImage("P1", "D", "L", "cart", found)

    whole, cut = shot(Region.given(mask), spacing_mm=(0.1, 0.1)), shot(Region(deep, "proposed", 0.7), spacing_mm=(1, 1))
    (site,) = Quantifier().study([whole, cut]).sites
    assert site.muscle_thickness_at_least
    assert site.to_dict()["muscle_thickness_at_least"] is True
    assert site.to_dict()["notes"] == [
        "doubtful region: the network supports it by less than 90% (1 of 2 images)",
        f"{CUT_OFF} (1 of 2 images)",
    ]
    (plain,) = Quantifier().study([whole]).sites
    assert (plain.muscle_thickness_at_least, plain.notes) == (False, ())
    (pixels,) = Quantifier().study([shot(Region.given(mask))]).sites
    assert pixels.notes == (NO_SPACING,)
