"""Pictures drawn by rule that are no muscle: what a gate learns to refuse and a network learns to see from."""

from myosono.cohort.drawn.leaves import draw_leaves
from myosono.cohort.drawn.other import draw_outliers

__all__ = ["draw_leaves", "draw_outliers"]
