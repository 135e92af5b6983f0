"""The same picture twice, byte for byte: under two patients, or in two roles of a split. No likeness: a proof."""

from __future__ import annotations

import pandas as pd


def identical_across_patients(table: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Groups of images with one SHA-256 and several patients; of each patient the first ``image_id``."""
    known = table[table["sha256"] != ""]
    firsts = known.drop_duplicates(["sha256", "patient_id"])
    crowded = firsts[firsts.duplicated("sha256", keep=False)]
    return tuple(tuple(map(str, group)) for _, group in crowded.groupby("sha256", sort=False)["image_id"])


def identical_across_roles(split: pd.DataFrame, table: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Tested images that are trained or validated on under another ``image_id``: ``(tested, seen)``, each pair once.

    Parameters
    ----------
    split
        Columns ``image_id, fold, role``.
    table
        A cohort table; rows without ``sha256`` are left out.
    """
    digests = table.set_index("image_id")["sha256"]
    joined = split.assign(sha256=split["image_id"].map(digests))
    joined = joined[joined["sha256"] != ""]
    seen = joined[joined["role"] != "test"].drop_duplicates(["fold", "sha256"])
    pairs = joined[joined["role"] == "test"].merge(seen, on=["fold", "sha256"], suffixes=("", "_seen"))
    return tuple(dict.fromkeys(zip(pairs["image_id"].map(str), pairs["image_id_seen"].map(str), strict=True)))
