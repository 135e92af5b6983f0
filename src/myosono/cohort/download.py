"""Fetch the public release of the myositis images: resumable, and honest about what arrived.

A download lands in ``NAME.part`` beside ``NAME.part.json``, which holds the server's ETag. A second attempt asks for
the rest with ``Range`` and ``If-Range``, so that a file which changed in between starts again instead of being mixed.
When it is complete, ``NAME.json`` records where it came from, its size and its SHA-256.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from myosono.errors import DownloadError, UsageError
from myosono.hashing import sha256_file
from myosono.progress import progress_bar
from myosono.provenance import now

_CHUNK = 1 << 18
_TIMEOUT = 60.0
_CONTENT_RANGE = re.compile(r"^bytes (?P<first>\d+)-\d+/(?P<total>\d+)$")


@dataclass(frozen=True)
class Release:
    """A file of a public release."""

    file: str
    base_url: str
    title: str


RELEASES: Mapping[str, Release] = MappingProxyType(
    {
        "myositis": Release(
            file="PatientData.mat",
            base_url="https://github.com/jalbayd1/myopathy_US/releases/download/v1.1",
            title="Johns Hopkins myositis ultrasound, release v1.1 (Burlina et al. 2017)",
        )
    }
)


@dataclass(frozen=True)
class Download:
    """A complete file: where it lies, where it came from, and what it is.

    ``bytes`` is its size; ``resumed_at`` the byte at which the last attempt took over, 0 for a single attempt.
    """

    path: Path
    url: str
    bytes: int
    sha256: str
    etag: str
    fetched: str
    resumed_at: int = 0


def download_release(
    name: str, folder: str | Path, *, base_url: str | None = None, attempts: int = 5, quiet: bool = False
) -> Download:
    """Fetch a release into ``folder``, or return the complete file that is there.

    Parameters
    ----------
    name
        A key of :data:`RELEASES`.
    folder
        Where the file and its records lie.
    base_url
        Another place to fetch the same file from.
    attempts
        How often a broken connection is taken up again.

    Raises
    ------
    UsageError
        Unknown release.
    DownloadError
        The server refuses, is unreachable, or what arrived is not what it announced; what has arrived is kept for the
        next attempt.
    """
    if name not in RELEASES:
        raise UsageError(f"unknown release {name!r}", remedy=f"Known: {', '.join(RELEASES)}")
    release = RELEASES[name]
    url = f"{(base_url or release.base_url).rstrip('/')}/{release.file}"
    target = Path(folder) / release.file
    present = _recorded(target, url)
    if present is not None:
        return present
    target.parent.mkdir(parents=True, exist_ok=True)
    return _fetch(url, target, attempts, quiet)


class _BrokenError(Exception):
    """The connection ended before the file did: worth another attempt."""


def _fetch(url: str, target: Path, attempts: int, quiet: bool) -> Download:
    part = target.with_name(f"{target.name}.part")
    resumed_at, etag = 0, ""
    for attempt in range(max(1, attempts)):
        held = part.stat().st_size if part.is_file() else 0
        try:
            etag, start = _attempt(url, part, quiet)
            resumed_at = start or resumed_at
            break
        except _BrokenError as error:
            grown = part.is_file() and part.stat().st_size > held
            if attempt + 1 >= attempts or (not grown and attempt > 0):
                raise DownloadError(
                    f"the connection broke: {error}", path=part, remedy="Run the same command again to go on from here"
                ) from error
    part.replace(target)
    _state_file(part).unlink(missing_ok=True)
    done = Download(target, url, target.stat().st_size, sha256_file(target), etag, now(), resumed_at)
    record = {**asdict(done), "path": target.name}
    _record_file(target).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return done


def _attempt(url: str, part: Path, quiet: bool) -> tuple[str, int]:
    """One request. Returns the ETag and the byte at which it started."""
    held, known = _held(part)
    if held and held == known.get("total"):
        return str(known["etag"]), held
    request = urllib.request.Request(url, headers={"User-Agent": "myosono", "Accept-Encoding": "identity"})
    if held:
        request.add_header("Range", f"bytes={held}-")
        request.add_header("If-Range", known["etag"])
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            return _receive(response, part, held, quiet)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
            raise _BrokenError("the part on disk is longer than the file: starting again") from error
        raise DownloadError(f"the server answers {error.code} {error.reason} for {url}", path=part) from error
    except urllib.error.URLError as error:
        raise DownloadError(f"{url} cannot be reached: {error.reason}", remedy="Check the network") from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(str(error) or type(error).__name__) from error


def _receive(response: Any, part: Path, held: int, quiet: bool) -> tuple[str, int]:
    start, total = _extent(response, held)
    if start not in (0, held):
        part.unlink(missing_ok=True)
        raise _BrokenError(f"the server sent byte {start}, where {held} was asked for: starting again")
    etag = response.headers.get("ETag", "")
    # A weak validator cannot vouch for bytes (RFC 9110, 13.1.5), so no resumption is offered on it.
    _state_file(part).write_text(json.dumps({"etag": "" if etag.startswith("W/") else etag, "total": total}))
    with part.open("ab" if start else "wb") as sink, progress_bar(disable=quiet) as bar:
        task = bar.add_task(f"fetching {part.stem}", total=total, completed=start)
        while chunk := response.read(_CHUNK):
            sink.write(chunk)
            bar.advance(task, len(chunk))
    arrived = part.stat().st_size
    if total is not None and arrived > total:
        part.unlink()
        raise DownloadError(f"{arrived:,} bytes arrived, where the server announced {total:,}", path=part)
    if total is not None and arrived < total:
        raise _BrokenError(f"{arrived:,} of {total:,} bytes arrived")
    if arrived == 0:
        part.unlink()
        raise DownloadError("the server sent an empty file", path=part)
    return etag, start


def _extent(response: Any, held: int) -> tuple[int, int | None]:
    """First byte and total size that the server announces."""
    if response.status == http.client.PARTIAL_CONTENT:
        match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        if match is None:
            raise DownloadError(f"the server's Content-Range makes no sense: {response.headers.get('Content-Range')!r}")
        return int(match["first"]), int(match["total"])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length is not None and length.isdigit() else None


def _held(part: Path) -> tuple[int, dict[str, Any]]:
    """Bytes on disk that may be continued, and what is known of their source."""
    try:
        known = json.loads(_state_file(part).read_text(encoding="utf-8"))
        size = part.stat().st_size
    except (OSError, ValueError):
        return 0, {}
    return (size, known) if isinstance(known, dict) and known.get("etag") else (0, {})


def _recorded(target: Path, url: str) -> Download | None:
    """The complete file on disk, if it is what its record says; a file without a record is another's and stays."""
    record = _record_file(target)
    if not record.is_file():
        if target.exists():
            raise DownloadError(
                "a file is here already, without a record of where it came from",
                path=target,
                remedy="Import it as it is (myosono import FILE), or move it away",
            )
        return None
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        done = Download(**{**data, "path": target})
    except (OSError, ValueError, TypeError) as error:
        raise DownloadError(f"the record of the download cannot be read: {error}", path=record) from error
    if not target.is_file():
        return None
    if target.stat().st_size != done.bytes or sha256_file(target) != done.sha256:
        raise DownloadError(
            "the file is not what was downloaded: size or SHA-256 differ from its record",
            path=target,
            remedy="Delete it to fetch it again",
        )
    return done if done.url == url else None


def _state_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _record_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")
