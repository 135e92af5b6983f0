"""The probabilities of a predictions table: what is one, and what rounding may have done to a row's sum."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from myosono.errors import PredictionsError

SUM_TOLERANCE = 1e-3
"""By which a row's sum may miss 1 in any table, for single precision and what else is lost on the way."""
_MOST = 0.5
"""A row that misses 1 by more says too little to be scaled, however it was rounded."""
PREFIX = "p_"
_PERCENT = "These are percentages: divide them by 100."

Floats = NDArray[np.float64]


def read_probabilities(frame: pd.DataFrame, names: Sequence[str], path: Path | None) -> tuple[Floats, tuple[str, ...]]:
    """Probabilities of all rows, each summing to 1.

    A table that another tool rounded, to two decimals for instance, holds rows that sum to 0.99 or 1.01. Each of its
    numbers is off by half a unit of the last decimal at most, and so a row by that times the classes: such rows are
    scaled to 1.

    Parameters
    ----------
    frame
        Has a column ``p_<name>`` for each of ``names``, of numbers or of text.
    path
        Where the table came from, for messages.

    Returns
    -------
    probabilities, notes
        Shape ``(rows, classes)``; what was done to them, in sentences.

    Raises
    ------
    PredictionsError
        With the column and row (counted from 1) of what is no probability.
    """
    given = {name: frame[PREFIX + name].reset_index(drop=True) for name in names}
    numbers = {name: _numbers(values) for name, values in given.items()}
    if _are_percent(given, numbers):
        reason = f"columns {PREFIX}{names[0]}..{PREFIX}{names[-1]} sum to 100, not to 1"
        raise PredictionsError(reason, path=path, remedy=_PERCENT)
    for name in names:
        _check(given[name], numbers[name], PREFIX + name, path)
    stacked = np.stack([column.clip(min=0) for column in numbers.values()], axis=1)
    sums = stacked.sum(axis=1)
    notes = _check_sums(given, sums, path) if (np.abs(sums - 1) > SUM_TOLERANCE).any() else ()
    return np.asarray(stacked / sums[:, None], dtype=np.float64), notes


def rounding_tolerance(decimals: int, classes: int) -> float:
    """By how much a row may miss 1 where every probability was rounded to some decimals.

    Examples
    --------
    >>> rounding_tolerance(2, 4), rounding_tolerance(17, 4), rounding_tolerance(0, 4)
    (0.02, 0.001, 0.001)
    """
    # Whole numbers are decisions, not rounded probabilities: two of them in a row are an error.
    found = classes * 0.5 * 10.0**-decimals if decimals > 0 else 0.0
    return min(max(SUM_TOLERANCE, found), _MOST)


def _numbers(values: pd.Series) -> Floats:
    """As float; NaN where there is no number."""
    if not pd.api.types.is_numeric_dtype(values):
        text = values.astype(str).str.strip().str.replace(",", ".", regex=False)
        values = pd.to_numeric(text.str.removesuffix("%"), errors="coerce")
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _are_percent(given: dict[str, pd.Series], numbers: dict[str, Floats]) -> bool:
    """Whether a sign says so, or most rows sum to 100."""
    if any(values.astype(str).str.strip().str.endswith("%").any() for values in given.values()):
        return True
    stacked = np.stack(list(numbers.values()), axis=1)
    sums = stacked.sum(axis=1)
    known = np.isfinite(sums) & (stacked >= 0).all(axis=1)
    # 1 beside 100: of percentages that were rounded to whole ones.
    return bool(known.any() and np.median(np.abs(sums[known] - 100)) <= 1)


def _check(given: pd.Series, numbers: Floats, column: str, path: Path | None) -> None:
    wrong = np.flatnonzero(~((numbers >= -1e-6) & (numbers <= 1 + SUM_TOLERANCE)))
    if not len(wrong):
        return
    row, value = wrong[0] + 1, given.iloc[wrong[0]]
    if pd.isna(value) or not str(value).strip():
        raise PredictionsError(
            f"column {column} is empty in row {row}", path=path, remedy="Give every class its probability in each row"
        )
    reason = f"column {column} holds {value!s:.40} in row {row}, which is no probability"
    raise PredictionsError(reason, path=path, remedy="Probabilities lie between 0 and 1.")


def _check_sums(given: dict[str, pd.Series], sums: Floats, path: Path | None) -> tuple[str, ...]:
    names = list(given)
    decimals = max(_decimals(values) for values in given.values())
    # A hair more, since 0.98 and 1.02 are no binary numbers.
    off = np.flatnonzero(np.abs(sums - 1) > rounding_tolerance(decimals, len(names)) + 1e-9)
    if len(off):
        reason = f"columns {PREFIX}{names[0]}..{PREFIX}{names[-1]} sum to {sums[off[0]]:.4g} in row {off[0] + 1}"
        raise PredictionsError(
            reason, path=path, remedy="Each row's probabilities must sum to 1 (softmax, not logits)."
        )
    count = int((np.abs(sums - 1) > SUM_TOLERANCE).sum())
    places = f"{decimals} decimal{'s' if decimals != 1 else ''}"
    return (
        f"The probabilities are rounded to {places}: {count} of {len(sums)} rows sum to between {sums.min():.4g} and "
        f"{sums.max():.4g} and were scaled to 1. Rounding makes ties, which AUC counts half.",
    )


def _decimals(values: pd.Series) -> int:
    """Decimals of the number that has most of them, as it is written."""
    # An array's own scalars: 0.12 in single precision is written 0.12, not as the double nearest to it.
    written = {str(value).strip().replace(",", ".") for value in values.to_numpy()}
    return max((_decimals_of(text) for text in written), default=0)


def _decimals_of(text: str) -> int:
    try:
        exponent = Decimal(text).as_tuple().exponent
    except InvalidOperation:
        return 0
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0
