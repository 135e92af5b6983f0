"""The download against a local server that misbehaves in the ways that servers do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from myosono.cohort.download import download_release
from myosono.errors import DownloadError, UsageError

CONTENT = np.random.default_rng(0).bytes(1_500_000)


class Server(ThreadingHTTPServer):
    """What it serves, and how it misbehaves."""

    content = CONTENT
    etag = '"one"'
    cut_after: list[int]
    ignore_range = False
    claim = 0
    status = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cut_after = []
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/release"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range", "")
        server.requests.append(asked)
        if server.status:
            self.send_error(server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if server.ignore_range or self.headers.get("If-Range") != server.etag:
            start = 0
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(server.claim or len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        limit = server.cut_after.pop(0) if server.cut_after else len(body)
        self.wfile.write(body[:limit])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    instance = Server()
    thread = threading.Thread(target=instance.serve_forever, daemon=True)
    thread.start()
    yield instance
    instance.shutdown()
    instance.server_close()
    thread.join()


def fetch(server: Server, folder, **options):  # type: ignore[no-untyped-def]
    return download_release("myositis", folder, base_url=server.url, quiet=True, **options)


def test_whole_file_is_recorded_and_not_fetched_twice(server, tmp_path):
    done = fetch(server, tmp_path)
    assert done.path.read_bytes() == CONTENT
    record = json.loads((tmp_path / "PatientData.mat.json").read_text())
    assert record["bytes"] == len(CONTENT)
    assert record["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert record["url"].endswith("/release/PatientData.mat")
    assert fetch(server, tmp_path).sha256 == done.sha256
    assert len(server.requests) == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == ["PatientData.mat", "PatientData.mat.json"]


def test_cut_connection_goes_on_where_it_broke(server, tmp_path):
    server.cut_after = [600_000, 300_000]
    done = fetch(server, tmp_path)
    assert done.path.read_bytes() == CONTENT
    assert server.requests == ["", "bytes=600000-", "bytes=900000-"]
    assert done.resumed_at == 900_000


def test_killed_download_goes_on_in_the_next_run(server, tmp_path):
    server.cut_after = [400_000]
    with pytest.raises(DownloadError, match=r"400,000 of 1,500,000 bytes arrived.*Run the same command again"):
        fetch(server, tmp_path, attempts=1)
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT
    assert server.requests[-1] == "bytes=400000-"


def test_changed_file_starts_again(server, tmp_path):
    server.cut_after = [400_000]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path, attempts=1)
    server.content, server.etag = CONTENT[::-1], '"two"'
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_nothing_is_resumed(server, tmp_path, etag):
    server.etag = etag
    server.cut_after = [400_000]
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT
    assert server.requests == ["", ""]


def test_server_that_ignores_range(server, tmp_path):
    server.ignore_range = True
    server.cut_after = [400_000]
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT
    assert server.requests == ["", "bytes=400000-"]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_refusal_names_status_and_address(server, tmp_path, status):
    server.status = status
    with pytest.raises(DownloadError, match=rf"answers {status} .*PatientData\.mat"):
        fetch(server, tmp_path)


def test_length_that_is_too_long(server, tmp_path):
    server.claim = len(CONTENT) + 1000
    with pytest.raises(DownloadError):
        fetch(server, tmp_path)
    assert not (tmp_path / "PatientData.mat").exists()


def test_part_longer_than_the_file_starts_again(server, tmp_path):
    (tmp_path / "PatientData.mat.part").write_bytes(CONTENT + b"more")
    (tmp_path / "PatientData.mat.part.json").write_text(json.dumps({"etag": server.etag, "total": None}))
    assert fetch(server, tmp_path).path.read_bytes() == CONTENT


def test_empty_answer_unreachable_server_and_unknown_release(server, tmp_path):
    server.content = b""
    server.etag = ""
    with pytest.raises(DownloadError):
        fetch(server, tmp_path)
    with pytest.raises(DownloadError, match="cannot be reached"):
        download_release("myositis", tmp_path / "b", base_url="http://127.0.0.1:9", quiet=True)
    with pytest.raises(UsageError, match="unknown release"):
        download_release("lungs", tmp_path)


def test_a_file_that_changed_or_has_no_record_is_not_trusted(server, tmp_path):
    done = fetch(server, tmp_path)
    done.path.write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match="SHA-256 differ"):
        fetch(server, tmp_path)
    (tmp_path / "PatientData.mat.json").unlink()
    with pytest.raises(DownloadError, match="without a record"):
        fetch(server, tmp_path)
