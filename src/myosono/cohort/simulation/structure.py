"""Which images exist: sites and shots of each patient, after the public set."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import numpy as np

from .config import SimulationConfig

SCAN_ORDER = ("D", "B", "FCR", "FDP", "R", "T", "G")
SITES = tuple((side, muscle) for side in "RL" for muscle in SCAN_ORDER)
"""The fourteen sites in the order of examination: (side, muscle)."""

IMAGES_PER_PATIENT = (
    (27, 1), (29, 1), (30, 1), (33, 3), (35, 4), (36, 6), (38, 1), (39, 2), (40, 1), (41, 8), (42, 47), (43, 5),
)  # fmt: skip
"""Images a patient has in the public set, and how many patients have so many: 80 patients, 3,214 images."""

_SHOTS = 3


@dataclass(frozen=True, slots=True)
class Shot:
    """One image to take: patient number, site and shot number (all from 1)."""

    patient: int
    side: str
    muscle: str
    number: int

    @property
    def image_id(self) -> str:
        """Such as ``P001_RD_1``."""
        return f"P{self.patient:03d}_{self.side}{self.muscle}_{self.number}"


def draw_structure(config: SimulationConfig) -> list[Shot]:
    """List the images of a cohort, patient by patient, in the order of examination.

    The counts are dealt out without regard to the diagnosis. Where a patient has fewer than 14 sites, the deep
    finger flexors go first, as they do in the public set.
    """
    rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(1,)))
    patients = sum(config.patients.values())
    shots: list[Shot] = []
    for patient, images in enumerate(_image_counts(config.images_per_patient, patients, rng), start=1):
        for (side, muscle), count in _shots_by_site(images, rng).items():
            shots += [Shot(patient, side, muscle, number + 1) for number in range(count)]
    return shots


def _image_counts(fixed: int | None, patients: int, rng: np.random.Generator) -> list[int]:
    if fixed is not None:
        return [fixed] * patients
    deck = [images for images, count in IMAGES_PER_PATIENT for _ in range(count)]
    counts: list[int] = []
    while len(counts) < patients:
        counts += [deck[card] for card in rng.permutation(len(deck))]
    return counts[:patients]


def _shots_by_site(images: int, rng: np.random.Generator) -> dict[tuple[str, str], int]:
    """Shots per site; small examinations keep two shots a site, so that a site is still met twice."""
    if images < 24:
        side = "RL"[int(rng.integers(2))]
        one_side = [site for site in SITES if site[0] == side]
        other = [site for site in SITES if site[0] != side]
        kept = (one_side + other)[: max(1, -(-images // 2))]
    else:
        kept = _kept_sites(min(len(SITES), -(-images // _SHOTS)), rng)
    counts = dict.fromkeys((site for site in SITES if site in kept), 0)
    rotation = cycle(counts)
    for _ in range(images):
        counts[next(rotation)] += 1
    return counts


def _kept_sites(wanted: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    flexors = [site for site in SITES if site[1] == "FDP"]
    others = [site for site in SITES if site[1] != "FDP"]
    leaving = flexors + [others[number] for number in rng.permutation(len(others))]
    gone = leaving[: len(SITES) - wanted]
    return [site for site in SITES if site not in gone]
