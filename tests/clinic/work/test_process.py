"""The reading process: killed, hung, poisoned, orphaned; every image ends with exactly one answer."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from myosono.clinic.database.models import FrameReading, StoredImage, Study
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.work import process as module
from myosono.clinic.work.process import WorkerProcess
from myosono.errors import ClinicError

PATIENCE = 90.0


@pytest.fixture
def process(settings: ClinicSettings) -> Iterator[WorkerProcess]:
    started = WorkerProcess(settings)
    started.start()
    yield started
    started.stop()


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.1)


def statuses(database) -> list[str]:  # type: ignore[no-untyped-def]
    with database.session(writes=False) as session:
        return list(session.scalars(select(StoredImage.status).order_by(StoredImage.id)))


def readings(database) -> list[int]:  # type: ignore[no-untyped-def]
    """How many frames each image has."""
    with database.session(writes=False) as session:
        frames = select(func.count(FrameReading.id)).where(FrameReading.image_id == StoredImage.id).scalar_subquery()
        return list(session.scalars(select(frames).select_from(StoredImage).order_by(StoredImage.id)))


@pytest.mark.slow
def test_killed_again_and_again_it_reads_each_image_once(settings, database, take, make_muscle) -> None:
    for seed in range(60):
        take(make_muscle(seed), f"P001_RD_{seed}.png")
    process = WorkerProcess(settings)
    process.start()
    try:
        for read in (5, 15, 25, 35):
            until(lambda read=read: statuses(database).count("read") >= read, f"{read} images")
            killed = process.pid
            os.kill(killed, signal.SIGKILL)
            until(lambda killed=killed: process.pid not in (None, killed), "a new child")
        until(lambda: set(statuses(database)) == {"read"}, "all images")
    finally:
        process.stop()
    assert process.restarts == 4
    assert readings(database) == [1] * 60
    with database.session(writes=False) as session:
        assert session.scalars(select(Study.status)).all() == ["read"]


def test_it_stops_when_told(process, database, take, make_muscle) -> None:
    take(make_muscle(1))
    until(lambda: statuses(database) == ["read"], "the image")
    pid = process.pid
    process.stop()
    assert process.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_is_started_once(process) -> None:
    with pytest.raises(ClinicError, match="runs already"):
        process.start()


SABOTAGE = """
import os, time
from myosono.clinic.work import reader

intact = reader.StudyReader.read

def read(self, path, name, **site):
    if name == "crash.png":
        os.abort()
    while name == "hang.png":
        time.sleep(1)
    yield from intact(self, path, name, **site)

reader.StudyReader.read = read
"""


@pytest.mark.slow
def test_a_crash_and_a_hang_fail_their_own_image_only(
    settings, database, take, make_muscle, tmp_path, monkeypatch
) -> None:
    """A decoder that takes its process down, and one that never returns, stood in for by a patch in the child."""
    (tmp_path / "sitecustomize.py").write_text(SABOTAGE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for seed, name in enumerate(("first.png", "crash.png", "between.png", "hang.png", "last.png")):
        take(make_muscle(seed), name)
    process = WorkerProcess(settings.model_copy(update={"lease_seconds": 3.0}))
    process.start()
    try:
        until(lambda: not {"pending", "reading"} & set(statuses(database)), "all images")
    finally:
        process.stop()
    assert statuses(database) == ["read", "failed", "read", "failed", "read"]
    assert readings(database) == [1, 0, 1, 0, 1]
    assert process.restarts == 6
    with database.session(writes=False) as session:
        errors = session.scalars(select(StoredImage.error).where(StoredImage.status == "failed")).all()
        assert session.scalars(select(Study.status)).all() == ["read"]
    assert all("stopped the reading process 3 times" in error for error in errors)


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP is of POSIX")
def test_a_process_that_stands_still_is_replaced(settings, database, take, make_muscle) -> None:
    process = WorkerProcess(settings.model_copy(update={"lease_seconds": 2.0}))
    process.start()
    try:
        take(make_muscle(1), "a.png")
        until(lambda: statuses(database) == ["read"], "the first image")
        still = process.pid
        os.kill(still, signal.SIGSTOP)
        take(make_muscle(2), "b.png")
        until(lambda: statuses(database) == ["read", "read"], "the second image")
        assert process.pid != still
    finally:
        process.stop()


ALIVE = [sys.executable, "-c", "import os, sys; os.write(1, b'.'); sys.stdin.buffer.read()"]
DYING = [sys.executable, "-c", "raise SystemExit(9)"]


@pytest.fixture
def spawn(monkeypatch) -> list[list[str] | OSError]:  # type: ignore[no-untyped-def]
    """What starting a child gives, one after another, the last for ever: another command, or an error."""
    real, told = subprocess.Popen, []

    def popen(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        answer = told.pop(0) if len(told) > 1 else told[0]
        if isinstance(answer, OSError):
            raise answer
        return real(answer, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(module.subprocess, "Popen", popen)
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.05)
    return told


@pytest.mark.parametrize("last", [ALIVE, DYING], ids=["killed at work", "dead at once"])
def test_without_memory_for_a_process_it_is_tried_until_there_is(settings, database, spawn, caplog, last) -> None:
    no_memory = OSError(errno.ENOMEM, "Cannot allocate memory")
    spawn[:] = [last, no_memory]
    process = WorkerProcess(settings)
    process.start()
    try:
        if last is ALIVE:
            until(lambda: process._child is not None and process._child.started, "a sign of life")
            assert not process.missing
            os.kill(process.pid, signal.SIGKILL)
        until(lambda: "Cannot allocate memory" in caplog.text, "the first vain start")
        assert process.missing
        assert process.pid is None
        spawn[:] = [OSError(errno.EAGAIN, "again"), BrokenPipeError("gone"), no_memory, ALIVE]
        until(lambda: not process.missing, "a child that lives")
        assert process.pid is not None
        assert process.restarts >= 1
    finally:
        process.stop()
    assert process.pid is None
    assert not process.missing


def test_a_first_start_without_memory_is_tried_again_too(settings, database, spawn) -> None:
    spawn[:] = [OSError(errno.ENOMEM, "Cannot allocate memory"), ALIVE]
    process = WorkerProcess(settings)
    process.start()
    try:
        until(lambda: process.pid is not None and not process.missing, "a child that lives")
    finally:
        process.stop()


def test_children_that_die_before_they_read_are_no_reading_process(settings, database, spawn) -> None:
    spawn[:] = [DYING]
    process = WorkerProcess(settings)
    process.start()
    try:
        until(lambda: process.restarts >= 2, "some vain starts")
        assert process.missing
    finally:
        process.stop()


def test_a_child_that_cannot_be_watched_is_not_left_behind(settings, database, spawn, monkeypatch) -> None:
    """No thread for its signs of life: it would be killed as silent while it reads."""
    started: list[subprocess.Popen[bytes]] = []
    popen = module.subprocess.Popen
    monkeypatch.setattr(module.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    monkeypatch.setattr(module.threading, "Thread", _no_thread)
    spawn[:] = [ALIVE]
    with pytest.raises(RuntimeError):
        module._Child(settings)
    assert started[0].poll() is not None


def _no_thread(**_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_it_ends_with_its_parent(settings, database) -> None:
    """A parent that is killed leaves no reader behind."""
    script = (
        "import sys, time; from myosono.clinic.settings import ClinicSettings; "
        "from myosono.clinic.work.process import WorkerProcess; "
        "p = WorkerProcess(ClinicSettings.model_validate_json(sys.argv[1])); p.start(); "
        "print(p.pid, flush=True); time.sleep(100)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, settings.model_dump_json()], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def gone() -> bool:
        state = Path(f"/proc/{child}/stat")
        return not state.exists() or state.read_text().split()[2] == "Z"

    if not Path("/proc").is_dir():
        pytest.skip("no /proc to look into")
    until(gone, "the end of the child")


def test_a_reading_process_that_is_told_itself_ends_in_order(settings, database) -> None:
    """Ctrl-C, systemd and timeout tell every process of the group, not the parent alone."""
    command = [sys.executable, "-m", "myosono.clinic.work.process", "worker:1:told"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as child:
        child.stdin.write(settings.model_dump_json().encode() + b"\n")
        child.stdin.flush()
        assert child.stdout.read(1) == b"."
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == 0
        assert b"Fatal" not in child.stderr.read()
