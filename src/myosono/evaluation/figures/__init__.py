"""Figures of an evaluation, each an SVG element that follows the page's light, dark or print colours."""

from myosono.evaluation.figures.confusion import draw_confusion
from myosono.evaluation.figures.muscles import draw_muscles, muscle_name
from myosono.evaluation.figures.patients import draw_patients
from myosono.evaluation.figures.reliability import draw_reliability
from myosono.evaluation.figures.roc import draw_roc
from myosono.evaluation.figures.training import draw_training

__all__ = [
    "draw_confusion",
    "draw_muscles",
    "draw_patients",
    "draw_reliability",
    "draw_roc",
    "draw_training",
    "muscle_name",
]
