"""Hostile archives: bombs, archives in archives, names that climb, links, wrong lengths."""

from __future__ import annotations

import io
import random
import stat
import zipfile

from fuzzing.mutations import GENERAL, several
from fuzzing.seeds import dicom_files, stills, ultrasound

NAMES = (
    "study/RD_1.png",
    "a.dcm",
    "../escape.png",
    "../../../../tmp/escape.png",
    "/etc/escape.png",
    "C:\\escape.png",
    "..\\..\\escape.png",
    "a/../../escape.png",
    "\0.png",
    "a" * 300 + ".png",
    "CON.png",
    "x/",
    "",
    ".",
    "..",
    "名前.png",
    "a//b.png",
    "./././x.png",
    "nested.zip",
    "\u202egnp.exe",
    "a\nb.png",
    "files/ab/abcd.png",
    "clinic.db",
    "clinic.toml",
)


def make_archive(rng: random.Random) -> bytes:
    """A zip file: harmless, hostile in its structure, or damaged on the way."""
    data = _archive(rng, depth=rng.choice((0, 0, 0, 1, 2, 6)))
    if rng.random() < 0.5:
        data = several(rng, data, (data,), GENERAL)
    return data


def _archive(rng: random.Random, depth: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for _ in range(rng.choice((0, 1, 2, 5))):
            archive.writestr(_member(rng), _content(rng, depth))
        if rng.random() < 0.01:
            for number in range(3000):
                archive.writestr(f"{number}.png", b"")
    return buffer.getvalue()


def _member(rng: random.Random) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(rng.choice(NAMES))
    other = (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA) if rng.random() < 0.05 else (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    info.compress_type = rng.choice(other)
    if rng.random() < 0.15:  # a link, a device, a pipe
        info.external_attr = (rng.choice((stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO)) | 0o777) << 16
        info.create_system = 3
    return info


def _content(rng: random.Random, depth: int) -> bytes:
    roll = rng.random()
    if depth and roll < 0.6:
        return _archive(rng, depth - 1)
    if roll < 0.15:
        return bytes(2 * 10**7 if rng.random() < 0.05 else 10**5)  # a bomb: zeros shrink a thousandfold
    if roll < 0.3:
        return b"/etc/passwd"
    if roll < 0.45:
        return rng.choice(dicom_files()) if rng.random() < 0.3 else ultrasound(1)
    return rng.choice(stills(rng.choice(("PNG", "JPEG", "BMP"))))
