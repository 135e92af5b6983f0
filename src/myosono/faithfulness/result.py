"""What a study of heat maps found: rows of figures, as CSV and JSON hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation import Estimate

FORMAT = 1

Metric = Literal["deletion", "insertion", "insertion_grey", "road"]
METRICS: tuple[Metric, ...] = ("deletion", "insertion", "insertion_grey", "road")
"""Areas under the curves of deletion (smaller is better), insertion into the blurred image and into plain grey
(larger), and ROAD combined (larger)."""

CURVES: tuple[Metric, ...] = ("deletion", "insertion", "insertion_grey")

Measure = Literal["rank", "rank_size", "ssim"]
MEASURES: tuple[Measure, ...] = ("rank", "rank_size", "ssim")
"""Spearman's rank correlation, its size without sign, and SSIM."""

Way = Literal["cascading", "independent", "chance"]


@dataclass(frozen=True)
class HeatMapMethod:
    """A kind of map.

    Attributes
    ----------
    name, title
        For files, and for people.
    meaning
        What it shows, in one sentence.
    knows
        Whether it knows the image and the network.
    draws
        How many maps of each image were scored; above 1 for random ones.
    """

    name: str
    title: str
    meaning: str
    knows: bool = True
    draws: int = 1


@dataclass(frozen=True)
class MethodRow:
    """One figure of one kind of map, the mean over patients of the mean over their images.

    Attributes
    ----------
    estimate
        With its 95 % interval over patients.
    against_random
        This one less random maps on the same grid, in the same draws of patients.
    against_class_map
        This one less the class map as it is drawn, in the same draws.
    """

    method: str
    metric: Metric
    estimate: Estimate
    against_random: Estimate
    against_class_map: Estimate


@dataclass(frozen=True)
class CurveRow:
    """A mean curve.

    Attributes
    ----------
    metric
        One of `CURVES`.
    shares
        Of pixels deleted or inserted.
    points
        Probability of the explained class at each share.
    """

    method: str
    metric: Metric
    shares: tuple[float, ...]
    points: tuple[Estimate, ...]


@dataclass(frozen=True)
class SimilarityRow:
    """How alike the maps of the trained network and of a partly randomised one are.

    Attributes
    ----------
    way
        ``cascading``: this layer and all above it; ``independent``: this layer alone; ``chance``: no network, random
        maps on the same grid.
    layer, position
        Name, and place counted from the classifier.
    """

    method: str
    way: Way
    layer: str
    position: int
    measure: Measure
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class Example:
    """One image with its maps, for a picture.

    Attributes
    ----------
    image
        Grey levels at the network's input size, uint8 ``(H, W)``.
    maps
        Method to map, ``(H, W)``, in the study's order; one draw of the random ones.
    """

    image_id: str
    patient: str
    truth: str
    explained: str
    probability: float
    image: NDArray[np.uint8]
    maps: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class HeatMapStudy:
    """A finished study.

    Attributes
    ----------
    model, run, fold
        Which network.
    leaks
        Whether the split put a patient on both sides.
    images, patients, limit
        Held-out images and patients used, and the most images of a patient.
    accuracy
        Of those images: a map of a network that has learned nothing explains nothing.
    chance
        Accuracy of always naming the most common class of their patients; None if not known.
    grid
        Cells of the class maps, ``(h, w)``.
    rows, curves, similarities
        What was found.
    """

    model: str
    run: str
    fold: int
    cohort: str
    content_hash: str
    simulated: bool
    leaks: bool
    split: str
    images: int
    patients: int
    limit: int | None
    accuracy: float
    size: int
    grid: tuple[int, int]
    resamples: int
    seed: int
    methods: tuple[HeatMapMethod, ...]
    rows: tuple[MethodRow, ...]
    curves: tuple[CurveRow, ...]
    similarities: tuple[SimilarityRow, ...]
    created: str
    versions: dict[str, str]
    command: str = ""
    chance: float | None = None

    def title(self, method: str) -> str:
        """Title of a method."""
        return next(found.title for found in self.methods if found.name == method)

    def row(self, method: str, metric: str) -> MethodRow:
        """The one figure."""
        return next(found for found in self.rows if (found.method, found.metric) == (method, metric))

    def select(self, **wanted: object) -> Iterator[SimilarityRow]:
        """Similarities whose attributes have the wanted values, in order."""
        for row in self.similarities:
            if all(getattr(row, key) == value for key, value in wanted.items()):
                yield row

    def to_rows(self) -> list[dict[str, Any]]:
        """Figures of the methods, one flat dictionary a row, for CSV."""
        return [
            {"method": row.method, "metric": row.metric}
            | flat("value", row.estimate)
            | flat("against_random", row.against_random)
            | flat("against_class_map", row.against_class_map)
            for row in self.rows
        ]

    def to_curve_rows(self) -> list[dict[str, Any]]:
        """One flat dictionary a point of a curve, for CSV."""
        return [
            {"method": row.method, "metric": row.metric, "share": round(share, 6), **flat("value", point)}
            for row in self.curves
            for share, point in zip(row.shares, row.points, strict=True)
        ]

    def to_similarity_rows(self) -> list[dict[str, Any]]:
        """One flat dictionary a similarity, for CSV."""
        return [
            {
                "method": row.method,
                "way": row.way,
                "position": row.position,
                "layer": row.layer,
                "measure": row.measure,
                **flat("value", row.estimate),
            }
            for row in self.similarities
        ]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        described = asdict(self)
        described |= {
            "rows": self.to_rows(),
            "curves": self.to_curve_rows(),
            "similarities": self.to_similarity_rows(),
        }
        return {"format": FORMAT, **described}


def flat(name: str, estimate: Estimate) -> dict[str, float | None]:
    """An estimate as three columns, to six digits."""
    stem = "" if name == "value" else f"{name}_"
    return {
        name: None if estimate.value is None else round(estimate.value, 6),
        f"{stem}lo": None if estimate.lo is None else round(estimate.lo, 6),
        f"{stem}hi": None if estimate.hi is None else round(estimate.hi, 6),
    }
