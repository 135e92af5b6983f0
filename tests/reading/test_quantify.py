"""Quantities beside a reading: additive JSON, sites, z-scores, masks, and the command."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

import myosono
from myosono.cli.main import app
from myosono.cli.quantify import show_quantities
from myosono.cohort.simulation import simulate_image
from myosono.errors import MyosonoError, UsageError
from myosono.quantification import MeasuredImage, Quantifier, Region, SiteMeasure, fit_reference
from myosono.reading import quantified

runner = CliRunner()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for site, shots in (("RD", 2), ("LB", 1)):
        for shot in range(1, shots + 1):
            image = simulate_image("Normal", site[1], site[0], shot=shot, seed=4)
            Image.fromarray(image).save(folder / f"P7_{site}_{shot}.png")
    return folder


@pytest.fixture(scope="module")
def reading(study):
    return myosono.load(threads=1).read(study)


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(0)
    sites = [
        SiteMeasure(f"N{n}", "D", side, "cart", float(50 + 5 * rng.normal()), float(rng.uniform(20, 80)), "FM"[n % 2])
        for n in range(30)
        for side in "LR"
    ]
    return fit_reference(sites, source="made up", region="given", simulated=True)


def test_new_keys_only(reading) -> None:
    plain, measured = reading.to_dict(), quantified(reading, Quantifier(threads=1)).to_dict()
    json.dumps(measured, allow_nan=False)
    quantification = measured.pop("quantification")
    for image in measured["images"]:
        assert image.pop("quantities")["echo_intensity"]["mean"] > 0
    assert measured == plain
    assert quantification["reference"] is None
    assert quantification["region_model"]["name"] == "muscle_region"


def test_sites_pool_their_shots_and_the_protocol_is_counted(reading) -> None:
    found = quantified(reading)
    study = found.quantification
    assert [(site.muscle, site.side, site.images) for site in study.sites] == [("B", "L", 1), ("D", "R", 2)]
    levels = [image.quantities.echo_intensity.mean for image in found.images if image.muscle == "D"]
    assert study.sites[1].echo_intensity == pytest.approx(np.mean(levels))
    assert study.sites[1].proposed
    assert study.protocols["P7"].text.startswith("2 of 14 muscles; missing: left deltoid")
    assert any("proposed by a network" in note for note in study.notes)
    assert study.sites[0].muscle_thickness_mm is None


def test_the_frames_of_a_clip_are_one_shot_of_their_site(reading) -> None:
    clip, still = (image for image in reading.images if image.muscle == "D")
    frames = [replace(clip, frame=number) for number in range(5)]
    dark = replace(still, pixels=still.pixels // 2)
    found = quantified(replace(reading, images=(*frames, dark)))
    levels = [image.quantities.echo_intensity.mean for image in found.images]
    (site,) = found.quantification.sites
    assert site.echo_intensity == pytest.approx((levels[0] + levels[-1]) / 2)


def test_z_scores_need_the_device_and_say_what_they_are(reading, reference) -> None:
    known = {"reference": reference, "age": 50, "sex": "F"}
    unknown = quantified(reading, **known).quantification.sites[1].z_score
    assert unknown.z is None
    assert "across devices" in unknown.reason
    site = quantified(reading, device="cart", **known).quantification.sites[1]
    assert site.z_score.z == pytest.approx((site.echo_intensity - site.z_score.expected) / site.z_score.sd)
    assert any("simulated" in warning for warning in site.z_score.warnings)
    across = quantified(reading, device="other", across_devices=True, **known).quantification.sites[1].z_score
    assert any("compared across devices" in warning for warning in across.warnings)
    missing = quantified(reading, reference=reference, device="cart").quantification.sites[1].z_score
    assert "age" in missing.reason or "sex" in missing.reason


def test_age_belongs_to_one_patient(study, reading) -> None:
    with pytest.raises(UsageError, match="sex must be"):
        quantified(reading, sex="X")
    two = myosono.load(threads=1).read([study / "P7_LB_1.png"], patient_id="A")
    both = type(reading)(reading.model, reading.images + two.images, (), (), ())
    with pytest.raises(UsageError, match="belong to one patient"):
        quantified(both, age=50)


def test_what_was_not_read_is_not_measured_and_its_muscle_is_missing() -> None:
    reading = quantified(myosono.load(threads=1).read(np.zeros((100, 100), np.uint8), muscle="D", side="L"))
    assert reading.images[0].quantities.echo_intensity is None
    assert "blank" in reading.images[0].quantities.notes[0]
    assert reading.quantification.sites == ()
    assert reading.quantification.protocols["study"].found == ()


def test_the_command_writes_masks_that_can_be_edited_and_given_back(study, tmp_path) -> None:
    out = tmp_path / "out"
    found = runner.invoke(app, ["read", str(study), "--quantify", "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert "2 of 14 muscles" in found.stdout
    assert "proposed by a network" in found.stdout
    assert (out / "regions" / "P7_RD_1_region.png").is_file()
    mask = out / "masks" / "P7_RD_1_region.png"
    levels = np.asarray(Image.open(mask)).copy()
    rows = np.flatnonzero(levels.any(axis=1))
    levels[rows.mean().astype(int) :] = 0
    Image.fromarray(levels).save(mask)
    again = runner.invoke(app, ["read", str(study), "--quantify", "--masks", str(out / "masks"), "--json"])
    assert again.exit_code == 0, again.output
    first = json.loads((out / "reading.json").read_text())["images"]
    second = json.loads(again.stdout)["images"]
    before, after = (next(i for i in images if "P7_RD_1" in i["path"])["quantities"] for images in (first, second))
    assert (before["region"]["origin"], after["region"]["origin"]) == ("proposed", "given")
    assert after["region"]["pixels"] < before["region"]["pixels"]
    assert after["muscle_thickness"]["pixels"] < before["muscle_thickness"]["pixels"]


def test_without_the_option_nothing_is_measured_and_its_options_are_refused(study, tmp_path) -> None:
    out = tmp_path / "out"
    plain = runner.invoke(app, ["read", str(study / "P7_LB_1.png"), "--json", "--out", str(out)])
    assert "quantification" not in json.loads(plain.stdout)
    assert not (out / "masks").exists()
    for options, told in ((["--age", "50"], "--quantify"), (["--quantify", "--age", "50"], "--reference")):
        found = runner.invoke(app, ["read", str(study), *options])
        assert isinstance(found.exception, UsageError)
        assert told in str(found.exception)


def test_quantifying_imports_neither_torch_nor_pandas(study) -> None:
    code = (
        "import sys\n"
        "from myosono.cli.main import app\n"
        "try:\n"
        f"    app(['read', {str(study / 'P7_LB_1.png')!r}, '--quantify', '--json'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "heavy = {'torch', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def _edited(study, masks, name: str = "P7_RD_1_region.png") -> None:
    """A mask as an editor saves it: without our mark, so that it could be taken for an image."""
    masks.mkdir(parents=True, exist_ok=True)
    with Image.open(study / "P7_RD_1.png") as image:
        size = image.size
    Image.new("L", size, 0).save(masks / name)
    mask = np.zeros(size[::-1], np.uint8)
    mask[size[1] // 4 : size[1] // 2] = 255
    Image.fromarray(mask).save(masks / name)


@pytest.mark.parametrize("folder", ["result/masks", "."])
def test_masks_within_the_study_are_no_images_of_it(study, tmp_path, folder: str) -> None:
    shutil.copytree(study, tmp_path / "study")
    masks = tmp_path / "study" / folder
    _edited(study, masks)
    (masks / "P7_RD_2_region.png").write_bytes(b"no picture")
    found = runner.invoke(app, ["read", str(tmp_path / "study"), "--quantify", "--masks", str(masks), "--json"])
    assert found.exit_code == 0, found.output
    reading = json.loads(found.stdout)
    images = {Path(image["path"]).name: image for image in reading["images"]}
    assert sorted(images) == ["P7_LB_1.png", "P7_RD_1.png", "P7_RD_2.png"]
    assert images["P7_RD_1.png"]["quantities"]["region"]["origin"] == "given"
    assert "P7_RD_2_region.png" in images["P7_RD_2.png"]["quantities"]["notes"][0]
    assert [patient["images"] for patient in reading["patients"]] == [3]
    left = {Path(item["path"]).name: item["reason"] for item in reading["skipped"]}
    assert left == dict.fromkeys(("P7_RD_1_region.png", "P7_RD_2_region.png"), "a mask, not an image to read")
    assert not any("not used" in note for note in reading["quantification"]["notes"])


def test_a_misnamed_mask_is_named(reading, study, tmp_path) -> None:
    _edited(study, tmp_path, "P7_RD_1.png")
    found = quantified(reading, Quantifier(masks=tmp_path, threads=1))
    assert any("not used" in note and "P7_RD_1.png" in note for note in found.quantification.notes)


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_device_is_no_device(reading, name: str) -> None:
    found = quantified(reading, device=name).quantification
    assert all(site.device is None for site in found.sites)
    assert any("device unknown" in note for note in found.notes)


def test_a_lower_bound_is_shown_as_one(reading) -> None:
    image = replace(reading.images[0], spacing_mm=(0.1, 0.1))
    mask = np.zeros(image.pixels.shape, bool)
    mask[50:] = True
    quantities = Quantifier().measure(image.pixels, region=Region(mask, "proposed", 0.7), spacing_mm=(0.1, 0.1))
    measured = replace(image, quantities=quantities)
    member = MeasuredImage("P7", "B", "L", None, quantities)
    study = Quantifier().study([member])
    console = Console(record=True, width=200, file=io.StringIO())
    show_quantities(replace(reading, images=(measured,), quantification=study), console)
    shown = console.export_text()
    assert f">= {(mask.shape[0] - 50) * 0.1:.1f}" in shown
    assert "doubtful region" in shown


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--reference", "absent.json"], "absent.json: the reference does not exist"),
        (["--reference", "REFERENCE", "--sex", "f"], "sex must be F or M"),
        (["--reference", "REFERENCE", "--age", "150"], "age must lie within"),
        (["--reference", "REFERENCE", "--age", "50"], "the study holds 2"),
        (["--masks", "absent"], "absent does not exist"),
    ],
)
def test_what_cannot_succeed_is_refused_before_the_study_is_read(
    study, reference, tmp_path, monkeypatch, options: list[str], told: str
) -> None:
    def work(*_, **__):
        raise AssertionError("read")

    monkeypatch.setattr("myosono.cli.read._read", work)
    shutil.copytree(study, tmp_path / "study")
    (tmp_path / "study" / "P7_LB_1.png").rename(tmp_path / "study" / "P8_LB_1.png")
    path = reference.save(tmp_path / "reference.json")
    typed = [str(path) if option == "REFERENCE" else option for option in options]
    found = runner.invoke(app, ["read", str(tmp_path / "study"), "--quantify", *typed])
    assert isinstance(found.exception, MyosonoError), found.exception
    assert told in str(found.exception)
