"""Hold out whole groups of look-alike images, since frames of one video show one muscle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from myosono.cohort.grouping import tested_by_patient
from myosono.cohort.near_duplicates import fingerprint, similar_pairs, similarity_groups
from myosono.training.segmentation.samples import Sample

MAX_DISTANCE, MIN_CORRELATION = 24, 0.85
"""Looser than the audit's rule for near-duplicates: a muscle that contracts changes from frame to frame."""

_RARE = 25


def group_samples(samples: Sequence[Sample]) -> list[int]:
    """Group number of each sample; look-alikes, and look-alikes of look-alikes, share one."""
    prints = [fingerprint(sample.image) for sample in samples]
    pairs = similar_pairs(prints, max_distance=MAX_DISTANCE, min_correlation=MIN_CORRELATION)
    return similarity_groups(len(samples), pairs)


def hold_out(samples: Sequence[Sample], *, folds: int = 5, seed: int = 0) -> tuple[list[Sample], list[Sample]]:
    """Split into ``(train, held out)``: one of ``folds`` parts is held out, whole groups, alike in layout.

    Raises
    ------
    SplitError
        A layout has fewer groups than folds.
    """
    groups = pd.Series([str(group) for group in group_samples(samples)])
    counts = Counter(sample.layout for sample in samples)
    layouts = pd.Series([s.layout if counts[s.layout] >= _RARE else "other" for s in samples])
    tested = tested_by_patient(groups, layouts, folds, seed)
    train = [sample for sample, fold in zip(samples, tested, strict=True) if fold != 0]
    return train, [sample for sample, fold in zip(samples, tested, strict=True) if fold == 0]
