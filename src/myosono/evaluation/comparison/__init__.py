"""Networks against each other, on the same patients: scores, paired differences, p-values, from predictions alone."""

from __future__ import annotations

from myosono.evaluation.comparison.compare import compare
from myosono.evaluation.comparison.delong import DelongTest, delong_test
from myosono.evaluation.comparison.entry import (
    AS_GIVEN,
    UNKNOWN_SPLIT,
    Condition,
    Contender,
    Entry,
    make_entry,
    pairing_columns,
)
from myosono.evaluation.comparison.multiplicity import holm
from myosono.evaluation.comparison.paired import bootstrap_p_value
from myosono.evaluation.comparison.result import AucTest, Comparison, ModelScore, PairedDifference

__all__ = [
    "AS_GIVEN",
    "UNKNOWN_SPLIT",
    "AucTest",
    "Comparison",
    "Condition",
    "Contender",
    "DelongTest",
    "Entry",
    "ModelScore",
    "PairedDifference",
    "bootstrap_p_value",
    "compare",
    "delong_test",
    "holm",
    "make_entry",
    "pairing_columns",
]
