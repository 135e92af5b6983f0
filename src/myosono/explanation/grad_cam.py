"""Grad-CAM by its reference implementation, pytorch-grad-cam."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from myosono.extras import require


def grad_cam(network: nn.Module, layer: nn.Module, images: Tensor, targets: list[int]) -> NDArray[np.float64]:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) of one layer's output.

    Of the last layer of a network that ends in global average pooling and one linear layer, it is the positive part of
    the class map, by construction.

    Parameters
    ----------
    network
        In evaluation mode.
    layer
        The module whose output is weighted.
    images
        Network inputs, ``(N, 1, H, W)``.
    targets
        Class of each image.

    Returns
    -------
    ndarray
        ``(N, H, W)``, each map from 0 to 1.

    Raises
    ------
    MissingExtraError
        If pytorch-grad-cam is not installed.
    """
    purpose = "Grad-CAM"
    library = require("pytorch_grad_cam", extra="explain", purpose=purpose)
    wanted = require("pytorch_grad_cam.utils.model_targets", extra="explain", purpose=purpose)
    with torch.enable_grad(), library.GradCAM(model=network, target_layers=[layer]) as method:
        found = method(input_tensor=images, targets=[wanted.ClassifierOutputTarget(target) for target in targets])
    return np.asarray(found, dtype=np.float64)
