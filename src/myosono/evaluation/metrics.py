"""Multi-class and binary metrics, vectorised over sets of weights.

A resample of patients is a set of integer weights on the units, so that one function gives the point estimate
(all weights 1) and every bootstrap replicate, and the two cannot disagree.

A class without units has no sensitivity, F1 or AUC: these are NaN, and the macro averages are taken over the classes
that are present among the targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CHUNK = 128


@dataclass(frozen=True, eq=False)
class Scores:
    """Metrics under each of ``R`` sets of weights, for ``K`` classes.

    Attributes
    ----------
    accuracy, balanced_accuracy, macro_f1, auc
        Shape ``(R,)``. ``auc`` is the macro average of the one-vs-rest AUCs.
    sensitivity, specificity, class_auc
        Shape ``(R, K)``, one-vs-rest.
    confusion
        Shape ``(R, K, K)``: weight of targets (rows) by decisions (columns).
    """

    accuracy: Floats
    balanced_accuracy: Floats
    macro_f1: Floats
    auc: Floats
    sensitivity: Floats
    specificity: Floats
    class_auc: Floats
    confusion: Floats


def score(targets: NDArray[np.integer], probabilities: Floats, weights: Floats | None = None) -> Scores:
    """Score probabilities against targets; the decision is the most probable class.

    Parameters
    ----------
    targets
        Class indices, shape ``(units,)``.
    probabilities
        Shape ``(units, classes)``.
    weights
        Shape ``(R, units)``, non-negative. Default: one set of ones.

    Examples
    --------
    >>> found = score(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    >>> found.balanced_accuracy.tolist(), found.auc.tolist()
    ([0.75], [1.0])
    """
    if weights is None:
        weights = np.ones((1, len(targets)))
    classes = probabilities.shape[1]
    cells = np.zeros((len(targets), classes * classes))
    cells[np.arange(len(targets)), targets * classes + probabilities.argmax(axis=1)] = 1
    confusion = (weights @ cells).reshape(-1, classes, classes)
    aucs = [one_vs_rest_auc(targets == k, probabilities[:, k], weights) for k in range(classes)]
    class_auc = np.stack(aucs, axis=1)
    return _from_confusion(confusion, class_auc)


def _from_confusion(confusion: Floats, class_auc: Floats) -> Scores:
    right = np.diagonal(confusion, axis1=1, axis2=2)
    actual, decided = confusion.sum(axis=2), confusion.sum(axis=1)
    total = actual.sum(axis=1, keepdims=True)
    sensitivity = _ratio(right, actual)
    f1 = np.where(actual > 0, _ratio(2 * right, actual + decided), np.nan)
    return Scores(
        accuracy=_ratio(right.sum(axis=1), total[:, 0]),
        balanced_accuracy=_mean_of_defined(sensitivity),
        macro_f1=_mean_of_defined(f1),
        auc=_mean_of_defined(class_auc),
        sensitivity=sensitivity,
        specificity=_ratio(total - actual - decided + right, total - actual),
        class_auc=class_auc,
        confusion=confusion,
    )


def one_vs_rest_auc(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve, ties counted half, under each set of weights.

    Parameters
    ----------
    positive
        Shape ``(units,)``.
    scores
        Shape ``(units,)``; higher means more like the class.
    weights
        Shape ``(R, units)``.

    Returns
    -------
    auc
        Shape ``(R,)``; NaN where either side has no weight.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])[: len(scores)]
    found = np.full(len(weights), np.nan)
    if not len(scores):
        return found
    for begin in range(0, len(weights), _CHUNK):
        part = weights[begin : begin + _CHUNK, order]
        above = np.add.reduceat(np.where(positive[order], part, 0.0), starts, axis=1)
        below = np.add.reduceat(np.where(positive[order], 0.0, part), starts, axis=1)
        wins = (above * (below.cumsum(axis=1) - 0.5 * below)).sum(axis=1)
        found[begin : begin + _CHUNK] = _ratio(wins, above.sum(axis=1) * below.sum(axis=1))
    return found


def roc_curve(positive: NDArray[np.bool_], scores: Floats, *, points: int = 200) -> tuple[Floats, Floats]:
    """False and true positive rate over all cuts, thinned to at most ``points`` for drawing; empty if undefined."""
    if positive.all() or not positive.any():
        return np.empty(0), np.empty(0)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.r_[np.diff(scores[order]) != 0, True]
    true = np.r_[0, positive[order].cumsum()[last_of_tie]] / positive.sum()
    false = np.r_[0, (~positive[order]).cumsum()[last_of_tie]] / (~positive).sum()
    keep = np.unique(np.linspace(0, len(true) - 1, points).round().astype(int))
    return false[keep], true[keep]


def _ratio(above: Floats, below: Floats) -> Floats:
    out = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def _mean_of_defined(values: Floats) -> Floats:
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1).astype(np.float64))
