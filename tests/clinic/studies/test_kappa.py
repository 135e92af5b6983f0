import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from myosono.clinic.studies.kappa import cohen_kappa


@pytest.mark.parametrize("quadratic", [False, True])
def test_equals_scikit_learn(quadratic):
    rng = np.random.default_rng(3)
    one = rng.integers(1, 5, 200)
    two = np.clip(one + rng.integers(-1, 2, 200), 1, 4)
    ours = cohen_kappa(one.tolist(), two.tolist(), range(200), (1, 2, 3, 4), quadratic=quadratic)
    assert ours.value == pytest.approx(cohen_kappa_score(one, two, weights="quadratic" if quadratic else None))
    assert ours.low < ours.value < ours.high


def test_the_interval_resamples_patients_not_readings():
    """Each patient ten times over is no more evidence: the interval must not shrink."""
    rng = np.random.default_rng(5)
    one = rng.integers(0, 2, 30).tolist()
    two = [value if rng.random() < 0.8 else 1 - value for value in one]
    alone = cohen_kappa(one, two, range(30), (0, 1))
    repeated = cohen_kappa(one * 10, two * 10, list(range(30)) * 10, (0, 1))
    wrong = cohen_kappa(one * 10, two * 10, range(300), (0, 1))
    assert repeated.high - repeated.low == pytest.approx(alone.high - alone.low)
    assert wrong.high - wrong.low < 0.5 * (alone.high - alone.low)


def test_undefined_where_nothing_could_disagree():
    assert cohen_kappa([], [], [], "ab").value is None
    same = cohen_kappa("aaa", "aaa", [1, 2, 3], "ab")
    assert (same.value, same.low, same.compared) == (None, None, 3)
    assert cohen_kappa("ab", "ab", [1, 1], "ab").low is None  # one patient: no interval


def test_no_interval_where_the_raters_never_differed():
    """All draws are 1.00 then, which would read as certainty."""
    found = cohen_kappa("aabba", "aabba", [1, 2, 3, 4, 5], "ab")
    assert (found.value, found.low, found.high) == (1.0, None, None)
