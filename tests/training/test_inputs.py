"""The prepared inputs of a cohort: written once, whole, by one process."""

from __future__ import annotations

import errno
import os
import threading

import numpy as np
import pytest

from myosono.errors import RunError
from myosono.locking import alone
from myosono.training import inputs
from myosono.training.inputs import prepare_inputs


def test_a_second_process_waits_and_takes_what_the_first_prepared(tiny_cohort, tmp_path, monkeypatch):
    """Two had written into one file: the one in front trained on images that were still black."""
    names = tiny_cohort.table["image_id"].tolist()[:3]
    kept = np.array(prepare_inputs(tiny_cohort, names, 32, tmp_path / "first.npy", quiet=True))
    monkeypatch.setattr(inputs, "_write", None)  # whoever waited prepares nothing
    found = []
    second = threading.Thread(
        target=lambda: found.append(prepare_inputs(tiny_cohort, names, 32, tmp_path / "second.npy", quiet=True))
    )
    with alone(tmp_path / ".second.lock"):
        second.start()
        second.join(0.3)
        assert second.is_alive()
        for ending in ("npy", "rows"):
            (tmp_path / f"first.{ending}").rename(tmp_path / f"second.{ending}")
    second.join(20)
    assert np.array_equal(found[0], kept)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room")
def test_a_full_disk_is_said_before_the_work(tiny_cohort, tmp_path, monkeypatch):
    """A mapped file that finds no room later had ended the process with a bus error."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RunError, match="no room for the prepared images"):
        prepare_inputs(tiny_cohort, tiny_cohort.table["image_id"].tolist()[:3], 32, tmp_path / "a.npy", quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == [".a.lock"]


def test_rows_in_another_order_are_prepared_anew(tiny_cohort, tmp_path):
    """A cohort that was imported again has the same hash and may have another order: images had got others' labels."""
    names = tiny_cohort.table["image_id"].tolist()[:3]
    first = np.array(prepare_inputs(tiny_cohort, names, 32, tmp_path / "a.npy", quiet=True))
    turned = prepare_inputs(tiny_cohort, names[::-1], 32, tmp_path / "a.npy", quiet=True)
    assert np.array_equal(turned, first[::-1])
