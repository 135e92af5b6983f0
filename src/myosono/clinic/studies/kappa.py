"""Cohen's kappa with a bootstrap interval over clusters (Cohen 1960 and 1968)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
_SEED = 20240

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Kappa:
    """Chance-corrected agreement.

    Attributes
    ----------
    value
        None where it is undefined: nothing was compared, or both raters only ever used one and the same category.
    low, high
        95 % percentile interval over resampled clusters; None with fewer than two clusters, and where all draws are
        alike (raters who never differed): resampling then knows nothing of how far off they might be.
    compared, clusters
        Pairs of ratings, and the patients that they come from.
    """

    value: float | None
    low: float | None
    high: float | None
    compared: int
    clusters: int


def cohen_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    clusters: Sequence[Hashable],
    categories: Sequence[Hashable],
    *,
    quadratic: bool = False,
    draws: int = DRAWS,
) -> Kappa:
    """Agreement of two raters.

    Parameters
    ----------
    first, second
        The ratings, pair by pair.
    clusters
        Whom each pair comes from: pairs of one patient are resampled together, since they are not independent.
    categories
        In their order, which counts where ``quadratic`` is set.
    quadratic
        Weight disagreements by the square of their distance (Cohen 1968, Psychol Bull 70:213).

    Examples
    --------
    >>> cohen_kappa("aabb", "aaba", [1, 2, 3, 4], "ab").value
    0.5
    """
    place = {category: number for number, category in enumerate(categories)}
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    tables = np.zeros((len(names), len(place), len(place)))
    for one, other, cluster in zip(first, second, clusters, strict=True):
        tables[names[cluster], place[one], place[other]] += 1
    weights = _disagreement(len(place), quadratic=quadratic)
    value = float(_kappa(tables.sum(axis=0)[None], weights)[0]) if names else float("nan")
    low, high = _interval(tables, weights, draws)
    return Kappa(None if np.isnan(value) else value, low, high, len(first), len(names))


def _disagreement(size: int, *, quadratic: bool) -> Table:
    steps = np.arange(size, dtype=float)
    apart = steps[:, None] - steps[None]
    return apart**2 if quadratic else (apart != 0).astype(float)


def _kappa(tables: Table, weights: Table) -> NDArray[np.float64]:
    """Of each table of shape ``(k, k)``: 1 - observed / expected disagreement; NaN where none is expected."""
    total = tables.sum(axis=(1, 2))
    expected = np.einsum("ni,nj,ij->n", tables.sum(axis=2), tables.sum(axis=1), weights)
    observed = (tables * weights).sum(axis=(1, 2)) * total
    result: NDArray[np.float64] = 1 - np.divide(
        observed, expected, out=np.full(len(tables), np.nan), where=expected > 0
    )
    return result


def _interval(tables: Table, weights: Table, draws: int) -> tuple[float | None, float | None]:
    count = len(tables)
    if count < 2:
        return None, None
    rng = np.random.default_rng(_SEED)
    times = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
    resampled = np.einsum("dn,nij->dij", times, tables)
    values = _kappa(resampled, weights)
    values = values[~np.isnan(values)]
    if not len(values) or values.min() == values.max():
        return None, None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
