from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import myosono
from myosono.errors import ArtefactError, ImageError, UsageError
from myosono.pooling import apply_temperature, pool_probabilities
from myosono.reading import draw_overlay, load, overlay_names


@pytest.fixture(scope="module")
def reader(tiny_model):
    return load(tiny_model.path, threads=1)


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("P7_RD_1", "P7_RD_2", "P7_LG_1"):
        Image.fromarray(rng.integers(0, 256, (120, 100), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_images_muscles_and_the_patient(reader, study):
    reading = reader.read(study)
    assert [(i.muscle, i.side, i.patient_id) for i in reading.images] == [
        ("G", "L", "P7"), ("D", "R", "P7"), ("D", "R", "P7"),
    ]  # fmt: skip
    assert [(m.muscle, m.side, m.images) for m in reading.muscles] == [("G", "L", 1), ("D", "R", 2)]
    table = np.array([list(i.probabilities.values()) for i in reading.images])
    (patient,) = reading.patients
    pooled = apply_temperature(pool_probabilities(table, ["P7"] * 3)[1], reader.artefact.patient_rule.temperature)
    np.testing.assert_allclose(list(patient.probabilities.values()), pooled[0])
    assert patient.images == 3
    assert patient.abstained == (len(patient.prediction_set) != 1)


def test_every_output_says_what_the_model_was_trained_on(reader, study, tmp_path):
    reading = reader.read(study)
    assert "simulation-trained, not for clinical use" in reading.model.warnings
    data = reading.to_dict()
    json.dumps(data, allow_nan=False)
    assert data["model"]["warnings"] == list(reading.model.warnings)
    assert "simulated" in data["model"]["trained_on"]


def test_unreadable_files_are_listed_and_the_rest_is_read(reader, study):
    (study / "P7_LD_1.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (study / "notes.txt").write_text("not an image")
    reading = reader.read(study)
    assert len(reading.images) == 3
    (failure,) = reading.failed
    assert failure.path.endswith("P7_LD_1.png")
    assert [path.rsplit("/", 1)[-1] for path, _ in reading.skipped] == ["notes.txt"]
    assert {"path", "error"} in [set(image) for image in reading.to_dict()["images"]]


def test_blank_and_tiny_images_abstain_with_a_reason(reader):
    blank, tiny = np.zeros((100, 100), np.uint8), np.zeros((1, 1), np.uint8)
    reading = reader.read([blank, tiny])
    assert [image.label for image in reading.images] == [None, None]
    assert "blank" in reading.images[0].reasons[0]
    assert "too small" in reading.images[1].reasons[0]
    assert reading.patients[0].abstained
    assert reading.patients[0].images == 0


def test_frames_of_one_clip_do_not_outvote_a_still(reader, tmp_path):
    rng = np.random.default_rng(2)
    still, moving = (rng.integers(0, 256, (80, 80), dtype=np.uint8) // d for d in (1, 4))
    Image.fromarray(still).save(tmp_path / "P1_RD_1.png")
    frames = [Image.fromarray(moving)] * 9
    frames[0].save(tmp_path / "P1_RD_2.tif", save_all=True, append_images=frames[1:])
    reading = reader.read(tmp_path)
    assert len(reading.images) == 10
    rows = {i.path: np.array(list(i.probabilities.values())) for i in reading.images}
    pooled = reader.artefact.patient_rule.calibrate(np.mean(list(rows.values()), axis=0))
    np.testing.assert_allclose(list(reading.patients[0].probabilities.values()), pooled, rtol=1e-6)


def test_overrides_and_arrays(reader):
    image = np.random.default_rng(3).integers(0, 256, (90, 90), dtype=np.uint8)
    reading = reader.read(image, patient_id="A", muscle="T", side="L")
    assert (reading.images[0].patient_id, reading.muscles[0].muscle, reading.muscles[0].side) == ("A", "T", "L")


@pytest.mark.parametrize("array", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)])
def test_arrays_of_another_kind_are_refused(reader, array):
    with pytest.raises(UsageError, match="uint8"):
        reader.read(array)


def test_nothing_found_is_an_error(reader, tmp_path):
    with pytest.raises(ImageError):
        reader.read(tmp_path / "absent.png")
    with pytest.raises(ImageError):
        reader.read(tmp_path)
    with pytest.raises(UsageError):
        reader.read([])


def test_same_image_same_reading(reader, study):
    assert reader.read(study).to_dict() == reader.read(study).to_dict()


def test_overlay_is_a_picture_of_the_image_with_the_warning(reader, study, tmp_path):
    reading = reader.read(study)
    assert len(set(overlay_names(reading.images))) == 3
    picture = draw_overlay(reading.images[0], reader.artefact.classes, reading.model)
    assert picture.mode == "RGB"
    assert picture.width == 100
    assert picture.height > 120


@pytest.mark.parametrize("cut", [0, 1, 1000, -1000])
def test_a_damaged_model_file_is_refused_by_name(tiny_model, tmp_path, cut):
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny_model.path.read_bytes()[:cut])
    with pytest.raises(ArtefactError, match=r"cut\.onnx"):
        load(path)


def test_an_absent_file_is_refused_by_name(tmp_path):
    with pytest.raises(ArtefactError, match=r"absent\.onnx: model file does not exist"):
        load(tmp_path / "absent.onnx")


def test_the_embedded_model_reads_and_says_that_it_is_simulation_trained():
    reader = myosono.load()
    assert reader.model.warnings[0] == "simulation-trained, not for clinical use"
    assert reader.artefact.classes == ("Normal", "IBM", "PM", "DM")
    image = np.random.default_rng(4).integers(0, 256, (498, 447), dtype=np.uint8)
    assert sum(reader.read(image).images[0].probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_copy_is_no_second_image_of_the_patient(reader, study):
    (study / "P7_RD_9.png").write_bytes((study / "P7_RD_1.png").read_bytes())
    (study / "P8_RD_1.png").write_bytes((study / "P7_RD_1.png").read_bytes())
    reading = reader.read(study)
    assert {patient.patient_id: patient.images for patient in reading.patients} == {"P7": 3, "P8": 1}
    (left,) = reading.skipped
    assert left[0].endswith("P7_RD_9.png")
    assert left[1].startswith("the same file as ")


def test_a_file_that_cannot_be_opened_is_a_failure(reader, study):
    (study / "P7_RD_3.png").symlink_to(study / "nowhere.png")
    (failure,) = reader.read(study).failed
    assert failure.error.endswith("P7_RD_3.png: a link to a file that is not there")
