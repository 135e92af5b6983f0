"""The processor's own peak: the best rate of one thread in a square float32 matrix product.

Two libraries are tried at a few sizes, and the highest rate counts: a weak product would flatter every network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from threadpoolctl import threadpool_info

from myosono.export.profile.record import Latency, Peak
from myosono.export.profile.timing import Job, in_succession, open_session

SIZES = (256, 384, 512, 768)
"""Sides of the square matrices: large enough to reach the peak, small enough to stay in cache and to be quick."""
_OPSET = 17
_IR_VERSION = 9  # old enough for any onnxruntime that this package accepts


@dataclass(frozen=True)
class Product:
    """A product of two square matrices of side ``size``, repeated ``times`` times in one ``run``."""

    title: str
    size: int
    times: int
    run: Job

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return self.times * self.size**3


def matrix_products(sizes: Sequence[int] = SIZES) -> list[Product]:
    """The products to time beside the networks: numpy's BLAS and onnxruntime's own kernels at every size.

    numpy's product runs on as many threads as its BLAS is allowed; limit it to one while it is timed.
    """
    found = []
    for size in sizes:
        a, b = np.random.default_rng(size).standard_normal((2, size, size), dtype=np.float32)
        kinds = {f"numpy ({blas()})": _with_numpy, f"onnxruntime {onnxruntime.__version__} MatMul": _with_ort}
        for kind, make in kinds.items():
            run, times = in_succession(make(a, b), size**3)
            found.append(Product(f"{kind} {size}x{size}", size, times, run))
    return found


def best_product(products: Sequence[Product], times: Sequence[Latency]) -> Peak:
    """The product with the highest rate at its median time."""
    rates = [product.macs / (time.median / 1e3) for product, time in zip(products, times, strict=True)]
    best = int(np.argmax(rates))
    return Peak(macs_per_second=rates[best], product=products[best].title)


def blas() -> str:
    """The BLAS that numpy runs on, with its version and the kernels that it chose for this processor."""
    # numpy's own library is the one whose file comes with it; scipy and scikit-learn may have loaded others.
    loaded = [item for item in threadpool_info() if item.get("user_api") == "blas"]
    mine = [item for item in loaded if "numpy" in str(item.get("filepath", ""))] or loaded
    if not mine:
        return "unknown BLAS"
    parts = (mine[0].get("internal_api"), mine[0].get("version"), mine[0].get("architecture"))
    return " ".join(str(part) for part in parts if part)


def _with_numpy(a: NDArray[np.float32], b: NDArray[np.float32]) -> Job:
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def _with_ort(a: NDArray[np.float32], b: NDArray[np.float32]) -> Job:
    # The second matrix is a constant, as a network's weights are, so that onnxruntime packs it once.
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(a.shape)) for name in "ac"]
    product = helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = helper.make_graph([product], "product", ends[:1], ends[1:], [numpy_helper.from_array(b, "b")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    session = open_session(model.SerializeToString(), threads=1)
    return lambda: session.run(None, {"a": a})
