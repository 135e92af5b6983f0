"""Standard terms for muscles and diagnoses, once: DICOM objects and FHIR resources write each in a form of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MUSCLES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "D": (604, "Musculus deltoideus"),
        "B": (628, "Musculus biceps brachii"),
        "FCR": (664, "Musculus flexor carpi radialis"),
        "FDP": (680, "Musculus flexor digitorum profundus"),
        "R": (836, "Musculus rectus femoris"),
        "T": (892, "Musculus tibialis anterior"),
        "G": (920, "Musculus gastrocnemius"),
    }
)
"""Muscle of `myosono.anatomy` -> number in partition 7 of ISO/IEEE 11073-10101 (DICOM PS3.16, CID 3031), and name. The
number is the muscle's on no side; the left one's is the next, the right one's the one after."""

MUSCLE_PARTITION = 7

DIAGNOSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "IBM": ("72315009", "Inclusion body myositis"),
        "PM": ("31384009", "Polymyositis"),
        "DM": ("396230008", "Dermatomyositis"),
    }
)
"""Diagnosis of `myosono.anatomy` -> SNOMED CT code and name. ``Normal`` has none: that a disease was not found is no
diagnosis."""
