"""`FileStore`: bytes under the name of their hash, complete on disk or not there at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from myosono.clinic.settings import ClinicSettings
from myosono.errors import ClinicError, DiskFullError, NotFoundError, UploadError

_CHUNK = 1 << 20
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
INCOMING = ".incoming-"
"""How names of half-written files begin."""

UNPACKING = ".unpack-"
"""How names of folders begin that archives are unpacked in."""

UPLOAD = ".upload-"
"""How names of files begin that a browser is sending."""

_TEMPORARY = (INCOMING, UNPACKING, UPLOAD)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class StoredFile(NamedTuple):
    """A file in the store: hash of its bytes, path below the folder of files (posix), bytes."""

    sha256: str
    path: str
    size: int


class FileStore:
    """The folder of stored images, content-addressed: ``ab/abcd….png``.

    A file is written under a temporary name in the same folder, flushed to the disk, renamed, and the rename is
    flushed too. So after `put` has returned, neither a killed process nor a power cut loses it, and a name in the store
    always holds the bytes that its hash says.

    Parameters
    ----------
    settings
        Whose ``files`` folder is used, and whose ``uploads`` limit the size of a file and keep room on the disk.
    """

    def __init__(self, settings: ClinicSettings) -> None:
        self.root = settings.files
        self._limits = settings.uploads

    def put(self, data: bytes | Path, suffix: str = "") -> StoredFile:
        """Store bytes, or a copy of a file; what is there already is not written again.

        Parameters
        ----------
        data
            The bytes, or a file that holds them.
        suffix
            Ending of the stored name, such as ``.png``.

        Raises
        ------
        DiskFullError
            If the disk has, or would have, less room left than ``uploads.free_bytes``.
        UploadError
            If it is larger than ``uploads.file_bytes``, or cannot be read.
        ClinicError
            If the folder cannot be written.
        """
        if suffix and not _SUFFIX.fullmatch(suffix):
            raise UploadError(f"{suffix!r} cannot end a stored name")
        size = len(data) if isinstance(data, bytes) else _size(data)
        if size > self._limits.file_bytes:
            limit = self._limits.file_bytes
            raise UploadError(f"holds {size / 1e6:,.1f} MB, more than the limit of {limit / 1e6:,.0f} MB")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._check_room(size)
            return self._write(data, suffix)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise _full() from error
            raise ClinicError(f"cannot be written: {error.strerror or error}", path=self.root) from error

    def path(self, relative: str) -> Path:
        """Where a stored file lies.

        Raises
        ------
        NotFoundError
            If the name points out of the store.
        """
        parts = PurePosixPath(relative)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\\" in relative or "\0" in relative:
            raise NotFoundError(f"no stored file is called {relative!r}")
        return self.root.joinpath(*parts.parts)

    def open(self, relative: str) -> BinaryIO:
        """Open a stored file for reading.

        Raises
        ------
        NotFoundError
            If it is not there.
        """
        path = self.path(relative)
        try:
            return path.open("rb")
        except OSError as error:
            remedy = "Restore the folder of files from a backup."
            raise NotFoundError(f"cannot be opened: {error.strerror}", path=path, remedy=remedy) from error

    def check_room(self) -> None:
        """Refuse early, before anything is received.

        Raises
        ------
        DiskFullError
            If the disk has less room left than ``uploads.free_bytes``.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self._check_room(0)

    def sweep(self, older_than: timedelta = timedelta(hours=6)) -> None:
        """Remove what killed processes left half-written; it was never acknowledged."""
        before = time.time() - older_than.total_seconds()
        for left in self.root.glob(".*"):
            if left.name.startswith(_TEMPORARY) and left.lstat().st_mtime < before:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink(missing_ok=True)

    def _check_room(self, size: int) -> None:
        if shutil.disk_usage(self.root).free - size < self._limits.free_bytes:
            raise _full()

    def _write(self, data: bytes | Path, suffix: str) -> StoredFile:
        handle, name = tempfile.mkstemp(prefix=INCOMING, dir=self.root)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as target:
                digest, size = _copy(data, target.write)
                target.flush()
                os.fsync(target.fileno())
            relative = f"{digest[:2]}/{digest}{suffix}"
            final = self.root / relative
            new_folder = not final.parent.exists()
            final.parent.mkdir(exist_ok=True)
            temporary.replace(final)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(final.parent)
        if new_folder:
            _flush_folder(self.root)
        return StoredFile(digest, relative, size)


def _copy(data: bytes | Path, write: Callable[[bytes], int]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    if isinstance(data, bytes):
        write(data)
        digest.update(data)
        return digest.hexdigest(), len(data)
    with data.open("rb") as source:
        while chunk := source.read(_CHUNK):
            write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise UploadError(f"cannot be read: {error.strerror}", path=path) from error


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders; NTFS journals its renames
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _full() -> DiskFullError:
    return DiskFullError("the disk is full", remedy="Free some room, then send it again; nothing was kept of it.")
