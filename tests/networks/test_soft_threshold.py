"""The properties and pitfalls of soft thresholding (see the module's docstring)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from myosono.networks import SoftThreshold, shrinkage_map, soft_threshold
from myosono.networks.soft_threshold import garrote_threshold, soft_threshold_for_training

AXES = ("channel", "spatial")


def features(seed: int, scale: float = 1.0, channels: int = 8) -> torch.Tensor:
    return torch.randn(2, channels, 9, 7, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize("axis", AXES)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3), bias=st.floats(-4, 4))
@settings(max_examples=40, deadline=None)
def test_threshold_is_non_negative_and_below_the_mean_magnitude(axis, seed, scale, bias):
    torch.manual_seed(seed)
    layer = SoftThreshold(8, axis=axis, initial_bias=bias)
    x = features(seed, scale)
    tau = layer.threshold(x)
    mean = x.abs().mean(dim=(2, 3) if axis == "channel" else 1, keepdim=True)
    assert tau.shape == mean.shape
    assert (tau >= 0).all()
    assert (tau <= mean).all()


@pytest.mark.parametrize("axis", AXES)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_shrinks_without_changing_sign_and_is_exactly_zero_below_the_threshold(axis, seed, scale):
    torch.manual_seed(seed)
    layer = SoftThreshold(8, axis=axis)
    x = features(seed, scale)
    tau, y = layer.threshold(x), layer(x)
    assert (y * x >= 0).all()
    assert (y.abs() <= x.abs()).all()
    assert (y[x.abs() <= tau] == 0).all()
    torch.testing.assert_close(y, x.sign() * (x.abs() - tau).clamp_min(0), rtol=1e-5, atol=1e-6 * scale)


@given(a=st.floats(-100, 100), b=st.floats(-100, 100), tau=st.floats(0, 50))
def test_shrinkage_is_1_lipschitz(a, b, tau):
    x = torch.tensor([a, b], dtype=torch.float64)
    y = soft_threshold(x, torch.tensor(tau, dtype=torch.float64))
    assert (y[0] - y[1]).abs() <= (x[0] - x[1]).abs() + 1e-9


def test_pooling_ignores_the_sign_of_features():
    """Pooling the signed feature would give a negative threshold here, which amplifies."""
    torch.manual_seed(0)
    layer = SoftThreshold(4)
    x = -torch.ones(1, 4, 8, 8)
    assert (layer.threshold(x) > 0).all()
    assert (layer(x).abs() <= 1).all()


def test_channel_axis_keeps_a_weak_channel_that_the_spatial_axis_removes():
    torch.manual_seed(0)
    x = features(1, channels=16)
    x[:, 0] *= 0.1
    kept = {axis: (SoftThreshold(16, axis=axis, initial_bias=0.0)(x)[:, 0] != 0).float().mean() for axis in AXES}
    assert kept["channel"] > 0.5
    assert kept["spatial"] < 0.05


def test_initial_bias_sets_how_much_is_zeroed_at_the_start():
    torch.manual_seed(0)
    x = features(2, channels=32)
    half = (SoftThreshold(32, initial_bias=0.0)(x) == 0).float().mean().item()
    gentle = (SoftThreshold(32, initial_bias=-4.0)(x) == 0).float().mean().item()
    assert half == pytest.approx(0.31, abs=0.03)  # P(|z| < E|z| / 2) of a Gaussian
    assert gentle < 0.03


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [0.0, 1e-4, 1.0, 1e4])
def test_no_nan_in_half_precision(axis, dtype, scale):
    torch.manual_seed(0)
    layer = SoftThreshold(8, axis=axis).to(dtype)
    x = (features(3) * scale).to(dtype).requires_grad_()
    y = layer(x)
    assert torch.isfinite(y).all()
    if scale <= 1:  # beyond it a sum of gradients over positions exceeds fp16's range, as any loss scaler expects
        y.float().mean().backward()
        assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("axis", AXES)
def test_batch_of_one_gives_what_a_batch_of_many_gives_in_training(axis):
    torch.manual_seed(0)
    layer = SoftThreshold(8, axis=axis).train()
    x = features(4)
    torch.testing.assert_close(layer(x)[:1], layer(x[:1]))


@pytest.mark.parametrize("axis", AXES)
def test_the_threshold_learns(axis):
    torch.manual_seed(0)
    layer = SoftThreshold(8, axis=axis)
    layer(features(5)).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.excite.parameters())


@given(x=st.floats(-100, 100), tau=st.floats(0, 50))
def test_garrote_lies_between_soft_threshold_and_identity(x, tau):
    value, level = torch.tensor(x, dtype=torch.float64), torch.tensor(tau, dtype=torch.float64)
    y = float(garrote_threshold(value, level))
    assert y == pytest.approx(x - tau * tau / x if abs(x) > max(tau, 1e-300) else 0.0, abs=1e-9)
    assert abs(float(soft_threshold(value, level))) <= abs(y) + 1e-9
    assert abs(y) <= abs(x)
    assert y * x >= 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("level", [0.0, 1e-6, 1.0, 200.0])
def test_garrote_and_its_gradient_are_finite(dtype, level):
    x = torch.tensor([0.0, 1e-7, -1e-7, level, -level, 2 * level, 300.0, -300.0], dtype=dtype, requires_grad=True)
    tau = torch.tensor(level, dtype=dtype, requires_grad=True)
    y = garrote_threshold(x, tau)
    y.float().mean().backward()
    assert torch.isfinite(y).all()
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(tau.grad)


@pytest.mark.parametrize("option", ["axis", "shrinkage"])
def test_unknown_options_are_refused(option):
    with pytest.raises(ValueError, match=option):
        SoftThreshold(8, **{option: "height"})


def test_shrinkage_map_runs_from_nothing_to_all():
    x = features(6)
    assert torch.allclose(shrinkage_map(x, x), torch.zeros(2, 9, 7))
    assert torch.allclose(shrinkage_map(x, torch.zeros_like(x)), torch.ones(2, 9, 7))
    assert torch.isfinite(shrinkage_map(torch.zeros_like(x), torch.zeros_like(x))).all()


@given(value=st.floats(-50, 50, width=32), level=st.floats(0, 20, width=32))
def test_the_form_for_training_is_the_same_function(value: float, level: float) -> None:
    x, tau = torch.tensor(value), torch.tensor(level)
    torch.testing.assert_close(soft_threshold_for_training(x, tau), soft_threshold(x, tau))


def test_eval_and_training_mode_agree() -> None:
    torch.manual_seed(0)
    layer = SoftThreshold(16)
    x = torch.randn(2, 16, 9, 7)
    torch.testing.assert_close(layer.train()(x), layer.eval()(x))
