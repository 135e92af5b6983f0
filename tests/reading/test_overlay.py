"""What overlays show, and what they must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.reading import draw_overlay, draw_shrinkage, load, overlay, overlay_names
from myosono.reading.overlay import SHRINKAGE_LABEL, heat_over, shrinkage_over


@pytest.fixture(scope="module")
def read(tiny_model):
    reader = load(tiny_model.path)
    image = np.random.default_rng(0).integers(20, 200, (120, 100), dtype=np.uint8)
    return reader, reader.read(image)


@pytest.fixture
def captions(monkeypatch):
    said = []
    caption = overlay._captioned
    monkeypatch.setattr(overlay, "_captioned", lambda picture, text: said.append(text) or caption(picture, text))
    return said


def colourful(picture):
    pixels = np.asarray(picture.convert("RGB")).astype(int)[:120]
    return bool((pixels.max(axis=2) != pixels.min(axis=2)).any())


def test_an_image_that_is_refused_has_no_heat(read):
    reader, reading = read
    shown = replace(reading.images[0], label="IBM", abstained=False, reasons=())
    refused = replace(shown, label=None, abstained=True, reasons=("not muscle ultrasound: lung",))
    assert colourful(draw_overlay(shown, reader.artefact.classes, reading.model))
    assert not colourful(draw_overlay(refused, reader.artefact.classes, reading.model))


def test_the_caption_of_shrinkage_says_what_it_is(read, captions):
    _, reading = read
    image = replace(reading.images[0], shrinkage=np.full((4, 4), 0.25, dtype=np.float32))
    assert colourful(draw_shrinkage(image, reading.model))
    assert captions[0].startswith(f"{SHRINKAGE_LABEL}; brightest: 25%")
    assert "simulation-trained" in captions[0]


def test_heat_lies_where_the_map_is_positive_and_nowhere_else():
    grey = np.full((80, 80), 90, dtype=np.uint8)
    relevance = np.full((4, 4), -1.0)
    relevance[3, 3] = 2.0
    heat = np.asarray(heat_over(grey, relevance)).astype(int)
    coloured = heat.max(axis=2) != heat.min(axis=2)
    assert coloured[70, 70]
    assert not coloured[:40, :40].any()
    assert not colourful(heat_over(grey, np.full((4, 4), -1.0)))
    assert not np.array_equal(np.asarray(shrinkage_over(grey, relevance)), heat), "shrinkage has colours of its own"


def test_reading_writes_overlays_and_diagnostics_apart(tiny_model, tmp_path):
    image = np.random.default_rng(1).integers(20, 200, (120, 100), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "P1_RD_1.png")
    out = tmp_path / "out"
    arguments = ["read", str(tmp_path / "P1_RD_1.png"), "--model", str(tiny_model.path), "--out", str(out), "--json"]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    (heat,) = out.glob("*.png")
    (diagnostic,) = (out / "diagnostics").glob("*.png")
    assert heat.name == diagnostic.name
    assert heat.read_bytes() != diagnostic.read_bytes()


def read_command(tiny_model, study, out, *more):
    arguments = ["read", str(study), "--model", str(tiny_model.path), "--out", str(out), "--json", *more]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    return {file.name for file in out.glob("*.png")}, {file.name for file in (out / "diagnostics").glob("*.png")}


def test_images_named_in_chinese_have_overlays_of_their_own(tiny_model, tmp_path):
    """Three overlays had been one."""
    study = tmp_path / "zh"
    study.mkdir()
    names = ["左三角肌", "右三角肌", "左肱二头肌"]
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(20, 200, (120, 100), dtype=np.uint8)
        Image.fromarray(pixels).save(study / f"{name}.png")
    heat, diagnostics = read_command(tiny_model, study, tmp_path / "out")
    assert heat == diagnostics == {f"zh_{name}_0.png" for name in names}


def test_dicom_files_named_by_their_uid_have_overlays_of_their_own_and_can_be_measured(tiny_model, tmp_path):
    """Four overlays had been one, and --quantify refused the study."""
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    study = tmp_path / "dcm"
    study.mkdir()
    uids = [f"1.2.826.0.1.3680043.8.498.100.{number}" for number in range(1, 5)]
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    for uid in uids:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.save_as(study / uid)
    heat, diagnostics = read_command(tiny_model, study, tmp_path / "out", "--quantify")
    assert heat == diagnostics == {f"dcm_{uid}_0.png" for uid in uids}


def test_overlays_of_one_name_are_numbered(read):
    _, reading = read
    paths = ["a/1.png", "a/1.jpg", "x/a/1.png", "b/1.png"]
    images = [replace(reading.images[0], path=path) for path in paths]
    names = ["a_1_0.png", "a_1_0-2.png", "a_1_0-3.png", "b_1_0.png"]
    assert overlay_names(images) == names
    assert overlay_names(images) == names
