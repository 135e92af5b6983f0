"""Normals and z-scores: what the regression recovers, what it refuses, and what it says across devices."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from myosono.errors import CohortError, UsageError
from myosono.quantification import MINIMUM_NORMALS, Reference, fit_reference


def fit(sites, *, simulated: bool = False, minimum: int = MINIMUM_NORMALS) -> Reference:
    return fit_reference(sites, source="test", region="given", simulated=simulated, minimum=minimum)


def test_the_regression_recovers_age_sex_and_side(make_normals) -> None:
    (model,) = fit(make_normals(400)).models
    terms = dict(zip(model.terms, model.coefficients, strict=True))
    assert terms["mean"] == pytest.approx(60, abs=1)
    assert terms["age"] == pytest.approx(0.4, abs=0.04)
    assert terms["male"] == pytest.approx(-6, abs=1.2)
    assert terms["left"] == pytest.approx(2, abs=0.01)
    assert model.sd == pytest.approx(5, rel=0.1)
    assert (model.patients, model.sites) == (400, 800)


def test_z_scores_of_normals_are_standard_normal_and_one_more_sd_is_one_more(make_normals) -> None:
    reference = fit(make_normals(300))
    scores = []
    for site in make_normals(300, seed=1):
        scored = reference.z_score(
            site.echo_intensity, muscle="D", side=site.side, age=site.age, sex=site.sex, device="A"
        )
        scores.append(scored.z)
    assert np.mean(scores) == pytest.approx(0, abs=0.2)
    assert np.std(scores) == pytest.approx(1, abs=0.12)
    low, high = (reference.z_score(level, muscle="D", side="L", age=40, sex="F", device="A") for level in (60, 70))
    assert high.z - low.z == pytest.approx(10 / low.sd)
    assert low.warnings == ()


def test_too_few_normals_are_left_out_and_said(make_normals) -> None:
    with pytest.raises(CohortError, match="no muscle has 20 normals on one device"):
        fit(make_normals(19))
    reference = fit([*make_normals(30), *make_normals(8, muscle="B")])
    assert [model.muscle for model in reference.models] == ["D"]
    scored = reference.z_score(50, muscle="B", side="L", age=40, sex="F", device="A")
    assert scored.z is None
    assert "8 normals, fewer than 20" in str(scored.reason)
    few = fit(make_normals(8), minimum=8).z_score(50, muscle="D", side="L", age=50, sex="F", device="A")
    assert any("only 8 normals" in warning for warning in few.warnings)
    with pytest.raises(UsageError, match="at least 3"):
        fit(make_normals(30), minimum=2)


def test_devices_are_never_pooled_and_never_compared_without_saying_so(make_normals) -> None:
    reference = fit([*make_normals(30), *make_normals(25, device="B")])
    assert reference.devices == ("A", "B")
    known = {"muscle": "D", "side": "L", "age": 45.0, "sex": "F"}
    for device in ("C", None, ""):
        refused = reference.z_score(60, device=device, **known)
        assert refused.z is None
        assert "across devices" in str(refused.reason)
        told = reference.z_score(60, device=device, across_devices=True, **known)
        assert told.z is not None
        assert any(warning.startswith("compared across devices") for warning in told.warnings)
    same = reference.z_score(60, device="B", across_devices=True, **known)
    assert same.normals == 25
    assert same.warnings == ()


def test_an_unknown_device_is_not_the_same_as_an_unknown_device(make_normals) -> None:
    reference = fit(make_normals(30, device=""))
    assert reference.z_score(60, muscle="D", side="L", age=45, sex="F", device="").z is None


def test_terms_that_the_normals_cannot_support_are_left_out(make_normals) -> None:
    sites = [replace(site, age=None, sex="F") for site in make_normals(30)]
    (model,) = fit(sites).models
    assert model.terms == ("mean", "left")
    assert fit(sites).z_score(60, muscle="D", side="R", device="A").z is not None


def test_what_the_normals_differ_by_must_be_known(make_normals) -> None:
    reference = fit(make_normals(30))
    assert "age" in str(reference.z_score(60, muscle="D", side="L", sex="F", device="A").reason)
    assert "sex" in str(reference.z_score(60, muscle="D", side="L", age=50, device="A").reason)
    assert "side" in str(reference.z_score(60, muscle="D", age=50, sex="F", device="A").reason)
    assert reference.z_score(60, muscle=None, age=50, sex="F", device="A").reason == "muscle unknown"
    old = reference.z_score(60, muscle="D", side="L", age=95, sex="F", device="A")
    assert any("extrapolated" in warning for warning in old.warnings)


def test_two_sides_of_a_person_do_not_count_as_two_people(make_normals) -> None:
    one_side = fit([site for site in make_normals(30) if site.side == "L"]).models[0]
    both = fit(make_normals(30)).models[0]
    assert both.patients == one_side.patients == 30
    assert both.sd == pytest.approx(one_side.sd, rel=0.05)


def test_a_reference_survives_its_file_and_a_damaged_one_is_refused(make_normals, tmp_path) -> None:
    reference = fit(make_normals(30), simulated=True)
    path = reference.save(tmp_path / "reference.json")
    again = Reference.open(path)
    known = {"muscle": "D", "side": "L", "age": 45.0, "sex": "F", "device": "A"}
    assert again.z_score(70, **known) == reference.z_score(70, **known)
    assert "simulated" in again.z_score(70, **known).warnings[0]
    data = json.loads(path.read_text())
    for change in ({"format": 99}, {"models": [{}]}):
        path.write_text(json.dumps(data | change))
        with pytest.raises(CohortError, match=r"reference\.json"):
            Reference.open(path)
    path.write_text("{")
    with pytest.raises(CohortError, match="cannot be read"):
        Reference.open(path)
    with pytest.raises(CohortError, match="does not exist"):
        Reference.open(tmp_path / "absent.json")


def test_same_sites_in_another_order_give_the_same_reference(make_normals) -> None:
    sites = make_normals(30)
    first, second = fit(sites).models[0], fit(sites[::-1]).models[0]
    assert first.sd == pytest.approx(second.sd)
    np.testing.assert_allclose(first.coefficients, second.coefficients)
    assert math.isfinite(first.sd)


def score(sites, **known):
    return fit(sites).z_score(60, **({"muscle": "D", "side": "L", "age": 50.0, "sex": "F", "device": "A"} | known))


def test_normals_of_one_sex_say_so_to_the_other_alone(make_normals) -> None:
    women = [replace(site, sex="F") for site in make_normals(30)]
    assert score(women).warnings == ()
    assert score(women, sex="M").warnings == ("no men among the normals: not adjusted for sex",)
    assert score(women, sex=None).warnings == ("not adjusted for sex: all normals are women",)


def test_normals_of_one_side_or_of_unknown_sex_say_what_is_not_adjusted_for(make_normals) -> None:
    right = [site for site in make_normals(30) if site.side == "R"]
    assert score(right, side="R").warnings == ()
    assert score(right).warnings == ("no left sides among the normals: not adjusted for side",)
    first, *others = make_normals(30)
    assert score([replace(first, sex=""), *others]).warnings == ("not adjusted for sex: unknown of some normals",)


def test_one_normal_without_an_age_removes_the_term_but_no_warning(make_normals) -> None:
    sites = make_normals(30)
    sites = [replace(site, age=None) if site.patient_id == "P0" else site for site in sites]
    young, old = fit(sites).models[0].age_range
    assert 25 <= young < old <= 80
    assert score(sites).warnings == ("not adjusted for age: known of 29 of 30 normals",)
    assert any(warning.startswith("age 95 lies outside") for warning in score(sites, age=95.0).warnings)
    none = score([replace(site, age=None) for site in sites]).warnings
    assert none == ("not adjusted for age: known of 0 of 30 normals",)


def test_a_reference_of_an_older_version_is_read_and_warns_of_what_it_does_not_adjust_for(
    make_normals, tmp_path
) -> None:
    reference = fit([replace(site, sex="F", age=None) for site in make_normals(30)])
    path = reference.save(tmp_path / "reference.json")
    data = json.loads(path.read_text())
    assert (data["models"][0]["sexes"], data["models"][0]["sides"], data["models"][0]["ages"]) == (["F"], ["L", "R"], 0)
    for key in ("sexes", "sides", "ages"):
        del data["models"][0][key]
    del data["images_left_out"], data["notes"]
    path.write_text(json.dumps(data))
    known = {"muscle": "D", "side": "L", "age": 45.0, "sex": "M", "device": "A"}
    assert Reference.open(path).z_score(60, **known).warnings == ("not adjusted for age", "not adjusted for sex")
