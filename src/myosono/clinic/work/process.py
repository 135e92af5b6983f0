"""`WorkerProcess`: reading in a process of its own, watched, so that no image can hang or take down the clinic.

A decoder may loop for ever or crash inside C code; neither can be caught where it happens. The worker therefore runs in
a child process that says after every frame that it is alive. If it dies or falls silent it is killed, what it held goes
back into the queue at once, and another is started. `queue.MAX_ATTEMPTS` keeps a poisonous file from going round. Where
the system has no memory for another, it is tried until it has.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import uuid

from sqlalchemy.exc import SQLAlchemyError

from myosono.clinic.database.engine import Database
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.work import queue
from myosono.clinic.work.worker import Worker
from myosono.errors import ClinicError, MyosonoError

START_SECONDS = 60.0
"""A child that has not opened its model by then counts as hung."""

_STOP_SECONDS = 10.0
_WATCH_SECONDS = 0.25
_PAUSE_SECONDS = 2.0
_BEAT_SECONDS = 0.5
_NO_ROOM = (OSError, MemoryError, RuntimeError)
"""What starting a process or a thread raises where memory, processes or files have run out (threads: RuntimeError)."""

_log = logging.getLogger(__name__)


class WorkerProcess:
    """The reading process and its watchdog.

    Parameters
    ----------
    settings
        As for `Worker`. A child that says nothing for ``lease_seconds`` is replaced.
    """

    def __init__(self, settings: ClinicSettings) -> None:
        self.settings = settings
        self.restarts = 0
        self._stop = threading.Event()
        self._watch: threading.Thread | None = None
        self._child: _Child | None = None
        self._lost = False

    @property
    def missing(self) -> bool:
        """Whether nothing reads though it was started: no child can be had, or none lives to its first sign of life.

        False in the moments between a child that has worked and the next.
        """
        watch, child = self._watch, self._child
        if watch is None or self._stop.is_set():
            return False
        return not watch.is_alive() or (self._lost and (child is None or not child.started))

    @property
    def pid(self) -> int | None:
        """Process number of the present child, None if there is none."""
        child = self._child
        return child.process.pid if child is not None and child.process.poll() is None else None

    def start(self) -> None:
        """Start reading; returns at once. If the system has no room for a process now, it is tried again and again.

        Raises
        ------
        ClinicError
            If it runs already.
        """
        if self._watch is not None:
            raise ClinicError("the reading process runs already")
        self._stop.clear()
        self._lost = False
        self._start_child()
        self._watch = threading.Thread(target=self._run, name="reading watchdog", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """Let the present image be finished, for up to ten seconds, then end the process."""
        self._stop.set()
        if self._watch is not None:
            self._watch.join()
            self._watch = None

    def _run(self) -> None:
        while not self._stop.wait(_WATCH_SECONDS):
            child = self._child
            if child is not None:
                fault = child.fault()
                if fault is None:
                    continue
                _log.error("the reading process %s; it is started again", fault)
                self._lost, self._child = not child.started, None
                self._end(child, 0.0)
            if self._stop.wait(_PAUSE_SECONDS):
                break
            if self._start_child():
                self.restarts += 1
        if self._child is not None:
            self._end(self._child, _STOP_SECONDS)
            self._child = None

    def _start_child(self) -> bool:
        """Whether there is a child now. Without memory or room for a process there is none: that may pass."""
        try:
            self._child = _Child(self.settings)
        except _NO_ROOM as error:
            self._lost = True
            _log.error("the reading process cannot be started, nothing is read until it can: %s", error)
            return False
        return True

    def _end(self, child: _Child, patience: float) -> None:
        """End a child and give back what it held."""
        child.end(patience)
        try:
            self._release(child.owner)
        except (ClinicError, SQLAlchemyError, *_NO_ROOM) as error:
            _log.error("what %s held waits for its lease to end: %s", child.owner, error)

    def _release(self, owner: str) -> None:
        """Without it the image would wait for its lease to end, which is also what happens if the database is away."""
        database = Database(self.settings)
        try:
            with database.session() as session:
                queue.release(session, owner)
        finally:
            database.close()


class _Child:
    """One child process: settings go in by its standard input, signs of life come out of its standard output.

    ``started`` once it has given the first.
    """

    def __init__(self, settings: ClinicSettings) -> None:
        self.owner = f"worker:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        command = [sys.executable, "-m", "myosono.clinic.work.process", self.owner]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._silence = settings.lease_seconds
        self._last = time.monotonic()
        self.started = False
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            # The settings may hold a password, which has no place on a command line.
            self.process.stdin.write(settings.model_dump_json().encode() + b"\n")
            threading.Thread(target=self._listen, name="reading signs of life", daemon=True).start()
        except _NO_ROOM:
            self.end(0.0)
            self.process.stdout.close()
            raise

    def fault(self) -> str | None:
        """What is wrong with it, or None."""
        code = self.process.poll()
        if code is not None:
            return f"ended with code {code}"
        quiet = time.monotonic() - self._last
        allowed = self._silence if self.started else max(START_SECONDS, self._silence)
        return f"gave no sign of life for {quiet:.0f} s" if quiet > allowed else None

    def end(self, patience: float) -> None:
        """Ask by closing its standard input; kill it when patience ends."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as signs:
            while signs.read(64):
                self._last, self.started = time.monotonic(), True


def main() -> int:
    """What the child runs: reads until its standard input closes, be it because the parent says so or is dead."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    settings = ClinicSettings.model_validate_json(sys.stdin.buffer.readline())
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says when to end
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_wait_for_end, args=(stop,), name="end of input", daemon=True).start()
    try:
        Worker(settings, owner=sys.argv[1], beat=_Beat()).run_forever(stop)
    except MyosonoError as error:
        _log.error("%s", error)
        return 1
    return 0


class _Beat:
    """Signs of life on a standard output of its own: what a decoder prints to the usual one is none."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        self._next = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _BEAT_SECONDS
            os.write(self._descriptor, b".")


def _wait_for_end(stop: threading.Event) -> None:
    # Not by `sys.stdin`: a thread that waits in its buffer makes Python abort where SIGTERM ends this process first.
    while os.read(sys.stdin.fileno(), 64):
        pass
    stop.set()


if __name__ == "__main__":
    raise SystemExit(main())
