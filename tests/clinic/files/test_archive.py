"""Archives: what an honest one holds is unpacked, what a hostile one tries is refused by name."""

from __future__ import annotations

import contextlib
import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from myosono.clinic.files.archive import is_archive, unpack
from myosono.clinic.settings import UploadLimits
from myosono.errors import UploadError


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.fixture
def listed(tmp_path: Path):
    """``listed(bytes, **limits)``: names with content, or with the refusal."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(data: bytes, **limits: float) -> dict[str, bytes | str]:
        path = tmp_path / "study.zip"
        path.write_bytes(data)
        found = {}
        for member in unpack(path, "study.zip", UploadLimits(**limits), scratch):
            found[member.name] = member.path.read_bytes() if member.path else member.refusal
        return found

    yield run
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and scratch not in path.parents]
    assert {path.name for path in outside} <= {"study.zip"}, "something was written outside the scratch folder"


def test_members_come_in_order_with_their_folders(listed) -> None:
    data = packed({"b/P001_RD_1.png": b"one", "a/P001_RD_2.png": b"two"})
    assert list(listed(data).items()) == [("study.zip/b/P001_RD_1.png", b"one"), ("study.zip/a/P001_RD_2.png", b"two")]


def test_folders_parted_as_on_windows_are_folders(listed) -> None:
    data = packed({"visit/P001_RD_1.png": b"one"}).replace(b"visit/P001", b"visit\\P001")
    assert listed(data) == {"study.zip/visit/P001_RD_1.png": b"one"}


def test_an_archive_in_an_archive_is_unpacked_once(listed) -> None:
    inner = packed({"P001_RD_1.png": b"one"})
    assert listed(packed({"inner.zip": inner, "last.png": b"two"})) == {
        "study.zip/inner.zip/P001_RD_1.png": b"one",
        "study.zip/last.png": b"two",
    }
    found = listed(packed({"middle.zip": packed({"inner.zip": inner})}))
    assert found == {"study.zip/middle.zip/inner.zip": "is an archive inside an archive inside an archive"}


@pytest.mark.parametrize("name", ["../P001.png", "a/../../P001.png", "/etc/P001.png", "C:/P001.png", "..\\P001.png"])
def test_names_that_point_out_of_the_archive_are_refused(listed, name: str) -> None:
    with pytest.raises(UploadError, match="points out of it"):
        listed(packed({"first.png": b"1", name: b"2"}))


class Unflagged(zipfile.ZipInfo):
    """A member whose name is written as these bytes, without the flag that says UTF-8."""

    raw = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.raw, self.flag_bits & ~0x800


def packed_raw(*names: bytes, unicode_path: str | None = None, crc: int | None = None) -> bytes:
    """Members named by bytes, each with the UTF-8 name that Info-ZIP adds, if one is given."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, name in enumerate(names):
            entry = Unflagged(f"x{number}")
            entry.raw = name
            if unicode_path is not None:
                field = struct.pack("<BI", 1, zlib.crc32(name) if crc is None else crc) + unicode_path.encode()
                entry.extra = struct.pack("<HH", 0x7075, len(field)) + field
            archive.writestr(entry, str(number))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("张三_RD_1.png", "gbk"),  # Windows in China
        ("李\u5586/王\u3400_RD_1.png", "gb18030"),
        ("誠_RD_1.png 诚", "gbk"),  # a second byte that is a backslash in ASCII
        ("张三_RD_1.png", "utf-8"),  # macOS
        ("Müller_RD_1.png", "utf-8"),
        ("Größe_Núñez_RD_1.png", "cp437"),  # what the standard says
    ],
)
def test_a_name_without_the_utf8_flag_is_read_as_it_was_meant(listed, name: str, encoding: str) -> None:
    assert listed(packed_raw(name.encode(encoding))) == {f"study.zip/{name}": b"0"}


def test_the_utf8_name_beside_a_name_goes_first_unless_it_belongs_to_another(listed) -> None:
    raw = "张三_RD_1.png".encode("gbk")
    assert listed(packed_raw(raw, unicode_path="章叁_RD_1.png")) == {"study.zip/章叁_RD_1.png": b"0"}
    assert listed(packed_raw(b"____RD_1.png", unicode_path="章叁_RD_1.png")) == {"study.zip/章叁_RD_1.png": b"0"}
    assert listed(packed_raw(raw, unicode_path="章叁_RD_1.png", crc=7)) == {"study.zip/张三_RD_1.png": b"0"}


@pytest.mark.parametrize("hidden", ["../张三.png", "..\\张三.png", "/etc/张三", "C:/张三", "张\0三.png", "张三/\0/"])
def test_what_points_out_only_after_decoding_is_refused(listed, hidden: str) -> None:
    harmless = "张三_RD_1.png".encode("gbk")
    with pytest.raises(UploadError, match="points out of it"):
        listed(packed_raw(harmless, unicode_path=hidden))
    with pytest.raises(UploadError, match="points out of it"):
        listed(packed_raw(harmless, hidden.encode("gbk")))


def test_a_damaged_extra_field_leaves_the_name(listed) -> None:
    raw = "张三_RD_1.png".encode("gbk")
    assert listed(packed_raw(raw, unicode_path="")) == {"study.zip/张三_RD_1.png": b"0"}
    data = bytearray(packed_raw(raw, unicode_path="章叁_RD_1.png"))
    at = data.rfind("章".encode())
    data[at : at + 1] = b"\xff"  # no UTF-8 any more
    assert listed(bytes(data)) == {"study.zip/张三_RD_1.png": b"0"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(listed, kind: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        entry = zipfile.ZipInfo("P001.png")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(UploadError, match=r"study\.zip/P001\.png: .* link or a device"):
        listed(stream.getvalue())


def test_an_encrypted_archive_is_refused(listed) -> None:
    data = bytearray(packed({"P001.png": b"secret"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + at] |= 1
    with pytest.raises(UploadError, match="encrypted"):
        listed(bytes(data))


def test_a_bomb_is_refused_before_it_is_unpacked(listed) -> None:
    with pytest.raises(UploadError, match="unpacks to far more than it is"):
        listed(packed({"P001.png": bytes(40_000_000)}))


def test_a_black_frame_is_no_bomb(listed) -> None:
    assert listed(packed({"P001.png": bytes(4_000_000)})) == {"study.zip/P001.png": bytes(4_000_000)}


def test_the_sum_of_members_is_limited_across_inner_archives(listed) -> None:
    inner = packed({f"{number}.png": bytes(1000) for number in range(3)})
    with pytest.raises(UploadError, match="too many bytes"):
        listed(packed({"a.zip": inner, "b.zip": inner}), unpacked_bytes=5500)


def test_the_number_of_members_is_limited_across_inner_archives(listed) -> None:
    inner = packed({f"{number}.png": b"1" for number in range(6)})
    with pytest.raises(UploadError, match="too many files"):
        listed(packed({"a.zip": inner, "b.zip": inner}), files=10)


def test_a_list_of_members_too_long_to_hold_is_refused_unread(listed) -> None:
    data = bytearray(packed({"P001.png": b"1"}))
    end = data.rfind(b"PK\x05\x06")
    struct.pack_into("<I", data, end + 12, 200_000_000)
    with pytest.raises(UploadError, match="too many files"):
        listed(bytes(data))


def test_a_member_larger_than_it_says_is_damaged(listed) -> None:
    """What it announces is what is unpacked at most, whatever the stream holds."""
    data = bytearray(packed({"P001.png": bytes(range(256)) * 40}))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.find(signature) + at, 100)
    (refusal,) = listed(bytes(data)).values()
    assert isinstance(refusal, str)
    assert "damaged in the archive" in refusal


def test_a_damaged_member_leaves_the_others(listed) -> None:
    data = bytearray(packed({"a.png": b"one" * 50, "b.png": b"two" * 50}, zipfile.ZIP_STORED))
    data[data.find(b"one")] ^= 1
    found = listed(bytes(data))
    assert "damaged" in found["study.zip/a.png"]
    assert found["study.zip/b.png"] == b"two" * 50


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(listed, method: int) -> None:
    with pytest.raises(UploadError, match="deflation"):
        listed(packed({"a.png": b"one"}, method))


def test_every_truncation_is_an_answer(listed) -> None:
    data = packed({"a.png": b"one" * 30, "b.png": b"two" * 30})
    refused = 0
    for end in range(4, len(data), 3):
        try:
            listed(data[:end])
        except UploadError:
            refused += 1
    assert refused > 50


def test_every_flipped_byte_is_an_answer(listed) -> None:
    data = packed({"a.png": b"one" * 30, "b/c.png": b"two" * 30})
    answers = 0
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        with contextlib.suppress(UploadError):
            listed(bytes(broken))
        answers += 1
    assert answers == len(data)


def test_archives_are_told_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(packed({"a.png": b"1"}))
    (tmp_path / "empty.zip").write_bytes(packed({}))
    (tmp_path / "b.zip").write_bytes(b"\x89PNG")
    assert [is_archive(tmp_path / name) for name in ("a.png", "empty.zip", "b.zip")] == [True, True, False]
