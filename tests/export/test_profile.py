"""Profiles: one counter, interleaved timing, memory of a fresh process, share of a measured peak."""

from __future__ import annotations

import csv
import json
import time

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from myosono.errors import ModelError, UsageError
from myosono.export import profile_models
from myosono.export.profile.memory import peak_memory_bytes
from myosono.export.profile.peak import best_product, matrix_products
from myosono.export.profile.record import Latency, Peak, Profile, write_csv
from myosono.export.profile.timing import FEWEST, WORK, due, each, in_succession, interleaved, open_session

PROMISED = {"name", "params", "macs", "input", "file_bytes", "latency_ms", "macs_ratio_to_dual_branch"}


@pytest.fixture(scope="module")
def profiles() -> list[Profile]:
    return profile_models(["stanet_xs", "stanet_s"], input_shape=(1, 96, 96), repeats=5, quiet=True)


def test_profile_counts_and_times(profiles):
    small, large = profiles
    assert small.macs < large.macs
    assert small.file_bytes < large.file_bytes < 1.5e6
    assert large.macs_ratio_to_dual_branch < 0.0025
    for one in profiles:
        assert set(one.to_dict()) >= PROMISED
        for latency in (one.one_thread, one.succession, one.two_threads):
            assert 0 < latency.p5 <= latency.median <= latency.p95
            assert latency.repeats == 5
        assert one.to_dict()["latency_ms"] == one.one_thread.median
    assert small.peak == large.peak, "one peak for all, from the same run"


def test_no_network_computes_faster_than_the_peak(profiles):
    for one in profiles:
        for share, latency in ((one.peak_share, one.succession), (one.peak_share_single, one.one_thread)):
            rate = one.macs / (latency.median / 1e3)
            assert share == pytest.approx(rate / one.peak.macs_per_second)
            assert 0 < share < 1
        assert "MatMul" in one.peak.product or "numpy (" in one.peak.product


def test_json_and_csv_hold_the_same(profiles, tmp_path):
    told = json.loads(json.dumps([one.to_dict() for one in profiles], allow_nan=False))
    write_csv(profiles, tmp_path / "p.csv")
    rows = list(csv.DictReader((tmp_path / "p.csv").open(encoding="utf-8")))
    assert [row["name"] for row in rows] == ["stanet_xs", "stanet_s"]
    assert rows[0]["input"] == "1x96x96"
    for row, item in zip(rows, told, strict=True):
        assert list(row) == list(item)
        assert float(row["latency_ms"]) == item["latency_ms"]
    with pytest.raises(UsageError, match="cannot be written"):
        write_csv(profiles, tmp_path / "absent" / "p.csv")


def test_an_unknown_network_is_named(tmp_path):
    with pytest.raises(ModelError, match="stanet_q"):
        profile_models(["stanet_q"], quiet=True)


def matmul_file(folder, size: int):
    from onnx import TensorProto, helper, numpy_helper, save

    weights = numpy_helper.from_array(np.ones((size, size), np.float32), "w")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name in ("input", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["input", "w"], ["y"])], "m", ends[:1], ends[1:], [weights])
    path = folder / f"{size}.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_memory_of_a_fresh_process_grows_with_the_weights(tmp_path):
    held = np.ones(200_000_000, np.uint8)  # what this process holds must not count
    small, large = (peak_memory_bytes(matmul_file(tmp_path, size), (1, size)) for size in (64, 4096))
    if small is None or large is None:
        pytest.skip("this system does not tell the peak of the resident set")
    weights = 4096 * 4096 * 4
    assert small < 40e6
    assert weights < large < 6 * weights
    assert held.any()


def test_memory_of_a_file_that_does_not_run(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        peak_memory_bytes(tmp_path / "bad.onnx", (1, 4))


@given(st.integers(1, 60), st.integers(0, 60))
def test_rounds_are_spread_evenly(turns, count):
    count = min(count, turns)
    chosen = [turn for turn in range(turns) if due(turn, count, turns)]
    assert len(chosen) == count
    gaps = np.diff(chosen)
    assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


def test_as_many_in_succession_as_make_up_the_work():
    done: list[int] = []
    run, times = in_succession(lambda: done.append(1), WORK // 7)
    run()
    assert len(done) == times == 7
    assert in_succession(lambda: None, 30 * WORK)[1] == 1
    assert each(Latency(70.0, 63.0, 77.0, 5), times) == Latency(10.0, 9.0, 11.0, 5)


def test_slow_jobs_run_less_often_and_in_turn():
    order: list[str] = []
    slow = lambda: (order.append("slow"), time.sleep(0.02))  # noqa: E731
    fast = lambda: order.append("fast")  # noqa: E731
    found = interleaved([slow, fast], repeats=40, budget=0.2, title="test", quiet=True)
    assert FEWEST <= found[0].repeats <= 10
    assert found[1].repeats == 40
    assert found[0].p5 >= 20
    turns = [place for place, name in enumerate(order[4:]) if name == "slow"]
    assert min(np.diff(turns)) > 1, "the slow job's runs are not in a row"


def test_products_compute_what_they_say():
    with threadpool_limits(1, user_api="blas"):
        products = matrix_products(sizes=(256,))
        a, b = np.random.default_rng(256).standard_normal((2, 256, 256), dtype=np.float32)
        for product in products:
            np.testing.assert_allclose(np.asarray(product.run()).reshape(256, 256), a @ b, atol=1e-3)
    assert products[0].macs == products[0].times * 256**3
    assert onnxruntime.__version__ in products[1].title
    slow, fast = Latency(2.0, 2.0, 2.0, 1), Latency(1.0, 1.0, 1.0, 1)
    assert best_product(products, [slow, fast]) == Peak(products[1].macs / 1e-3, products[1].title)


def test_sessions_run_on_the_threads_asked_for(tmp_path):
    session = open_session(matmul_file(tmp_path, 8), threads=2)
    assert session.get_session_options().intra_op_num_threads == 2
