"""Tasks: from the label of a patient to the target that a network learns.

The three binary tasks are those of Burlina et al. 2017 (PLoS ONE 12:e0184059): A, Normal against affected; B, Normal
against IBM; C, IBM against the other myopathies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from myosono.anatomy import DIAGNOSES
from myosono.errors import UsageError

_DISEASE_TASKS: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = MappingProxyType(
    {
        "four_class": (tuple(DIAGNOSES), {name: name for name in DIAGNOSES}),
        "affected": (
            ("Normal", "affected"),
            {"Normal": "Normal", "IBM": "affected", "PM": "affected", "DM": "affected"},
        ),
        "ibm_vs_normal": (("Normal", "IBM"), {"Normal": "Normal", "IBM": "IBM"}),
        "ibm_vs_other": (("other", "IBM"), {"IBM": "IBM", "PM": "other", "DM": "other"}),
    }
)

TASKS = (*_DISEASE_TASKS, "label")
"""Names that :func:`get_task` knows. ``label`` is the identity, for cohorts of any other disease."""


@dataclass(frozen=True)
class Task:
    """A mapping from labels to targets.

    Attributes
    ----------
    name
        One of :data:`TASKS`.
    classes
        Target names in the order of a network's outputs; in binary tasks the positive class comes last.
    mapping
        Label → target. A label that is absent is left out of the task.
    """

    name: str
    classes: tuple[str, ...]
    mapping: Mapping[str, str]

    def targets(self, labels: pd.Series[Any]) -> pd.Series[Any]:
        """Target name per image on the index of ``labels``; NaN where the image is left out."""
        return labels.map(dict(self.mapping)).rename("target")


def get_task(name: str, classes: Sequence[str]) -> Task:
    """The task ``name`` for a cohort with these ``classes``.

    Raises
    ------
    UsageError
        An unknown task, or one whose targets the cohort cannot supply.

    Examples
    --------
    >>> get_task("ibm_vs_other", ["Normal", "IBM", "PM", "DM"]).classes
    ('other', 'IBM')
    >>> get_task("label", ["covid19", "regular"]).classes
    ('covid19', 'regular')
    """
    if name == "label":
        targets, mapping = tuple(classes), {label: label for label in classes}
    elif name in _DISEASE_TASKS:
        targets, all_labels = _DISEASE_TASKS[name]
        mapping = {label: target for label, target in all_labels.items() if label in classes}
    else:
        raise UsageError(f"unknown task {name!r}", remedy=f"Known tasks: {', '.join(TASKS)}")
    absent = [target for target in targets if target not in mapping.values()]
    if absent:
        raise UsageError(
            f"task {name!r} needs images of {absent[0]!r}, and the cohort's classes are {', '.join(classes)}",
            remedy="Choose --task label, which learns the cohort's own classes",
        )
    if len(targets) < 2:
        raise UsageError(f"task {name!r} needs at least two classes, and the cohort has {len(targets)}")
    return Task(name, targets, mapping)


def default_task(classes: Sequence[str]) -> str:
    """``four_class`` for a cohort of all four diagnoses, else ``label``."""
    return "four_class" if set(classes) == set(DIAGNOSES) else "label"
