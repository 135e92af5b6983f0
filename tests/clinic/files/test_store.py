"""The store: complete or absent, never twice, never outside, with room to spare."""

from __future__ import annotations

import errno
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from myosono.clinic.files.store import FileStore
from myosono.clinic.settings import ClinicSettings, UploadLimits
from myosono.errors import ClinicError, DiskFullError, NotFoundError, UploadError
from myosono.hashing import sha256_bytes


def files_of(store: FileStore) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def test_bytes_lie_under_their_hash(store) -> None:
    found = store.put(b"picture", ".png")
    digest = sha256_bytes(b"picture")
    assert found == (digest, f"{digest[:2]}/{digest}.png", 7)
    assert store.path(found.path).read_bytes() == b"picture"
    with store.open(found.path) as stream:
        assert stream.read() == b"picture"


def test_a_file_is_copied_as_its_bytes_would_be(store, tmp_path) -> None:
    source = tmp_path / "big.dcm"
    source.write_bytes(os.urandom(3_000_000))
    assert store.put(source, ".dcm") == store.put(source.read_bytes(), ".dcm")
    assert len(files_of(store)) == 1
    assert source.exists()


@pytest.mark.parametrize("name", ["../clinic.db", "/etc/passwd", "a/../../b", "", "a\\b", "a\0b"])
def test_names_that_lead_out_are_not_found(store, name: str) -> None:
    with pytest.raises(NotFoundError):
        store.path(name)


@pytest.mark.parametrize("suffix", ["/../x", ".PNG", "png", ".a/b", "."])
def test_an_ending_is_a_plain_one(store, suffix: str) -> None:
    with pytest.raises(UploadError):
        store.put(b"1", suffix)


def test_a_missing_file_says_what_to_do(store) -> None:
    with pytest.raises(NotFoundError, match="backup"):
        store.open("ab/abcd.png")


def test_room_is_kept_on_the_disk(tmp_path) -> None:
    store = FileStore(ClinicSettings(data=tmp_path, uploads=UploadLimits(free_bytes=2**60)))
    for refuse in (lambda: store.put(b"1"), store.check_room):
        with pytest.raises(DiskFullError, match="the disk is full"):
            refuse()
    assert files_of(store) == []


def test_a_file_that_is_too_large_is_refused(tmp_path) -> None:
    store = FileStore(ClinicSettings(data=tmp_path, uploads=UploadLimits(file_bytes=10, free_bytes=0)))
    with pytest.raises(UploadError, match="more than the limit"):
        store.put(b"12345678901")


def test_a_disk_that_fills_while_writing_leaves_nothing(store, monkeypatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError):
        store.put(b"picture", ".png")
    assert files_of(store) == []


def test_a_disk_that_cannot_be_written_is_told(store, monkeypatch) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(ClinicError, match="Input/output error"):
        store.put(b"picture", ".png")
    assert files_of(store) == []


def test_nothing_bears_the_final_name_before_it_is_flushed(store, monkeypatch) -> None:
    flushed: list[list[str]] = []
    intact = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(sorted(path.suffix for path in files_of(store) if not path.name.startswith(".")))
        intact(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store.put(b"picture", ".png")
    assert flushed[0] == []
    assert flushed[1:] == [[".png"], [".png"]]


def test_only_old_leftovers_are_swept(store) -> None:
    kept = store.put(b"picture", ".png")
    old, fresh = store.root / ".incoming-old", store.root / ".incoming-fresh"
    folder = store.root / ".unpack-old"
    folder.mkdir()
    for path in (old, fresh, folder / "member"):
        path.write_bytes(b"half")
    long_ago = time.time() - 10 * 3600
    for path in (old, folder):
        os.utime(path, (long_ago, long_ago))
    store.sweep(timedelta(hours=6))
    assert not old.exists()
    assert not folder.exists()
    assert fresh.exists()
    assert store.path(kept.path).exists()
