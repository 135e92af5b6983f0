"""ZIP archives, unpacked member by member within limits; nothing is ever written under a name that an archive gives."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from myosono.clinic.files.member_name import member_name
from myosono.clinic.files.store import NO_ROOM
from myosono.clinic.settings import UploadLimits
from myosono.errors import DiskFullError, UploadError

_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_CHUNK = 1 << 20
_SMALL = 16 * 1024**2
"""A member up to this may shrink as it likes: a black frame does, and it can do no harm."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_KINDS = {stat.S_IFREG, stat.S_IFDIR, 0}
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
    ValueError,
    LookupError,
)
_END, _END_SIZE, _END_REACH = b"PK\x05\x06", 22, 65_557
_END_64, _END_64_SIZE = b"PK\x06\x06", 56
_FULL_32, _FULL_16 = 0xFFFF_FFFF, 0xFFFF
_ENTRY_BYTES = 1024


@dataclass(frozen=True)
class Member:
    """A file of an archive: where it lies unpacked (only until the next is asked for), or why it does not."""

    name: str
    path: Path | None
    refusal: str = ""


class _TooMuchError(UploadError):
    """The limits of the whole upload are used up."""


@dataclass
class _Budget:
    """What is left for an archive and those inside it."""

    files: int
    unpacked_bytes: int

    def take(self, entries: list[zipfile.ZipInfo], archive: str) -> None:
        self.files -= len(entries)
        if self.files < 0:
            raise _TooMuchError("the archive holds too many files", path=archive, remedy="Send it in parts.")
        if sum(entry.file_size for entry in entries) > self.unpacked_bytes:
            raise _TooMuchError("the archive unpacks to too many bytes", path=archive, remedy="Send it in parts.")

    def spend(self, count: int, member: str) -> None:
        self.unpacked_bytes -= count
        if self.unpacked_bytes < 0:
            raise _TooMuchError("the archive unpacks to too many bytes", path=member, remedy="Send it in parts.")


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP archive, by its first bytes.

    Raises
    ------
    UploadError
        If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(4) in _SIGNATURES
    except OSError as error:
        raise UploadError(f"cannot be read: {error.strerror}", path=path) from error


def unpack(archive: Path, name: str, limits: UploadLimits, scratch: Path) -> Iterator[Member]:
    """Unpack an archive, and archives that it holds, one level deep.

    Parameters
    ----------
    archive
        The file.
    name
        What it was called, for messages; members are named below it.
    limits
        Files, bytes unpacked, and compression ratio; over the archive and those inside it together.
    scratch
        An empty folder; it holds one member at a time.

    Yields
    ------
    Member
        In the archive's order, folders left out. A damaged member comes without a path.

    Raises
    ------
    UploadError
        If the archive as a whole is refused, before anything of it is unpacked: it is no archive, too large, encrypted,
        or has a member with an absolute name, with ``..``, that is a link or a device, or that is a bomb. Later, if
        more comes out than was announced.
    DiskFullError
        If ``scratch`` is full.
    """
    yield from _unpack(archive, name, limits, scratch, _Budget(limits.files, limits.unpacked_bytes), nested=False)


def _unpack(
    archive: Path, name: str, limits: UploadLimits, scratch: Path, budget: _Budget, *, nested: bool
) -> Iterator[Member]:
    with _opened(archive, name, limits) as opened:
        # `ZipInfo.filename` is not looked at: what is checked must be the very name that is used.
        named = [(entry, _posix(member_name(entry))) for entry in opened.infolist()]
        files = [(entry, inner) for entry, inner in named if not inner.endswith("/") or "\0" in inner]
        budget.take([entry for entry, _ in files], name)
        for entry, inner in files:
            _check(entry, inner, f"{name}/{inner}", limits)
        for entry, inner in files:
            told = f"{name}/{inner}"
            path = scratch / ("inner-member" if nested else "member")
            refusal = _extract(opened, entry, path, told, budget)
            if refusal:
                yield Member(told, None, refusal)
            elif not is_archive(path):
                yield Member(told, path)
            elif nested:
                yield Member(told, None, "is an archive inside an archive inside an archive")
            else:
                yield from _inner(path, told, limits, scratch, budget)


def _inner(path: Path, name: str, limits: UploadLimits, scratch: Path, budget: _Budget) -> Iterator[Member]:
    """What is wrong with an inner archive is its own affair, unless the limits of all are used up."""
    try:
        yield from _unpack(path, name, limits, scratch, budget, nested=True)
    except (DiskFullError, _TooMuchError):
        raise
    except UploadError as error:
        yield Member(name, None, error.reason)


@contextmanager
def _opened(archive: Path, name: str, limits: UploadLimits) -> Iterator[zipfile.ZipFile]:
    try:
        if _directory_bytes(archive) > limits.files * _ENTRY_BYTES:
            raise UploadError("the archive holds too many files", path=name, remedy="Send it in parts.")
        opened = zipfile.ZipFile(archive)
    except (*_DAMAGE, OSError) as error:
        raise UploadError(f"is no ZIP archive that can be opened: {error}", path=name) from error
    with opened:
        yield opened


def _directory_bytes(archive: Path) -> int:
    """Size of the list of members, which is read at once, from the record at the end of the file (APPNOTE 4.3.16)."""
    with archive.open("rb") as stream:
        stream.seek(max(0, archive.stat().st_size - _END_REACH))
        tail = stream.read()
    at = len(tail) - _END_SIZE if tail[-_END_SIZE:].startswith(_END) else tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_SIZE:
        raise zipfile.BadZipFile("its end is missing")
    count, size = struct.unpack_from("<HI", tail, at + 10)
    if size != _FULL_32 and count != _FULL_16:
        return int(size)
    large = tail.rfind(_END_64, 0, at)
    if large < 0 or len(tail) < large + _END_64_SIZE:
        raise zipfile.BadZipFile("its list of members cannot be found")
    return int(struct.unpack_from("<Q", tail, large + 40)[0])


def _check(entry: zipfile.ZipInfo, inner: str, name: str, limits: UploadLimits) -> None:
    """Refuse the archive for what no honest one holds. ``inner`` is the member's name, ``name`` how it is told."""
    path = PurePosixPath(inner)
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0] or "\0" in inner:
        told = name.replace("\0", "?")  # which no database keeps
        raise UploadError("the archive has a member whose name points out of it", path=told)
    if stat.S_IFMT(entry.external_attr >> 16) not in _KINDS:
        raise UploadError("the archive has a member that is a link or a device", path=name)
    if entry.flag_bits & _ENCRYPTED:
        raise UploadError("the archive is encrypted", path=name, remedy="Send it without a password.")
    if entry.compress_type not in _METHODS:
        raise UploadError("the archive is not packed by deflation", path=name, remedy="Pack it as an ordinary ZIP.")
    if entry.file_size > limits.file_bytes:
        limit = limits.file_bytes / 1e6
        raise UploadError(f"the archive has a member of more than {limit:,.0f} MB", path=name)
    if entry.file_size > max(_SMALL, limits.compression_ratio * entry.compress_size):
        raise UploadError("the archive has a member that unpacks to far more than it is", path=name)


def _posix(name: str) -> str:
    """Archives made on Windows may part folders the other way."""
    return name.replace("\\", "/")


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, name: str, budget: _Budget) -> str:
    """Write a member to ``path``; what is wrong with it, or ""."""
    try:
        with opened.open(entry) as source, path.open("wb") as target:
            while chunk := source.read(_CHUNK):
                budget.spend(len(chunk), name)
                target.write(chunk)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFullError(f"the archive cannot be unpacked: {error.strerror or error}", path=name) from error
        return f"is damaged in the archive: {error}"
    except _DAMAGE as error:
        return f"is damaged in the archive: {error}"
    return ""
