"""What the reader says can be said in Chinese: constants and sentences with figures, from their own source."""

from __future__ import annotations

import re

import numpy as np
import pytest

from myosono.anatomy import DIAGNOSES, MUSCLES
from myosono.clinic.reports.language import translator
from myosono.clinic.work.pooling import PooledFrame
from myosono.quantification import MYOSITIS_PROTOCOL, completeness
from myosono.quantification.quantifier import SETTINGS, UNKNOWN_DEVICE
from myosono.quantification.reference import SIMULATED_WARNING as SIMULATED_REFERENCE
from myosono.quantification.region import PROPOSED_NOTE
from myosono.reading.decision import UNCALIBRATED_WARNING, Evidence, PatientRule
from myosono.reading.grey_range import GreyRange
from myosono.reading.ood import MuscleGate
from myosono.reading.ood_checks import picture_fault
from myosono.reading.ood_features import STATISTICS
from myosono.reading.ood_look import Look
from myosono.reading.pooled import pool_patients
from myosono.reading.quality import blocking_fault
from myosono.reading.reader import FORCED_WARNING, LEAK_WARNING, SIMULATED_WARNING, UNGATED_WARNING

RULE = PatientRule(("Normal", "IBM", "PM"), 1.0, (0.3, 0.3, 0.3), 0.1, 60, 10, ())


def gate_fault(whole: float, deep: float) -> str | None:
    """What a gate with these thresholds says of any image."""

    def look(count: int, threshold: float) -> Look:
        zeros, ones = np.zeros(count, np.float32), np.ones(count, np.float32)
        return Look(zeros, ones, zeros, 0.0, np.eye(count, dtype=np.float16), 9.0, threshold)

    gate = MuscleGate(look(2 + len(STATISTICS), whole), look(len(STATISTICS), deep))
    return gate.fault(np.arange(3600, dtype=np.uint8).reshape(60, 60), np.ones(2, np.float32))


def refused(fault: str) -> tuple[str, ...]:
    """What is said of a patient all of whose images were refused."""
    frame = PooledFrame("a.png", "P", "D", "R", {"Normal": 0.5, "IBM": 0.5}, True, (fault,))
    return pool_patients([frame], RULE)[0].reasons


GATE_FAULTS = [gate_fault(9.0, -99.0), gate_fault(-99.0, 9.0)]
SENTENCES = [
    SIMULATED_WARNING, LEAK_WARNING, FORCED_WARNING, UNGATED_WARNING, UNCALIBRATED_WARNING, SETTINGS, UNKNOWN_DEVICE,
    PROPOSED_NOTE, SIMULATED_REFERENCE, *MUSCLES.values(), *DIAGNOSES.values(),
    *RULE.reasons((), Evidence(14)), *RULE.reasons(("IBM", "PM"), Evidence(20)), *RULE.reasons((), Evidence(4)),
    *RULE.reasons(("Normal", "IBM", "PM"), Evidence(20)), *RULE.reasons(("Normal", "IBM", "PM"), Evidence(1)),
    *RULE.reasons(("Normal", "IBM", "PM"), Evidence(20, unseen=12)),
    *PatientRule(("IBM", "PM"), 1.0, (None, None), 0.1, 5, 1, ()).reasons(("IBM",), Evidence(3)),
    GreyRange(40, 90).doubt(np.full((60, 60), 7, np.uint8)), GreyRange(40, 90).doubt(np.full((60, 60), 200, np.uint8)),
    *GATE_FAULTS,
    blocking_fault(np.zeros((100, 100), np.uint8)), blocking_fault(np.zeros((8, 100), np.uint8)),
    picture_fault(np.zeros((100, 100), np.uint8), 0.8), picture_fault(np.full((100, 100), 255, np.uint8), 0.0),
    completeness(MYOSITIS_PROTOCOL[:3]).text, completeness([*MYOSITIS_PROTOCOL[:13], (None, "R")]).text,
    completeness(MYOSITIS_PROTOCOL).text,
    *(reason for fault in ("not muscle ultrasound: x", "too small") for reason in refused(fault)),
]  # fmt: skip


@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_english_is_left(sentence: str | None) -> None:
    assert sentence is not None
    said = translator("zh-CN")(sentence)
    assert re.search("[一-鿿]", said)
    assert not re.search(r"[a-z]{3,}", said)
    assert set(re.findall(r"\d+", sentence)) == set(re.findall(r"\d+", said))


def test_english_is_itself_and_the_unknown_stays() -> None:
    assert translator("en")("anything {0}") == "anything {0}"
    assert translator("zh-CN")("a sentence {0} that nobody translated") == "a sentence {0} that nobody translated"
