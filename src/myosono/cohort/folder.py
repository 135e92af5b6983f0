"""The folder of a new cohort: written aside, and put in place when it is whole.

Until then what was there stays as it was: an import that fails, or is killed, takes nothing away.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from myosono.cohort.store import IMAGES, INFO, LOCK, PARTIAL, is_cohort, refuse_foreign
from myosono.errors import CohortError
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
        aside = target / PARTIAL
        shutil.rmtree(aside, ignore_errors=True)
        (aside / IMAGES).mkdir(parents=True)
        try:
            yield aside
            _put_in_place(aside, target)
        except BaseException:
            # Half a cohort must not be mistaken for one, nor stand in the way of the next attempt.
            shutil.rmtree(target if fresh else aside, ignore_errors=True)
            raise


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
    elif held and PARTIAL not in held:  # with it, this is what a killed import left
        raise CohortError(
            f"the folder holds {held[0]!r} but no cohort.json, so it is no cohort that could be replaced",
            path=folder,
            remedy="Choose an empty folder",
        )


def _put_in_place(aside: Path, target: Path) -> None:
    """Moves within one disk; ``cohort.json`` goes first and comes last, so that no mixture passes for a cohort."""
    old = [entry for entry in target.iterdir() if entry.name not in (PARTIAL, LOCK)]
    for entry in sorted(old, key=lambda entry: entry.name != INFO):
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for entry in sorted(aside.iterdir(), key=lambda entry: entry.name == INFO):
        entry.replace(target / entry.name)
    aside.rmdir()
