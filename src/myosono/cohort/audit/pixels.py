"""Read every image of a cohort once: what is unreadable, changed, or looks like another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from myosono.cohort.audit.result import LikePair, Lookalikes
from myosono.cohort.near_duplicates import Fingerprint, SimilarPair, fingerprint, similar_pairs
from myosono.cohort.store import Cohort
from myosono.errors import CohortError
from myosono.hashing import sha256_file
from myosono.progress import track


@dataclass(frozen=True)
class PixelFacts:
    """What reading all images gave: look-alike pairs by ``image_id``, failures, and sizes of files in bytes."""

    pairs: tuple[LikePair, ...]
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


def summarise_pairs(pairs: tuple[LikePair, ...], table: pd.DataFrame) -> Lookalikes:
    """Look-alike pairs across patients and labels, the most alike first."""
    patient = dict(zip(table["image_id"], table["patient_id"], strict=True))
    label = dict(zip(table["image_id"], table["label"], strict=True))
    ordered = _most_alike_first(pairs)
    patients = tuple(pair for pair in ordered if patient[pair[0]] != patient[pair[1]])
    labels = tuple(pair for pair in ordered if label[pair[0]] != label[pair[1]])
    return Lookalikes(len(pairs), patients, labels)


def pairs_across_roles(pairs: tuple[LikePair, ...], split: pd.DataFrame) -> tuple[LikePair, ...]:
    """Pairs with one image in test and the other in training or validation of any fold, each once, most alike first."""
    crossing: set[LikePair] = set()
    for _, rows in split.groupby("fold"):
        tested = dict(zip(rows["image_id"], rows["role"] == "test", strict=True))
        crossing.update(
            pair for pair in pairs if pair[0] in tested and pair[1] in tested and tested[pair[0]] != tested[pair[1]]
        )
    return _most_alike_first(crossing)


def _most_alike_first(pairs: Iterable[LikePair]) -> tuple[LikePair, ...]:
    return tuple(sorted(pairs, key=lambda pair: (-pair[2], pair[:2])))


def _named(names: list[str], pairs: list[SimilarPair]) -> list[LikePair]:
    return [(names[pair.first], names[pair.second], pair.correlation) for pair in pairs]
