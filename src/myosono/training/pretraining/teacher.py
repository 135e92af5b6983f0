"""What EfficientNet-Lite0 with its ImageNet weights sees in a view, in few numbers a position."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from myosono.networks import create_model
from myosono.networks.imagenet import LITE0, ImageNetInput
from myosono.networks.preprocess import GREY_MEAN, GREY_STD

BATCH = 32


class _Features(nn.Module):
    """Uint8 views ``(N, size, size)`` to feature maps ``(N, channels, h, w)``."""

    def __init__(self) -> None:
        super().__init__()
        network = create_model(LITE0, num_classes=1000, in_chans=1, pretrained=True)
        assert isinstance(network, ImageNetInput)
        self.network = network

    def forward(self, views: Tensor) -> Tensor:
        x = (views[:, None].to(torch.float32) - GREY_MEAN) / GREY_STD
        inner: Tensor = self.network.network.forward_features(x * self.network.scale + self.network.shift)  # type: ignore[operator]
        return inner


class Teacher:
    """The network as onnxruntime runs it, several times faster than torch on a processor.

    Parameters
    ----------
    size
        Side of a view.
    work
        Folder for its ONNX file.
    threads
        Of onnxruntime.
    """

    def __init__(self, size: int, work: Path, *, threads: int = 1) -> None:
        path = work / "teacher.onnx"
        module = _Features().eval()
        example = torch.zeros((BATCH, size, size), dtype=torch.uint8)
        torch.onnx.export(module, (example,), path, input_names=["views"], dynamo=True, external_data=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def __call__(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features ``(N, positions, channels)`` of views ``(N, size, size)``, N at most `BATCH`."""
        full = np.zeros((BATCH, *views.shape[1:]), dtype=np.uint8)
        full[: len(views)] = views
        maps: NDArray[np.float32] = self._session.run(None, {"views": full})[0][: len(views)]
        return maps.reshape(len(maps), maps.shape[1], -1).transpose(0, 2, 1)


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of a teacher's features, scaled so that their mean square is 1.

    Attributes
    ----------
    mean
        ``(channels,)``.
    basis
        ``(channels, components)``, each column divided by a power of its standard deviation.
    explained
        Share of the features' variance that the components hold.
    """

    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    explained: float

    @classmethod
    def fit(cls, features: NDArray[np.float32], count: int, whitening: float) -> Components:
        """From features ``(positions, channels)``."""
        mean = features.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((features - mean).T.astype(np.float64)))
        values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
        total = float(np.trace(np.cov((features - mean).T.astype(np.float64))))
        scaled = vectors / np.sqrt(values) ** whitening
        size = np.sqrt((values ** (1 - whitening)).mean())
        return cls(mean, (scaled / size).astype(np.float32), float(values.sum() / total))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(..., channels)`` to ``(..., components)``."""
        return np.asarray((features - self.mean) @ self.basis, dtype=np.float32)
