"""The shipped network: it loads, is small, finds the muscle in simulated and real images; masks can replace it."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from myosono.cohort.simulation import simulate_image
from myosono.cohort.simulation.image import generator, render, true_borders
from myosono.cohort.simulation.patients import draw_patient
from myosono.errors import ArtefactError, ImageError, UsageError
from myosono.imaging import Area, read_frame
from myosono.quantification import (
    PROPOSED_NOTE,
    Quantifier,
    Region,
    RegionModel,
    draw_region,
    find_mask,
    mask_names,
    read_mask,
    unused_masks,
    unused_note,
    write_mask,
)
from myosono.quantification.proposal import embedded_region_model


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_the_shipped_file_is_small_and_says_what_it_was_trained_on(region_model) -> None:
    assert embedded_region_model().stat().st_size <= 1_000_000
    assert region_model.metadata["macs"] <= 150e6
    assert "DL_Track" in region_model.metadata["trained_on"]
    assert region_model.metadata["licence"] == "Apache-2.0"
    assert region_model.metadata["held_out"]["real"]["median_dice"] > 0.9


def test_proposals_on_simulated_images_match_the_truth(region_model) -> None:
    found = []
    for seed, (label, muscle) in enumerate(itertools.product(("Normal", "IBM"), ("D", "B", "R", "G"))):
        patient = draw_patient(1, label, "sim-cart-A", rng=generator(seed, 0))
        image = render(patient, "R", muscle, 1, seed=seed, scale=0.5)
        borders = true_borders(patient, "R", muscle, 1, seed=seed, scale=0.5)
        region = region_model.propose(image)
        row = np.arange(image.shape[0])[:, None]
        found.append(overlap(region.mask, (row >= borders[0]) & (row < borders[1])))
        assert region.origin == "proposed"
        assert region.mask.shape == image.shape
    assert np.median(found) > 0.85


def test_proposals_on_real_images_match_drawn_masks(region_model, shared_data) -> None:
    """Images held out from training, named in the benchmark's table; the table's own figures, on five of them."""
    from myosono.training.segmentation.score import dice
    from myosono.training.segmentation.targets import muscle_borders

    folder = shared_data / "muscle_dltrack"
    if not folder.is_dir():
        pytest.skip(f"real data not present at {folder}")
    held_out = [row for row in _held_out() if row["layout"] != "simulated"][::24]
    assert len(held_out) >= 4
    for row in held_out:
        frame = read_frame(folder / "images" / row["name"])
        area = frame.area
        drawn = np.asarray(Image.open(folder / "masks" / row["name"]).convert("L"))
        borders = muscle_borders(drawn[area.top : area.bottom, area.left : area.right])
        assert borders is not None
        known = ~np.isnan(borders[0])
        line = np.arange(area.height)[:, None]
        truth = (line >= borders[0]) & (line < borders[1])
        region = region_model.propose(np.ascontiguousarray(frame.b_mode))
        assert dice(region.mask[:, known], truth[:, known]) == pytest.approx(float(row["dice"]), abs=0.02)


def _held_out() -> list[dict[str, str]]:
    table = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "muscle_region.csv"
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def test_same_image_same_region_and_any_size(region_model, band) -> None:
    image, _ = band
    first, second = region_model.propose(image), region_model.propose(image)
    np.testing.assert_array_equal(first.mask, second.mask)
    for shape in ((16, 16), (700, 40), (30, 900)):
        assert region_model.propose(np.zeros(shape, np.uint8)).mask.shape == shape


def test_black_columns_hold_no_muscle(region_model) -> None:
    image = simulate_image("Normal", "B", seed=2, scale=0.5).copy()
    image[:, :40] = 0
    assert not region_model.propose(image).mask[:, :40].any()


def test_a_blank_image_is_not_measured_or_says_that_it_is_doubtful(region_model) -> None:
    found = Quantifier(region_model).measure(np.zeros((200, 150), np.uint8))
    assert found.echo_intensity is None
    assert "not measured" in found.notes[0]


def test_every_measure_of_a_proposal_says_so(region_model) -> None:
    found = Quantifier(region_model).measure(simulate_image("Normal", "B", seed=2, scale=0.5), spacing_mm=(0.1, 0.1))
    assert found.notes[0] == PROPOSED_NOTE
    assert found.to_dict()["region"]["note"] == PROPOSED_NOTE
    assert found.muscle_thickness is not None
    assert found.muscle_thickness.mm == pytest.approx(found.muscle_thickness.pixels * 0.1)


def test_an_edited_mask_takes_the_place_of_the_proposal(region_model, band, tmp_path) -> None:
    image, mask = band
    write_mask(Region.given(mask), tmp_path / "P1_RD_1_region.png")
    quantifier = Quantifier(region_model, masks=tmp_path)
    edited = quantifier.measure_in_mask(image, "P1_RD_1_region.png")
    assert edited.region is not None
    assert edited.region.origin == "given"
    assert edited.echo_intensity is not None
    assert edited.echo_intensity.mean == 100
    other = quantifier.region_of(image, "P1_RD_2_region.png")
    assert other.origin == "proposed"


def test_a_mask_may_be_of_the_whole_screen_but_of_no_other_size(band, tmp_path) -> None:
    _, mask = band
    area = Area(10, 20, 130, 110)
    screen = np.zeros((200, 150), np.uint8)
    screen[10:130, 20:110] = np.where(mask, 255, 0)
    Image.fromarray(screen).save(tmp_path / "screen.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "screen.png", (120, 90), area, (200, 150)).mask, mask)
    with pytest.raises(ImageError, match=r"screen\.png: a mask of 150 x 200 pixels"):  # it had been cut to the area
        read_mask(tmp_path / "screen.png", (120, 90), area, (190, 150))
    with pytest.raises(ImageError, match=r"screen\.png: a mask of 150 x 200 pixels"):
        read_mask(tmp_path / "screen.png", (120, 90))
    Image.fromarray(np.zeros((120, 90), np.uint8)).save(tmp_path / "empty.png")
    with pytest.raises(ImageError, match="marks no muscle"):
        read_mask(tmp_path / "empty.png", (120, 90))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="cannot be decoded"):
        read_mask(tmp_path / "broken.png", (120, 90))
    with pytest.raises(ImageError, match="does not exist"):
        read_mask(tmp_path / "absent.png", (120, 90))
    with pytest.raises(UsageError, match="does not exist"):
        Quantifier(masks=tmp_path / "absent")


def test_two_images_never_share_a_mask() -> None:
    names = mask_names([("a/1.png", 0), ("b/1.png", 0), ("b/2.dcm", 0), ("b/2.dcm", 1)])
    assert names == ["a_1_region.png", "b_1_region.png", "2_region.png", "2_frame2_region.png"]
    clashing = [("/x/a/1.png", 0), ("/y/a/1.png", 0), ("/y/a/1.jpg", 0), ("2.png", 0), ("2.jpg", 0)]
    names = [
        "x_a_1.png_region.png", "y_a_1.png_region.png", "a_1.jpg_region.png", "2.png_region.png", "2.jpg_region.png",
    ]  # fmt: skip
    assert mask_names(clashing) == names
    assert mask_names(clashing[::-1]) == names[::-1], "an edited mask must find its image whatever the order"
    assert mask_names([("array 0", 0), ("array 0", 0)]) == ["array 0_region.png", "array 0_region-2.png"]


def test_masks_of_files_named_by_uid_or_in_other_scripts() -> None:
    uids = [f"study/1.2.826.0.1.3680043.8.498.100.{number}" for number in range(1, 5)]
    assert mask_names([(uid, 0) for uid in uids]) == [f"{uid.removeprefix('study/')}_region.png" for uid in uids]
    assert mask_names([("zh/左三角肌.png", 0), ("zh/a (1).png", 0)]) == ["左三角肌_region.png", "a (1)_region.png"]
    assert len(mask_names([("肌" * 80 + ".png", 0)])[0].encode()) <= 200


def test_a_bad_mask_is_told_and_does_not_fall_back_to_the_network(region_model, band, tmp_path) -> None:
    image, _ = band
    (tmp_path / "a_region.png").write_bytes(b"no picture")
    found = Quantifier(region_model, masks=tmp_path).measure_in_mask(image, "a_region.png")
    assert found.echo_intensity is None
    assert "a_region.png" in found.notes[0]


def test_the_overlay_shows_the_outline_and_who_drew_it(band) -> None:
    image, mask = band
    picture = np.asarray(draw_region(image, Region(mask, "proposed", 0.9)))
    assert picture.shape[0] > image.shape[0]
    assert (picture[30, 10] == (255, 190, 0)).all()
    assert (picture[50, 40] == 100).all()
    assert picture[image.shape[0] :].max() > 200


def test_other_files_are_refused_by_name(tmp_path) -> None:
    from myosono.reading import embedded_model

    with pytest.raises(ArtefactError, match="does not exist"):
        RegionModel(tmp_path / "absent.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(embedded_region_model().read_bytes()[:1000])
    with pytest.raises(ArtefactError, match=r"cut\.onnx"):
        RegionModel(cut)
    with pytest.raises(ArtefactError, match="proposes no muscle region"):
        RegionModel(embedded_model())


def test_a_newer_format_is_refused(tmp_path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(embedded_region_model())
    (entry,) = model.metadata_props
    entry.value = entry.value.replace('"format": 1', '"format": 9')
    onnx.save(model, tmp_path / "newer.onnx")
    with pytest.raises(ArtefactError, match="format 9"):
        RegionModel(tmp_path / "newer.onnx")


def test_what_is_transparent_in_a_mask_is_no_muscle(band, tmp_path) -> None:
    """An editor's transparent white had marked the whole picture."""
    _, mask = band
    rgba = np.full((*mask.shape, 4), 255, np.uint8)
    rgba[..., 3] = np.where(mask, 255, 0)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png", (120, 90)).mask, mask)


def test_masks_that_belong_to_no_image_are_named(tmp_path) -> None:
    names = (
        "a_region.png",
        "B_region.png",
        "b.png",
        "b_region.jpg",
        "b_region.tif",
        "README.txt",
        ".hidden",
        "Thumbs.db",
    )
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    unused = ["a_region.png", "b.png", "b_region.jpg", "b_region.tif", "more"]
    assert unused_masks(tmp_path, ["b_region.png"]) == unused
    note = unused_note(tmp_path, ["b_region.png"])
    assert note is not None
    assert note.startswith("5 files in the folder of masks not used")
    assert all(name in note for name in unused)
    assert unused_note(tmp_path, ["b_region.png", *unused]) is None


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [
        ("p1_rd_1_region.png", "P1_RD_1_region.png"),
        ("P1_RD_1_region.PNG", "P1_RD_1_region.png"),
        ("Re\u0301gion_region.png", "R\u00e9gion_region.png"),
    ],
)
def test_a_mask_is_found_whatever_the_case_and_the_accents_of_its_name(
    region_model, band, tmp_path, kept: str, wanted: str
) -> None:
    image, mask = band
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(tmp_path / kept, format="PNG")
    assert Quantifier(region_model, masks=tmp_path).region_of(image, wanted).origin == "given"
    assert unused_masks(tmp_path, [wanted]) == []


def test_of_two_masks_that_differ_in_case_the_exact_one_is_used_and_the_other_named(tmp_path) -> None:
    for name in ("A_region.png", "a_region.png"):
        (tmp_path / name).touch()
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system does not tell case apart")
    assert find_mask(tmp_path, "a_region.png") == tmp_path / "a_region.png"
    assert unused_masks(tmp_path, ["a_region.png"]) == ["A_region.png"]
