"""The folder where datasets are written while they arrive; what a dead process left there was never acknowledged."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from myosono.clinic.settings import ClinicSettings

log = logging.getLogger(__name__)

_KEPT_SECONDS = 600.0
_original = tempfile.tempdir
_used: list[str] = []


@contextmanager
def incoming_folder(settings: ClinicSettings) -> Iterator[Path]:
    """Let pynetdicom write to ``<data>/incoming`` instead of the system's temporary folder.

    That folder may be small, on another disk, or readable by others. pynetdicom offers no option, so Python's own is
    set for as long as a node runs; of several nodes in one process the last one counts.
    """
    folder = settings.data / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    mine = str(folder.resolve())
    _used.append(mine)
    tempfile.tempdir = mine
    try:
        yield folder
    finally:
        _used.remove(mine)
        tempfile.tempdir = _used[-1] if _used else _original


def sweep(folder: Path, *, older_than: float = _KEPT_SECONDS) -> int:
    """Remove what broken connections left, and return how many files.

    What is still being written is younger than any time limit of the node, so it stays.
    """
    before = time.time() - older_than
    removed = 0
    for path in folder.rglob("*.dcm"):
        try:
            if path.stat().st_mtime < before:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # its association ended just now and removed it
    if removed:
        log.info("%d unfinished transfers removed from %s", removed, folder)
    return removed
