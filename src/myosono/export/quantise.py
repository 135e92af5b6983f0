"""int8 by static quantisation: convolutions in integers, whatever decides a threshold in float.

Weights int8, one scale per output channel; activations uint8, one scale per tensor, in QDQ form (Jacob et al. 2018,
CVPR; onnxruntime's quantiser). Resizing, standardisation, the threshold branch, the classifier and every output stay in
float: quantisers do not handle Abs and Sub.

Ranges are the 99.9999th percentile over calibration images, so that one bright speck does not stretch a range. What
remains of a constant error in the logits is subtracted from the classifier's bias (after Nagel et al. 2019, ICCV).
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from myosono.errors import ArtefactError
from myosono.export.graph import strip_traces

PERCENTILE = 99.9999
_FLOAT_WEIGHT = ".minus"
"""Of the convolution by which the runtime form subtracts what a threshold removed (`RuntimeBlock`)."""
_CLASSIFIER_BIAS = "network.classifier.bias"
_STRIDE = 20
"""Calibration images whose activations are held at once; 200 of 224x224 would take a gigabyte."""
_MADE_BY_QUANTISER = ("_quantized", "_scale", "_zero_point", "_QuantizeLinear_Output", "_DequantizeLinear_Output")


@dataclass(frozen=True)
class Quantisation:
    """How a network was quantised.

    Attributes
    ----------
    scheme
        In words.
    calibration_images
        How many set the ranges.
    integer_convolutions, float_convolutions
        Of the network; the float ones subtract what its thresholds removed.
    bias_correction
        Largest shift subtracted from a logit.
    """

    scheme: str
    calibration_images: int
    integer_convolutions: int
    float_convolutions: int
    bias_correction: float

    def to_dict(self) -> dict[str, Any]:
        """For the artefact's metadata."""
        return asdict(self)


def quantise(
    model: onnx.ModelProto, images: Sequence[NDArray[np.uint8]], *, percentile: float = PERCENTILE
) -> tuple[onnx.ModelProto, Quantisation]:
    """The int8 graph of a float one, with the same inputs and outputs.

    Parameters
    ----------
    model
        Float graph from `to_onnx`; it is not changed.
    images
        Calibration images of training patients, uint8 ``(height, width)``, of any size.
    percentile
        Of each activation's values that its range keeps.

    Raises
    ------
    ArtefactError
        If there is no calibration image, or the graph has no classifier to correct.
    """
    if not images:
        raise ArtefactError("there is no training image to calibrate int8 on")
    integer, floating = _convolutions(model)
    activations = _activations_after(model, integer)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save_model(model, str(before))
        with _quiet():
            quantize_static(
                str(before),
                str(after),
                _Images(images),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Relu"],
                nodes_to_quantize=[node.name for node in integer] + activations,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.Percentile,
                extra_options={"CalibPercentile": percentile, "CalibStridedMinMax": _stride(len(images))},
            )
        quantised = onnx.load(str(after))
    _tidy(quantised)
    shift = _correct_bias(model, quantised, images)
    scheme = f"static QDQ, int8 weights per channel, uint8 activations ({percentile:g}th percentile), bias-corrected"
    return quantised, Quantisation(scheme, len(images), len(integer), len(floating), shift)


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """The calibration images, in the ranges that onnxruntime asks for."""

    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        self.images = images
        self.set_range(0, len(images))

    def __len__(self) -> int:
        return len(self.images)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._next = iter(self.images[start_index:end_index])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        image = next(self._next, None)
        return None if image is None else {"image": image}


def _convolutions(model: onnx.ModelProto) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """Those to quantise, and those that subtract what a threshold removed."""
    found = [node for node in model.graph.node if node.op_type == "Conv"]
    floating = [node for node in found if node.input[1].endswith(_FLOAT_WEIGHT)]
    return [node for node in found if node not in floating], floating


def _activations_after(model: onnx.ModelProto, convolutions: Sequence[onnx.NodeProto]) -> list[str]:
    """Relus that follow a convolution directly: quantised as one with it, the range is not spent on negatives."""
    outputs = {node.output[0] for node in convolutions}
    return [node.name for node in model.graph.node if node.op_type == "Relu" and node.input[0] in outputs]


def _stride(count: int) -> int:
    """The largest divisor of ``count`` up to `_STRIDE`: onnxruntime takes equal parts only."""
    return next(part for part in range(min(count, _STRIDE), 0, -1) if count % part == 0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's prints and its advice about pre-processing out of ``--json``."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)


def _tidy(model: onnx.ModelProto) -> None:
    """Short names for what the quantiser added, and no inferred shapes: a tenth of the small file's bytes."""
    strip_traces(model)
    del model.metadata_props[:]
    del model.graph.value_info[:]
    short: dict[str, str] = {}

    def named(name: str) -> str:
        return short.setdefault(name, f"q{len(short)}") if name.endswith(_MADE_BY_QUANTISER) else name

    for tensor in model.graph.initializer:
        tensor.name = named(tensor.name)
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}"
        node.input[:] = [named(name) for name in node.input]
        node.output[:] = [named(name) for name in node.output]


def _correct_bias(model: onnx.ModelProto, quantised: onnx.ModelProto, images: Sequence[NDArray[np.uint8]]) -> float:
    """Subtract the mean error of each logit from the classifier's bias; the largest one is returned."""
    bias = next((tensor for tensor in quantised.graph.initializer if tensor.name == _CLASSIFIER_BIAS), None)
    if bias is None:
        raise ArtefactError(f"the graph has no {_CLASSIFIER_BIAS}, so int8 cannot be corrected")
    error = np.mean(logits_of(quantised, images) - logits_of(model, images), axis=0)
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) - error, _CLASSIFIER_BIAS))
    return float(np.abs(error).max())


def logits_of(model: onnx.ModelProto, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Logits of images through a graph in memory, ``(images, classes)``."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.stack([session.run(["logits"], {"image": image})[0] for image in images])
