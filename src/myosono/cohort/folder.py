"""The folder of a new cohort: written aside, and put in place when it is whole.

Until then what was there stays as it was: an import that fails, or is killed, takes nothing away. Each writes in a
folder of its own name, for the workers of one that was killed may outlive it: what they still write finds no folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from myosono.cohort.store import IMAGES, INFO, LOCK, PARTIAL, is_cohort, is_partial, refuse_foreign
from myosono.errors import CohortError
from myosono.hashing import sha256_file
from myosono.locking import alone


@contextmanager
def new_cohort_folder(out: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write a cohort into; at the end its content takes the place of what ``out`` held.

    It lies within ``out``, so that it is on the same disk, and ``out`` may be a mounted volume.

    Parameters
    ----------
    out
        The cohort folder: absent, empty, or with ``overwrite`` a cohort.
    overwrite
        Replace a cohort that is there.

    Yields
    ------
    Path
        A folder with an empty ``images/``.

    Raises
    ------
    CohortError
        If ``out`` is a file, holds a cohort and ``overwrite`` is false, or holds anything that is no cohort; or if
        another process is writing a cohort there.
    """
    target = Path(out)
    fresh = not target.exists()
    check_replaceable(target, overwrite=overwrite)
    target.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        check_replaceable(target, overwrite=overwrite)  # another may have finished meanwhile
        _remove_leftovers(target)
        aside = _own_folder(target)
        (aside / IMAGES).mkdir(parents=True)
        try:
            yield aside
            _put_in_place(aside, target)
        except BaseException:
            # Half a cohort must not be mistaken for one, nor stand in the way of the next attempt.
            shutil.rmtree(target if fresh else aside, ignore_errors=True)
            raise


def require_recorded(folder: Path, table: pd.DataFrame) -> None:
    """Check that ``images/`` holds the files that a cohort table records, byte for byte, and no other.

    Raises
    ------
    CohortError
        A file differs from what the table says of it, is missing, or stands in no row.
    """
    stray = sorted({f"{IMAGES}/{entry.name}" for entry in (folder / IMAGES).iterdir()} - set(table["file"]))
    digests = zip(table["file"], table["sha256"], strict=True)
    changed = (
        file for file, digest in digests if not (folder / file).is_file() or sha256_file(folder / file) != digest
    )
    wrong = stray[0] if stray else next(changed, None)
    if wrong is not None:
        reason = "is in no row of the table" if stray else "is not what was written"
        remedy = "Does another process write here? Wait for it, and try again"
        raise CohortError(f"the file {wrong} {reason}", path=folder.parent, remedy=remedy)


def _own_folder(target: Path) -> Path:
    return target / f"{PARTIAL}-{os.getpid()}-{secrets.token_hex(4)}"


def _remove_leftovers(target: Path) -> None:
    """What killed imports left; renamed first, so that a worker still writing there cannot keep its folder alive."""
    for left in [entry for entry in target.iterdir() if is_partial(entry.name)]:
        dead = _own_folder(target)
        left.rename(dead)
        shutil.rmtree(dead, ignore_errors=True)


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One writer at a time; the lock of a process that was killed is free."""
    with alone(target / LOCK, wait=False) as mine:
        if not mine:
            remedy = "Wait for it, or choose another --out"
            raise CohortError("another process is writing a cohort here", path=target, remedy=remedy)
        try:
            yield
        finally:
            (target / LOCK).unlink(missing_ok=True)


def check_replaceable(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder whose content is not ours to replace.

    Raises
    ------
    CohortError
        As :func:`new_cohort_folder`.
    """
    refuse_foreign(folder)
    held = sorted(entry.name for entry in folder.iterdir() if entry.name != LOCK) if folder.is_dir() else []
    if is_cohort(folder):
        if not overwrite:
            raise CohortError(
                "there is a cohort here already", path=folder, remedy="Choose another --out or pass --overwrite"
            )
    elif held and not any(map(is_partial, held)):  # with one, this is what a killed import left
        raise CohortError(
            f"the folder holds {held[0]!r} but no cohort.json, so it is no cohort that could be replaced",
            path=folder,
            remedy="Choose an empty folder",
        )


def _put_in_place(aside: Path, target: Path) -> None:
    """Moves within one disk; ``cohort.json`` goes first and comes last, so that no mixture passes for a cohort."""
    old = [entry for entry in target.iterdir() if entry.name != LOCK and not is_partial(entry.name)]
    for entry in sorted(old, key=lambda entry: entry.name != INFO):
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for entry in sorted(aside.iterdir(), key=lambda entry: entry.name == INFO):
        entry.replace(target / entry.name)
    aside.rmdir()
