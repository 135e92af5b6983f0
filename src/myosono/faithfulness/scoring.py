"""Score maps of images, then compare kinds of maps on the same patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation import Estimate, PatientBootstrap, percentile_interval
from myosono.faithfulness.curves import STEPS, Curve, Predict, blurred, deletion_curve, insertion_curve
from myosono.faithfulness.ranking import removal_ranks
from myosono.faithfulness.result import CURVES, METRICS, CurveRow, MethodRow, Metric
from myosono.faithfulness.road import ROAD_SHARES, RoadScore, road

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MapScores:
    """Faithfulness of one map of one image."""

    curves: Mapping[Metric, Curve]
    road: RoadScore

    def value(self, metric: Metric) -> float:
        """Area under a curve, or ROAD combined."""
        return self.road.combined if metric == "road" else self.curves[metric].area


def score_map(
    predict: Predict,
    image: NDArray[np.float32],
    relevance: NDArray[np.floating],
    target: int,
    rng: np.random.Generator,
    *,
    fill: float,
    steps: int = STEPS,
    shares: Sequence[float] = ROAD_SHARES,
) -> MapScores:
    """Deletion, insertion (into the blurred image, and into plain grey) and ROAD of one map.

    Where class is a matter of grey level rather than of detail, a blurred image already gives it away, and only
    insertion into grey can tell maps apart.

    Parameters
    ----------
    predict
        The network: grey images ``(N, H, W)``, 0 to 255, to probabilities ``(N, classes)``.
    image
        Grey levels, shape ``(H, W)``.
    relevance
        The map on the image's grid, shape ``(H, W)``: only its order counts.
    target
        Class that the map explains.
    rng
        For the order of equal pixels and the noise of imputation.
    fill
        Grey level that stands for a deleted pixel: the mean of the training images, so that it is neither black
        (no echo) nor white.
    """
    ranks = removal_ranks(relevance, rng)
    plain = np.full_like(image, fill)
    return MapScores(
        {
            "deletion": deletion_curve(predict, image, ranks, target, fill=fill, steps=steps),
            "insertion": insertion_curve(predict, image, ranks, target, start=blurred(image), steps=steps),
            "insertion_grey": insertion_curve(predict, image, ranks, target, start=plain, steps=steps),
        },
        road(predict, image, ranks, target, rng, shares=shares),
    )


def mean_over_patients(values: Floats, patients: Sequence[str], bootstrap: PatientBootstrap) -> tuple[Floats, Floats]:
    """Mean over patients of the mean over their images, and the same in each draw of patients.

    Parameters
    ----------
    values
        Shape ``(images, ...)``.
    patients
        Of each image.

    Returns
    -------
    value, samples
        Shapes ``(...)`` and ``(resamples, ...)``.
    """
    owner = np.asarray(patients)
    means = np.stack([values[owner == patient].mean(axis=0) for patient in bootstrap.patients])
    weights = bootstrap.counts / bootstrap.counts.sum(axis=1, keepdims=True)
    return means.mean(axis=0), np.tensordot(weights, means, axes=1)


def summarise(
    scores: Mapping[str, Sequence[Sequence[MapScores]]],
    patients: Sequence[str],
    bootstrap: PatientBootstrap,
    *,
    random: str,
    class_map: str,
) -> tuple[tuple[MethodRow, ...], tuple[CurveRow, ...]]:
    """Figures and mean curves of all methods, paired over patients.

    Parameters
    ----------
    scores
        By method: for each image, one score a draw (one, or several for random maps).
    patients
        Of each image.
    random, class_map
        The methods that the others are set against.
    """
    drawn = {
        (method, metric): mean_over_patients(
            np.array([np.mean([one.value(metric) for one in draws]) for draws in images]), patients, bootstrap
        )
        for method, images in scores.items()
        for metric in METRICS
    }
    rows = tuple(
        MethodRow(
            method,
            metric,
            _estimate(drawn[method, metric]),
            _less(drawn[method, metric], drawn[random, metric]),
            _less(drawn[method, metric], drawn[class_map, metric]),
        )
        for method in scores
        for metric in METRICS
    )
    curves = tuple(
        _mean_curve(method, metric, images, patients, bootstrap)
        for method, images in scores.items()
        for metric in CURVES
    )
    return rows, curves


def _mean_curve(
    method: str,
    metric: Metric,
    images: Sequence[Sequence[MapScores]],
    patients: Sequence[str],
    bootstrap: PatientBootstrap,
) -> CurveRow:
    points = np.array([np.mean([one.curves[metric].probabilities for one in draws], axis=0) for draws in images])
    value, samples = mean_over_patients(points, patients, bootstrap)
    return CurveRow(
        method,
        metric,
        tuple(images[0][0].curves[metric].shares.tolist()),
        tuple(percentile_interval(float(v), samples[:, k]) for k, v in enumerate(value)),
    )


def _estimate(drawn: tuple[Floats, Floats]) -> Estimate:
    return percentile_interval(float(drawn[0]), drawn[1])


def _less(drawn: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Estimate:
    return percentile_interval(float(drawn[0] - other[0]), drawn[1] - other[1])
