"""Distillation: a small network learns the answers of a larger one that was fitted on the same training patients.

The teacher sees exactly the views that the student sees (function matching; Beyer et al. 2022, "Knowledge distillation:
a good teacher is patient and consistent"). Its answers to a fixed number of views are computed once and kept.

`teach` fits the teacher, `lessons` is what it leaves, `loss` is what the student minimises.
"""

from __future__ import annotations

from myosono.training.distillation.lessons import Lessons
from myosono.training.distillation.loss import distillation_loss

__all__ = ["Lessons", "distillation_loss"]
