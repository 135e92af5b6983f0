from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from PIL import Image

from myosono.cohort.drawn import draw_outliers
from myosono.errors import UsageError
from myosono.export.graph import graph_sha256
from myosono.export.ood import (
    KEPT,
    GateFeatures,
    GateImages,
    fit_gate,
    gate_metadata,
    look_alike_groups,
    outlier_features,
    restate,
)
from myosono.formats import ARTEFACT_METADATA_KEY
from myosono.reading import load

CHANNELS = 6


def cloud(name: str, centre: float, groups: int = 12, each: int = 5) -> GateImages:
    rng = np.random.default_rng(sum(map(ord, name)))
    whole, deep = centre + rng.normal(size=(2, groups * each, CHANNELS))
    return GateImages(name, whole, tuple(f"{name} {number // each}" for number in range(groups * each)), deep)


def metadata_of(path):
    entries = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    return json.loads(entries[ARTEFACT_METADATA_KEY])


def test_outliers_are_the_same_for_the_same_seed_and_of_every_kind():
    first, again, other = (
        [(kind, hashlib.sha256(image.tobytes()).hexdigest()) for kind, image in draw_outliers(2, seed=seed)]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert not set(first) & set(other)
    assert {kind for kind, _ in first} == {"lung", "breast", "organ", "page", "plain"}


def test_the_gate_separates_and_its_threshold_keeps_what_it_promises():
    gate = fit_gate([cloud("muscle", 0.0)], [cloud("other", 2.0)])
    held_out = np.random.default_rng(7).normal(size=(400, CHANNELS))
    far_on_the_other_side = held_out - 6
    for look in (gate.whole, gate.deep):
        assert np.mean(look.margin(held_out) >= 0) > KEPT - 0.05
        assert np.mean(look.margin(held_out + 3) < 0) > 0.95
        # A plane alone would take this for the best of muscle; the distance does not.
        assert np.mean(look.margin(far_on_the_other_side) < 0) > 0.95


def test_both_looks_must_find_muscle():
    gate = fit_gate([cloud("muscle", 0.0)], [cloud("other", 2.0)])
    muscle, other = np.random.default_rng(7).normal(size=(400, CHANNELS)), np.full((400, CHANNELS), 3.0)
    kept, above, below = (
        (gate.margin(*looks) >= 0).mean() for looks in ((muscle, muscle), (muscle, other), (other, muscle))
    )
    assert kept > 0.9
    assert (above, below) == (0, 0)
    assert (gate.margin(muscle) >= 0).mean() >= kept


def test_without_lower_parts_the_gate_looks_once():
    muscle = replace(cloud("muscle", 0.0), deep=None)
    assert fit_gate([muscle], [cloud("other", 2.0)]).deep is None


def test_only_real_sources_set_the_threshold():
    simulated, real, other = cloud("simulated", 0.0), cloud("real", 0.5), cloud("other", 3.0)
    scored = {name: fit_gate([simulated, real], [other], real=[name]).whole.threshold for name in ("simulated", "real")}
    assert scored["simulated"] != scored["real"]


def test_muscle_of_one_patient_is_too_little():
    alone = GateImages("one", np.zeros((8, CHANNELS)), ("P1",) * 8)
    with pytest.raises(UsageError, match="at least two patients"):
        fit_gate([alone], [cloud("other", 2.0)])


def test_each_source_of_outliers_counts():
    """What is near muscle but for one source of outliers is refused once that source is known."""
    muscle, far, near = cloud("muscle", 0.0, 60), cloud("far", 6.0, 60), cloud("near", 0.0, 60)
    near.whole[:, 0] -= 3.0  # in one feature only, and away from the others
    without, informed = fit_gate([muscle], [far]), fit_gate([muscle], [far, near])
    passed = [float((gate.margin(near.whole) >= 0).mean()) for gate in (without, informed)]
    assert passed[1] < 0.6 * passed[0]


def test_real_images_that_are_not_muscle_need_not_look_like_a_scan(tiny_model, tmp_path):
    page = np.full((120, 160), 250, np.uint8)
    page[20:100:6] = 0
    for number in range(2):
        Image.fromarray(np.roll(page, number)).save(tmp_path / f"{number}.png")
    features = GateFeatures(onnx.load(tiny_model.path))
    assert len(features.of_folder(tmp_path, muscle=False, quiet=True).groups) == 2
    with pytest.raises(UsageError, match="cannot teach the gate muscle"):
        features.of_folder(tmp_path, quiet=True)


def test_look_alikes_share_a_group(make_speckle):
    first, other = make_speckle(1), make_speckle(2)
    nearly = np.clip(first.astype(int) + 3, 0, 255).astype(np.uint8)
    groups = look_alike_groups([first, other, nearly])
    assert groups[0] == groups[2] != groups[1]


@pytest.fixture(scope="module")
def gated(tiny_model, tiny_cohort, tmp_path_factory):
    model = onnx.load(tiny_model.path)
    features = GateFeatures(model)
    ids = tiny_cohort.table["image_id"].tolist()
    inside = features.of_images(
        "tiny", (tiny_cohort.image(name) for name in ids), tiny_cohort.table["patient_id"].tolist()
    )
    ood = gate_metadata(model, inside, [outlier_features(features, per_kind=12, quiet=True)], quiet=True)
    path = tmp_path_factory.mktemp("gated") / "gated.onnx"
    restate(tiny_model.path, {"ood": ood}, path)
    return path


def test_adding_a_gate_changes_nothing_else(gated, tiny_model):
    before, after = metadata_of(tiny_model.path), metadata_of(gated)
    assert set(after) - set(before) == {"ood"}
    assert {key: after[key] for key in before} == before
    assert graph_sha256(onnx.load(gated)) == graph_sha256(onnx.load(tiny_model.path))
    assert [source["name"] for source in after["ood"]["fitted_on"]] == ["tiny", "drawn outliers"]
    assert gated.stat().st_size - tiny_model.path.stat().st_size < 75_000


def test_a_gated_model_keeps_muscle_and_refuses_the_rest(gated, tiny_cohort):
    reader = load(gated, threads=1)
    muscle = reader.read([tiny_cohort.image(name) for name in tiny_cohort.table["image_id"]])
    assert np.mean([image.abstained for image in muscle.images]) <= 0.15
    drawn = reader.read([image for _, image in draw_outliers(6, seed=5)], patient_id="P")
    stopped = [image for image in drawn.images if image.abstained]
    assert len(stopped) >= 0.9 * len(drawn.images)
    assert all(image.label is None for image in stopped)
    assert all(image.reasons[0].startswith(("not muscle ultrasound", "blank image")) for image in stopped)


def test_a_second_gate_replaces_the_first(gated, tmp_path):
    ood = metadata_of(gated)["ood"]
    restate(gated, {"ood": ood | {"threshold": -99.0}}, tmp_path / "again.onnx")
    assert load(tmp_path / "again.onnx").artefact.gate.whole.threshold == -99.0


def test_a_file_of_others_gets_no_gate(tmp_path):
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph), tmp_path / "other.onnx")
    with pytest.raises(UsageError, match="not a model of myosono"):
        restate(tmp_path / "other.onnx", {}, tmp_path / "out.onnx")


@pytest.mark.parametrize("option", ["--muscle-images", "--other-images"])
def test_images_for_no_gate_are_a_contradiction(tmp_path, option):
    from typer.testing import CliRunner

    from myosono.cli.main import app

    result = CliRunner().invoke(
        app, ["export", str(tmp_path), "--cohort", "c", "--out", "m.onnx", "--no-gate", option, "x"]
    )
    assert result.exit_code != 0
    assert "no-gate" in str(result.exception or result.output)
