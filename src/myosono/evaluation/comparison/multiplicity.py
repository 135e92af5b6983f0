"""Several comparisons at once: Holm's step-down correction (Holm 1979, Scand J Stat 6:65)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p_values: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Adjusted p-values that control the chance of any false finding, whatever the dependence.

    Parameters
    ----------
    p_values
        Raw p-values of one family, each in [0, 1].

    Returns
    -------
    ndarray
        In the given order; never below the raw value, never above 1, and in the same order of size.

    Raises
    ------
    ValueError
        If a value is no probability.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    raw = np.asarray(p_values, dtype=np.float64)
    if not ((raw >= 0) & (raw <= 1)).all():
        raise ValueError("p-values lie between 0 and 1")
    order = np.argsort(raw, kind="stable")
    factors = np.arange(len(raw), 0, -1)
    stepped = np.maximum.accumulate(np.minimum(1.0, factors * raw[order]))
    adjusted = np.empty_like(raw)
    adjusted[order] = stepped
    return adjusted
