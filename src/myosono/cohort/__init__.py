"""Room: cohort. Sources become a cohort table and images; tasks, splits and the audit for leakage.

See docs/architecture.md for the columns, and :mod:`myosono.cohort.simulation` for simulated cohorts.
"""

from myosono.cohort.folder import new_cohort_folder
from myosono.cohort.overlap import FoldOverlap, split_overlap
from myosono.cohort.schema import COLUMNS, OPTIONAL_COLUMNS, label_conflicts, ordered_classes, validate_table
from myosono.cohort.splits import ROLES_KEY, SPLIT_KINDS, Split, fold_sha256, make_split, roles_sha256
from myosono.cohort.store import Cohort, CohortInfo, is_cohort, write_cohort
from myosono.cohort.tasks import TASKS, Task, default_task, get_task

__all__ = [
    "COLUMNS",
    "OPTIONAL_COLUMNS",
    "ROLES_KEY",
    "SPLIT_KINDS",
    "TASKS",
    "Cohort",
    "CohortInfo",
    "FoldOverlap",
    "Split",
    "Task",
    "default_task",
    "fold_sha256",
    "get_task",
    "is_cohort",
    "label_conflicts",
    "make_split",
    "new_cohort_folder",
    "ordered_classes",
    "roles_sha256",
    "split_overlap",
    "validate_table",
    "write_cohort",
]
