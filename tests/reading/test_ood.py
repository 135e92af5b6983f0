from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import myosono
from myosono.errors import ArtefactError
from myosono.formats import ARTEFACT_METADATA_KEY
from myosono.reading import load
from myosono.reading.ood import NOT_MUSCLE, MuscleGate, deep_features, gate_features
from myosono.reading.ood_checks import picture_fault
from myosono.reading.ood_features import STATISTICS, image_statistics
from myosono.reading.ood_look import Look
from myosono.reading.seal import seal

CHANNELS = 4
sizes = st.tuples(st.integers(16, 90), st.integers(16, 90))


def example_look(count: int, seed: int) -> Look:
    rng = np.random.default_rng(seed)
    return Look(
        mean=rng.normal(size=count).astype(np.float32),
        scale=rng.uniform(0.5, 2, count).astype(np.float32),
        weights=rng.normal(size=count).astype(np.float32),
        bias=0.3,
        whitening=np.tril(rng.normal(size=(count, count))).astype(np.float16),
        distance_scale=9.0,
        threshold=-1.5,
    )


def example_gate() -> MuscleGate:
    count = len(STATISTICS)
    return MuscleGate(example_look(CHANNELS + count, 0), example_look(count, 1), 0.3)


@settings(max_examples=40, deadline=None)
@given(image=sizes.flatmap(lambda size: arrays(np.uint8, size)))
def test_statistics_of_any_image_are_finite_and_repeat(image):
    found = image_statistics(image)
    assert found.shape == (len(STATISTICS),) == (len(set(STATISTICS)),)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, image_statistics(image))


def test_statistics_measure_what_they_are_named_for():
    rows = np.tile((np.arange(96) % 12 < 3)[:, None] * 200, (1, 96)).astype(np.uint8)
    layered, upright = (dict(zip(STATISTICS, image_statistics(i), strict=True)) for i in (rows, rows.T.copy()))
    assert layered["row_share"] > 0.9 > 0.1 > layered["column_share"]
    assert upright["column_share"] > 0.9
    assert layered["layering"] > 0.5 > -0.5 > upright["layering"]
    assert layered["lateral_4"] > 0.9 > layered["axial_4"]


def test_a_gate_travels_as_text_and_scores_alike():
    gate = example_gate()
    again = MuscleGate.from_metadata(json.loads(json.dumps(gate.to_metadata())))
    rng = np.random.default_rng(1)
    whole, deep = rng.normal(size=(5, CHANNELS + len(STATISTICS))), rng.normal(size=(5, len(STATISTICS)))
    np.testing.assert_array_equal(gate.margin(whole, deep), again.margin(whole, deep))
    assert (again.whole.threshold, again.deep.threshold) == (-1.5, -1.5)
    assert (again.channels, again.deep_share) == (CHANNELS, 0.3)


def test_a_gate_of_an_older_file_looks_once():
    stated = example_gate().to_metadata()
    del stated["deep"]
    gate = MuscleGate.from_metadata(stated)
    assert gate.deep is None
    assert gate.to_metadata() == stated


def test_the_score_is_capped_log_odds_less_distance():
    look = example_look(CHANNELS, 0)
    features = np.random.default_rng(2).normal(size=CHANNELS)
    standard = np.clip((features - look.mean) / look.scale, -8, 8)
    distance = np.linalg.norm(look.whitening.astype(float) @ standard)
    logit = min(5.0, standard @ look.weights + 0.3)
    assert look.score(features) == pytest.approx(logit - 3 * distance / 9.0)
    assert look.margin(features) == pytest.approx(look.score(features) + 1.5)


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"statistics": ["x"]}, {"mean": "AAAA"}, {"whitening": "?"}, {"distance_scale": 0},
     {"threshold": float("nan")}, {"channels": 3}, {"deep": {}}, {"deep": None},
     {"deep": example_gate().to_metadata()["deep"] | {"share": 0}}],
)  # fmt: skip
def test_a_damaged_gate_is_refused(change):
    with pytest.raises((KeyError, TypeError, ValueError)):
        MuscleGate.from_metadata(example_gate().to_metadata() | change)


def with_gate(tiny_model, path, ood):
    model = onnx.load(tiny_model.path)
    del model.metadata_props[:]
    model.metadata_props.add(key=ARTEFACT_METADATA_KEY, value=json.dumps(tiny_model.metadata | {"ood": ood}))
    path.write_bytes(seal(model.SerializeToString()))
    return path


def test_a_model_file_with_a_wrong_gate_is_refused_by_name(tiny_model, tmp_path):
    for ood, message in (({"version": 1}, "gate against other images is damaged"), (None, "damaged"),
                         (example_gate().to_metadata(), "does not fit")):  # fmt: skip
        with pytest.raises(ArtefactError, match=message) as refused:
            load(with_gate(tiny_model, tmp_path / "wrong.onnx", ood))
        assert "wrong.onnx" in str(refused.value)


def test_a_file_without_a_gate_says_so(tiny_model):
    assert any("no gate" in warning for warning in load(tiny_model.path).model.warnings)
    assert not any("no gate" in warning for warning in myosono.load().model.warnings)


def test_plain_checks_let_muscle_like_images_pass(make_speckle):
    assert picture_fault(make_speckle(0)) is None
    assert picture_fault(make_speckle(0), colour_share=0.001) is None


@pytest.mark.parametrize(
    ("image", "share", "word"),
    [
        (np.pad(np.zeros((40, 40), np.uint8), 30, constant_values=255), 0.0, "page"),
        (np.pad(np.full((4, 40), 200, np.uint8), 60), 0.0, "black"),
        (np.random.default_rng(0).integers(0, 255, (90, 90), dtype=np.uint8), 0.3, "coloured"),
    ],
)
def test_plain_checks_name_what_they_saw(image, share, word):
    fault = picture_fault(image, share)
    assert fault.startswith(NOT_MUSCLE)
    assert word in fault


def test_a_study_of_photographs_and_pages_abstains(tmp_path):
    pictures = pytest.importorskip("skimage.data")
    for name in ("astronaut", "camera", "page", "coins", "retina", "text", "brick"):
        Image.fromarray(getattr(pictures, name)()).save(tmp_path / f"P1_RD_{name}.png")
    reading = myosono.load(threads=1).read(tmp_path)
    assert len(reading.images) == 7
    assert all(image.label is None and image.reasons[0].startswith(NOT_MUSCLE) for image in reading.images)
    assert reading.muscles == ()
    (patient,) = reading.patients
    assert patient.abstained
    assert patient.label is None
    assert patient.probabilities == {}
    assert patient.reasons == (f"{NOT_MUSCLE}: none of the images is",)


def test_real_muscle_passes_and_real_lung_does_not(shared_data):
    reader = myosono.load(threads=1)
    with (shared_data / "muscle_timtrack" / "index.csv").open() as stream:
        muscle = [shared_data / "muscle_timtrack" / row["file"] for row in csv.DictReader(stream)][::12]
    lung = sorted((shared_data / "pocus_lung" / "images").rglob("*.png"))[::25]
    kept = [not image.abstained for image in reader.read([str(path) for path in muscle]).images]
    refused = [image.abstained for image in reader.read([str(path) for path in lung]).images]
    assert np.mean(kept) >= 0.9
    assert np.mean(refused) >= 0.9


def test_features_are_roots_of_the_embedding_then_statistics(make_speckle):
    found = gate_features(make_speckle(3), np.array([4.0, -1.0], np.float32))
    np.testing.assert_allclose(found[:2], [2.0, 0.0])
    np.testing.assert_array_equal(found[2:], image_statistics(make_speckle(3)))


def test_the_second_look_sees_the_lowest_part_alone(make_speckle):
    image = make_speckle(3)
    rows = round(0.4 * len(image))
    changed = image.copy()
    changed[:-rows] = 0
    np.testing.assert_array_equal(deep_features(changed), deep_features(image))
    np.testing.assert_array_equal(deep_features(image), image_statistics(image[-rows:].copy()))
    assert np.isfinite(deep_features(image[:16])).all()


def test_muscle_above_something_else_is_refused_for_its_lower_part(make_speckle):
    whole, image = example_look(CHANNELS + len(STATISTICS), 0), make_speckle(3)
    deep = replace(example_look(len(STATISTICS), 1), threshold=np.inf)
    gate = MuscleGate(replace(whole, threshold=-np.inf), deep)
    fault = gate.fault(image, np.ones(CHANNELS, np.float32))
    assert fault.startswith(f"{NOT_MUSCLE}: its lower part")
    assert replace(gate, deep=replace(deep, threshold=-np.inf)).fault(image, np.ones(CHANNELS, np.float32)) is None


def test_no_lung_image_gets_a_class(shared_data):
    """Nor one of the scan that is mostly chest-wall muscle (person 43; docs/ood.md)."""
    images = sorted((shared_data / "pocus_lung" / "images").rglob("*.png"))
    found = load(threads=1).read([str(path) for path in images]).images
    assert len(found) == len(images) == 818
    assert [image.source for image in found if not image.abstained] == []
    assert all(image.reasons[0].startswith((NOT_MUSCLE, "blank")) for image in found)


def test_the_real_images_of_the_disease_set_are_muscle(shared_data):
    found = load(threads=1).read(sorted((shared_data / "myositis_samples").glob("*_?.png"))).images
    assert [image.abstained for image in found] == [False] * 3
