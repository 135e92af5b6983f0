"""The floor below the rooms: errors, extras, pooling, and what `import myosono` costs."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myosono.errors import CohortError, MissingExtraError, MyosonoError
from myosono.extras import require
from myosono.pooling import pool_probabilities


def test_messages_name_the_file_and_the_remedy_on_one_line():
    error = CohortError("lacks\n a column", path="c/x.parquet", remedy="Add it")
    assert str(error) == "c/x.parquet: lacks a column. Add it"
    assert isinstance(error, MyosonoError)


def test_errors_survive_the_way_home_from_a_worker():
    error = pickle.loads(pickle.dumps(CohortError("bad", path="p", remedy="Mend it")))
    assert (type(error), str(error)) == (CohortError, "p: bad. Mend it")


def test_a_missing_extra_names_the_command_to_install_it():
    with pytest.raises(MissingExtraError, match=r"pip install 'myosono\[train\]'"):
        require("no_such_package_anywhere", extra="train", purpose="this test")


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(0, 1000))
def test_pooling_gives_means_that_are_probabilities(groups, seed):
    table = np.random.default_rng(seed).dirichlet(np.ones(3), len(groups))
    keys, pooled = pool_probabilities(table, groups)
    assert keys == list(dict.fromkeys(groups))
    np.testing.assert_allclose(pooled.sum(axis=1), 1)
    for key, row in zip(keys, pooled, strict=True):
        np.testing.assert_allclose(row, table[np.array(groups) == key].mean(axis=0))


def test_pooling_refuses_lengths_that_differ():
    with pytest.raises(ValueError, match="2 rows"):
        pool_probabilities(np.ones((2, 1)), ["a"])


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_is_fast_and_never_imports_torch():
    out = run_python(
        "import time; t = time.perf_counter(); import myosono; s = time.perf_counter() - t;"
        "import sys; heavy = {'torch', 'pandas', 'numpy', 'onnxruntime'} & set(sys.modules); print(s, sorted(heavy))"
    )
    seconds, heavy = out.split(" ", 1)
    assert float(seconds) < 0.3
    assert heavy.strip() == "[]"


def test_reading_never_imports_torch_or_pandas():
    out = run_python(
        "import sys, myosono.cli.main, myosono.reading, myosono.imaging;"
        "print(sorted({'torch', 'pandas', 'sklearn', 'scipy', 'matplotlib', 'timm'} & set(sys.modules)))"
    )
    assert out.strip() == "[]"


def test_unknown_names_are_attribute_errors():
    import myosono

    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        myosono.lode  # noqa: B018
    assert {"load", "create_model"} <= set(dir(myosono))
