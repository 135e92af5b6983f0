"""Means over patients, pairing, and the likeness of maps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from myosono.evaluation import PatientBootstrap
from myosono.faithfulness import (
    mean_over_patients,
    random_map,
    rank_correlation,
    score_map,
    structural_similarity,
    summarise,
)
from myosono.faithfulness.result import CURVES, METRICS

PATIENTS = ["A", "A", "A", "B", "C", "C"]


def test_a_patient_counts_once_however_many_images():
    bootstrap = PatientBootstrap(PATIENTS, resamples=200, seed=0)
    values = np.array([0.0, 0.0, 0.0, 1.0, 0.5, 0.5])
    mean, samples = mean_over_patients(values, PATIENTS, bootstrap)
    assert mean == pytest.approx(0.5)
    expected = bootstrap.counts @ np.array([0.0, 1.0, 0.5]) / 3
    np.testing.assert_allclose(samples, expected)


def top_half(images):
    bright = images[:, : images.shape[1] // 2].mean(axis=(1, 2)) / 255
    return np.stack([1 - bright, bright], axis=1)


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    images = [rng.uniform(150, 255, (16, 16)).astype(np.float32) for _ in PATIENTS]
    good = np.repeat(np.arange(16)[::-1, None], 16, axis=1).astype(float)

    def of(maps):
        return [
            [score_map(top_half, image, one, 1, rng, fill=0, steps=8, shares=(0.3, 0.6)) for one in maps()]
            for image in images
        ]

    return {
        "good": of(lambda: [good]),
        "again": of(lambda: [good]),
        "random": of(lambda: [random_map((4, 4), (16, 16), rng) for _ in range(3)]),
    }


def test_the_good_map_is_told_from_random_ones_on_every_metric(scores):
    bootstrap = PatientBootstrap(PATIENTS, resamples=300, seed=0)
    rows, curves = summarise(scores, PATIENTS, bootstrap, random="random", class_map="good")
    assert len(rows) == 3 * len(METRICS)
    assert len(curves) == 3 * len(CURVES)
    found = {(row.method, row.metric): row for row in rows}
    assert found["good", "deletion"].against_random.hi < 0
    for metric in ("insertion_grey", "road"):
        assert found["good", metric].against_random.lo > (0 if metric == "insertion_grey" else -0.05)
    # The same map differs from itself only by the noise of imputation.
    assert found["again", "deletion"].against_class_map.value == pytest.approx(0, abs=1e-9)
    assert found["random", "road"].against_random.value == 0


def test_a_curve_of_several_draws_is_their_mean(scores):
    bootstrap = PatientBootstrap(PATIENTS, resamples=0, seed=0)
    _, curves = summarise(scores, PATIENTS, bootstrap, random="random", class_map="good")
    line = next(row for row in curves if (row.method, row.metric) == ("random", "deletion"))
    by_image = np.array([[one.curves["deletion"].probabilities for one in draws] for draws in scores["random"]])
    images = by_image.mean(axis=1)
    expected = np.mean([images[:3].mean(axis=0), images[3], images[4:].mean(axis=0)], axis=0)
    np.testing.assert_allclose([point.value for point in line.points], expected)


def test_rank_correlation_is_spearmans_with_ties():
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 5, (8, 9)).astype(float), rng.integers(0, 5, (8, 9)).astype(float)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    assert rank_correlation(first, -first) == -1
    assert rank_correlation(first, np.zeros((8, 9))) == 0


def test_structural_similarity_ignores_offset_and_gain():
    rng = np.random.default_rng(3)
    first = random_map((4, 4), (32, 32), rng)
    assert structural_similarity(first, 5 * first - 2) == pytest.approx(1)
    assert structural_similarity(first, random_map((4, 4), (32, 32), rng)) < 0.8
    assert structural_similarity(first, np.zeros((32, 32))) < 1
