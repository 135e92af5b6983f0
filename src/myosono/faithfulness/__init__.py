"""Room: faithfulness (see docs/architecture.md).

Whether a heat map shows what a network looked at: any network, as a function from images to probabilities, and any
map, as an array. Without torch.
"""

from myosono.faithfulness.baselines import centre_prior, random_map, upsampled
from myosono.faithfulness.curves import Curve, Predict, blurred, deletion_curve, insertion_curve
from myosono.faithfulness.ranking import removal_ranks
from myosono.faithfulness.result import (
    CurveRow,
    Example,
    HeatMapMethod,
    HeatMapStudy,
    MethodRow,
    SimilarityRow,
)
from myosono.faithfulness.road import ROAD_SHARES, RoadScore, noisy_linear_imputation, road
from myosono.faithfulness.scoring import MapScores, mean_over_patients, score_map, summarise
from myosono.faithfulness.similarity import rank_correlation, structural_similarity

__all__ = [
    "ROAD_SHARES",
    "Curve",
    "CurveRow",
    "Example",
    "HeatMapMethod",
    "HeatMapStudy",
    "MapScores",
    "MethodRow",
    "Predict",
    "RoadScore",
    "SimilarityRow",
    "blurred",
    "centre_prior",
    "deletion_curve",
    "insertion_curve",
    "mean_over_patients",
    "noisy_linear_imputation",
    "random_map",
    "rank_correlation",
    "removal_ranks",
    "road",
    "score_map",
    "structural_similarity",
    "summarise",
    "upsampled",
]
