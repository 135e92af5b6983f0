"""Read every image of a cohort once: what is unreadable, changed, or looks like another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from myosono.cohort.audit.result import Lookalikes
from myosono.cohort.near_duplicates import Fingerprint, SimilarPair, fingerprint, similar_pairs
from myosono.cohort.store import Cohort
from myosono.errors import CohortError
from myosono.hashing import sha256_file
from myosono.progress import track

_EXAMPLES = 5


@dataclass(frozen=True)
class PixelFacts:
    """What reading all images gave: look-alike pairs by ``image_id``, failures, and sizes of files in bytes."""

    pairs: tuple[tuple[str, str, float], ...]
    unreadable: Mapping[str, str]
    file_bytes: tuple[int, ...]


def read_pixels(cohort: Cohort, *, max_distance: int, quiet: bool) -> PixelFacts:
    """Decode, check and fingerprint each image of a cohort."""
    names: list[str] = []
    prints: list[Fingerprint] = []
    unreadable: dict[str, str] = {}
    sizes: list[int] = []
    rows = list(zip(cohort.table["image_id"], cohort.table["sha256"], strict=True))
    for image_id, digest in track(rows, "reading images", disable=quiet):
        path = cohort.path_of(image_id)
        sizes.append(path.stat().st_size if path.is_file() else 0)
        try:
            prints.append(fingerprint(cohort.image(image_id)))
        except CohortError as error:
            unreadable[image_id] = error.reason
            continue
        names.append(image_id)
        if digest and sha256_file(path) != digest:
            unreadable[image_id] = "the file is not the one that was imported (SHA-256 differs)"
    pairs = similar_pairs(prints, max_distance=max_distance)
    return PixelFacts(tuple(_named(names, pairs)), unreadable, tuple(sizes))


def summarise_pairs(pairs: tuple[tuple[str, str, float], ...], table: pd.DataFrame) -> Lookalikes:
    """Count look-alike pairs across patients and labels, and name the most alike."""
    patient = dict(zip(table["image_id"], table["patient_id"], strict=True))
    label = dict(zip(table["image_id"], table["label"], strict=True))
    ordered = sorted(pairs, key=lambda pair: -pair[2])
    patients = [(a, b) for a, b, _ in ordered if patient[a] != patient[b]]
    labels = [(a, b) for a, b, _ in ordered if label[a] != label[b]]
    return Lookalikes(len(pairs), len(patients), len(labels), tuple((labels or patients)[:_EXAMPLES]))


def pairs_across_roles(pairs: tuple[tuple[str, str, float], ...], split: pd.DataFrame) -> int:
    """Pairs with one image in test and the other in training or validation of the same fold, over all folds."""
    count = 0
    for _, rows in split.groupby("fold"):
        tested = dict(zip(rows["image_id"], rows["role"] == "test", strict=True))
        count += sum(a in tested and b in tested and tested[a] != tested[b] for a, b, _ in pairs)
    return count


def _named(names: list[str], pairs: list[SimilarPair]) -> list[tuple[str, str, float]]:
    return [(names[pair.first], names[pair.second], pair.correlation) for pair in pairs]
