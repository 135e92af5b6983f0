"""Lessons: the views of the training images with the teacher's answer to each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from myosono.training.views import ViewBatch, Views


class Lessons:
    """The teacher's logits for numbered views of the training images.

    Parameters
    ----------
    views
        What student and teacher see.
    logits
        ``(training images, views, classes)``, in the order of ``views.data``.

    Raises
    ------
    ValueError
        If there is not one row of logits for each training image.
    """

    def __init__(self, views: Views, logits: NDArray[np.float32]) -> None:
        if logits.ndim != 3 or len(logits) != len(views.data):
            raise ValueError(f"logits of shape {logits.shape} for {len(views.data)} training images")
        self.views, self.logits = views, torch.from_numpy(logits)

    def batch(self, rows: Sequence[int], epoch: int) -> tuple[ViewBatch, Tensor]:
        """The views that are due in an epoch, and the teacher's logits ``(N, classes)``; the views take turns."""
        number = epoch % self.logits.shape[1]
        places = torch.tensor([self.views.place[row] for row in rows])
        return self.views.batch(rows, number), self.logits[places, number]
