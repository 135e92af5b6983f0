"""`myosono serve` and `myosono users` as programs of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'clinic' is not installed")

from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.cli.users import users_app
from myosono.errors import ClinicError, ConflictError, ForbiddenError, MissingExtraError, NotFoundError, UsageError

WORDS = "several unrelated words\n"
runner = CliRunner()


class Serving:
    """A running `myosono serve`; ``text`` is what it has printed."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.output = folder / "output.txt"
        command = [sys.executable, "-m", "myosono.cli", "serve", "--port", "0", *options]
        environment = {**os.environ, "COLUMNS": "200"}
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                command, stdout=stream, stderr=subprocess.STDOUT, cwd=folder, env=environment
            )

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait_for_address(self) -> str:
        """The address, once it is printed."""
        for _ in range(300):
            found = re.search(r"https?://\S+?:\d+/", self.text)
            if found is not None:
                return found[0]
            assert self.process.poll() is None, self.text
            time.sleep(0.1)
        raise TimeoutError(self.text)

    def stop(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    running: list[Serving] = []

    def start(*options: str) -> Serving:
        running.append(Serving(tmp_path, *options))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def get(address: str) -> dict[str, object]:
    with urllib.request.urlopen(address, timeout=10) as answer:
        found: dict[str, object] = json.load(answer)
        return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_reads_and_stops_with_all_its_parts(serve: Callable[..., Serving], number: int) -> None:
    began = time.monotonic()
    serving = serve("--data", "clinic")
    address = serving.wait_for_address()
    assert get(f"{address}healthz")["status"] == "ok"
    assert time.monotonic() - began < 30  # below ten seconds where nothing else runs
    assert "The first visitor makes the administrator's account." in serving.text
    assert "Set-up code" not in serving.text
    parts = children(serving.process.pid)
    assert parts, "the reading process should run"
    assert serving.stop(number) == 0, serving.text
    assert not any(Path(f"/proc/{pid}").exists() for pid in parts)
    assert "Traceback" not in serving.text


@pytest.mark.slow
def test_on_the_network_a_set_up_code_and_a_warning_are_printed(serve: Callable[..., Serving]) -> None:
    serving = serve("--data", "clinic", "--host", "0.0.0.0")
    serving.wait_for_address()
    for _ in range(50):
        if "Stop with" in serving.text:
            break
        time.sleep(0.1)
    assert re.search(r"Set-up code: [\w-]{16}", serving.text)
    assert "Without HTTPS" in serving.text
    assert serving.stop(signal.SIGTERM) == 0


@pytest.mark.slow
def test_a_taken_port_is_said(serve: Callable[..., Serving]) -> None:
    port = serve("--data", "one").wait_for_address().rsplit(":", 1)[1].strip("/")
    second = serve("--data", "two", "--port", port)
    assert second.process.wait(60) == 1
    assert "Stop what uses it" in " ".join(second.text.split())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--no-accounts", "--host", "0.0.0.0"], "cannot be open to the network"),
        (["--tls-key", "key.pem"], "HTTPS needs both"),
        (["--check-audit"], "no clinic here"),
        (["--port", "99999"], "setting port"),
        (["--database-url", "mars://x"], "not a database URL"),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, options: list[str], reason: str) -> None:
    result = runner.invoke(app, ["serve", "--data", str(tmp_path / "clinic"), *options])
    assert isinstance(result.exception, ClinicError)
    assert reason in str(result.exception)


def test_a_demo_never_mixes_with_somebodys_work(tmp_path: Path) -> None:
    (tmp_path / "clinic.db").write_bytes(b"")
    result = runner.invoke(app, ["serve", "--demo", "--data", str(tmp_path)])
    assert isinstance(result.exception, ClinicError)
    assert "something other than a demo" in str(result.exception)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else real(name))
    for command in (["serve"], ["users", "list"]):
        result = runner.invoke(app, command)
        assert isinstance(result.exception, MissingExtraError)
        assert "pip install 'myosono[clinic]'" in str(result.exception)


def users(folder: Path, *words: str, typed: str = "") -> str:
    result = runner.invoke(users_app, [*words, "--data", str(folder)], input=typed)
    if result.exception is not None:
        raise result.exception
    return result.output


def test_users_are_kept_from_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="first user is its administrator"):  # nobody could have added an administrator
        users(tmp_path, "add", "ben", typed=WORDS)
    assert "anna may sign in as admin" in users(tmp_path, "add", "Anna", "--role", "admin", typed=WORDS)
    users(tmp_path, "add", "ben", "--full-name", "Ben Lee", typed=WORDS)
    with pytest.raises(ConflictError):
        users(tmp_path, "add", "ben", typed=WORDS)
    with pytest.raises(ForbiddenError, match="no administrator left"):
        users(tmp_path, "disable", "anna")
    users(tmp_path, "disable", "ben")
    assert re.search(r"ben .*Ben Lee .*reader .*disabled", users(tmp_path, "list"))
    users(tmp_path, "enable", "ben")
    users(tmp_path, "password", "ben", typed="other unrelated words\n")
    with pytest.raises(ClinicError, match="too short"):
        users(tmp_path, "password", "ben", typed="short\n")
    with pytest.raises(NotFoundError, match="no user eve"):
        users(tmp_path, "disable", "eve")


@pytest.mark.parametrize("words", [["list"], ["disable", "anna"], ["enable", "anna"], ["password", "anna"]])
def test_only_a_new_user_makes_a_clinic(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(ClinicError, match="no clinic here"):
        users(tmp_path / "mistyped", *words, typed=WORDS)
    assert not (tmp_path / "mistyped").exists()


def test_the_log_is_checked_from_the_command_line(tmp_path: Path) -> None:
    users(tmp_path, "add", "anna", "--role", "admin", typed=WORDS)
    result = runner.invoke(app, ["serve", "--check-audit", "--data", str(tmp_path)])
    assert result.exit_code == 0
    found = re.search(r"whole: 1 line\. Newest hash: ([0-9a-f]{64})", result.output)
    assert found is not None
    users(tmp_path, "add", "ben", typed=WORDS)
    known = ["serve", "--check-audit", "--data", str(tmp_path), "--known-hash"]
    assert runner.invoke(app, [*known, found[1]]).exit_code == 0
    assert "no longer has" in str(runner.invoke(app, [*known, "0" * 63 + "1"]).exception)
    # A part of a hash that is there must not be told as a log that was cut off.
    assert "no whole hash" in str(runner.invoke(app, [*known, found[1][:8]]).exception)
