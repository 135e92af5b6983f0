"""Soft-threshold attention: a learned threshold removes features too weak to matter.

The deep residual shrinkage idea (Zhao et al. 2020, IEEE Trans Ind Inform 16:4681) as Tan et al. 2024
(J Biomed Eng 41:895) apply it to muscle ultrasound. For features ``x`` and a threshold ``tau >= 0``,

    y = sign(x) * max(|x| - tau, 0),        tau = alpha(x) * mean |x|,        0 < alpha < 1.

The threshold is non-negative by construction and below the mean magnitude, so it can neither amplify nor
silence everything. ``tau`` has no physical meaning: it is a diagnostic, never a noise level.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Axis = Literal["channel", "spatial"]
Shrinkage = Literal["soft", "garrote"]

_MIN_HIDDEN = 8


class SoftThreshold(nn.Module):
    """Soft threshold whose level each channel (or each position) learns from its own magnitude.

    Parameters
    ----------
    channels
        Feature channels.
    axis
        ``"channel"`` (default): one threshold a channel, from that channel's mean magnitude over positions.
        ``"spatial"``: one threshold a position, shared by all channels, from the mean magnitude over
        channels; weak channels then fall below it entirely, which is why it is not the default.
    reduction
        Channels are divided by this in the hidden layer of the threshold branch.
    initial_bias
        Bias of the layer before the sigmoid: -2 starts alpha near 0.12. At 0 alpha starts at 0.5, which
        zeroes 31 % of Gaussian features in every block.
    shrinkage
        ``"soft"`` (default): everything above the threshold loses ``tau``. ``"garrote"``: what is far above it is
        hardly touched (see `garrote_threshold`).

    Notes
    -----
    The branch has no batch norm, so it behaves alike at any batch size.
    """

    def __init__(
        self,
        channels: int,
        *,
        axis: Axis = "channel",
        reduction: int = 4,
        initial_bias: float = -2.0,
        shrinkage: Shrinkage = "soft",
    ) -> None:
        super().__init__()
        if axis not in ("channel", "spatial"):
            raise ValueError(f"axis must be 'channel' or 'spatial', not {axis!r}")
        if shrinkage not in ("soft", "garrote"):
            raise ValueError(f"shrinkage must be 'soft' or 'garrote', not {shrinkage!r}")
        self.axis = axis
        self.shrinkage = shrinkage
        hidden = max(channels // reduction, _MIN_HIDDEN)
        if axis == "channel":
            self.squeeze, self.excite = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
        else:
            self.squeeze, self.excite = nn.Conv2d(1, hidden, 3, padding=1), nn.Conv2d(hidden, 1, 1)
        self.activation = nn.ReLU(inplace=False)
        nn.init.normal_(self.excite.weight, std=0.01)
        assert self.excite.bias is not None
        nn.init.constant_(self.excite.bias, initial_bias)

    def threshold(self, x: Tensor) -> Tensor:
        """Threshold ``tau``: ``(N, C, 1, 1)`` for the channel axis, ``(N, 1, H, W)`` for the spatial one."""
        magnitude = x.abs().mean(dim=(2, 3) if self.axis == "channel" else 1, keepdim=True)
        alpha = torch.sigmoid(self.excite(self.activation(self.squeeze(magnitude))))
        return alpha * magnitude

    def forward(self, x: Tensor) -> Tensor:
        """Shrink features ``(N, C, H, W)`` towards zero by their threshold."""
        tau = self.threshold(x)
        if self.shrinkage == "garrote":
            return garrote_threshold(x, tau)
        return soft_threshold_for_training(x, tau) if self.training else soft_threshold(x, tau)


def soft_threshold(x: Tensor, tau: Tensor) -> Tensor:
    """``sign(x) * max(|x| - tau, 0)`` for ``tau >= 0`` that broadcasts to ``x``."""
    # Three operations on the features, without Sign or Abs: the fewest of the forms tried.
    return x - torch.minimum(torch.maximum(x, -tau), tau)


def soft_threshold_for_training(x: Tensor, tau: Tensor) -> Tensor:
    """The same function as two Relus, whose backward pass was the fastest of the forms tried."""
    return torch.relu(x - tau) - torch.relu(-x - tau)


def garrote_threshold(x: Tensor, tau: Tensor) -> Tensor:
    """``x * max(1 - tau² / x², 0)`` for ``tau >= 0`` that broadcasts to ``x``: the non-negative garrote.

    Continuous like the soft threshold, but its bias ``tau² / x`` fades for large ``x`` (Breiman 1995, Technometrics
    37:373; Gao 1998, J Comput Graph Stat 7:469).
    """
    # The smallest normal number bounds tau / x and its gradient, so neither branch can make a NaN.
    kept = x.abs() > tau.clamp_min(torch.finfo(x.dtype).tiny)
    ratio = torch.where(kept, tau / torch.where(kept, x, torch.ones_like(x)), torch.zeros_like(x))
    return torch.where(kept, x, torch.zeros_like(x)) - tau * ratio


def shrinkage_map(before: Tensor, after: Tensor) -> Tensor:
    """Share of the feature magnitude that an attention removed, at each position.

    For a gate (squeeze-excitation, ECA, CBAM), which scales by a factor between 0 and 1, it is the attenuation: one
    minus the mean factor, weighted by magnitude. Without an attention it is 0.

    Parameters
    ----------
    before, after
        Features ``(N, C, H, W)`` on either side of an attention that never enlarges any.

    Returns
    -------
    Tensor
        ``(N, H, W)``, from 0 (nothing removed) to 1 (all removed).
    """
    total = before.abs().sum(1)
    return 1 - after.abs().sum(1) / total.clamp_min(torch.finfo(total.dtype).tiny)
