"""One process at a time: locks that a killed process does not leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def alone(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file, which is made beside what it guards and stays there, empty.

    On a file system without locks (some network shares) nothing is held: one process at a time is then up to the user.

    Parameters
    ----------
    path
        The lock file.
    wait
        Wait for whoever holds it.

    Yields
    ------
    bool
        False if another process holds it and ``wait`` is false.
    """
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    except NotImplementedError:
        yield True
        return
    try:
        yield True
    finally:
        lock.release()
