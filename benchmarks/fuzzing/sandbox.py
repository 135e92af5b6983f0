"""One case in a process that may not use much memory or time, nor write outside its own folder."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from myosono.errors import MyosonoError

CPU_SECONDS = 5.0
"""Processor time of a case; wall time would judge the machine's other work."""
MEMORY_BYTES = 1024**3
"""Resident memory of the whole process while it works on a case."""
_HEADROOM = 3 * 1024**3 // 2
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.mkdir": 0,
    "os.rename": 1,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.link": 1,
    "os.symlink": 1,
    "os.truncate": 0,
    "os.chmod": 0,
    "os.chown": 0,
    "os.utime": 0,
    "sqlite3.connect": 0,
}
_ALLOWED = ("/dev/null", "/proc/self/", ":memory:")


class TooSlowError(BaseException):
    """The case has used up its processor time; no handler of ordinary errors swallows it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes
    ----------
    kind
        ``valid``: read; ``refused``: a `MyosonoError`; else a failure: ``crash``, ``slow``, ``memory``, ``escape``.
    detail
        Of a failure: the exception and where it was raised. Of a refusal: its type.
    """

    kind: str
    detail: str
    seconds: float
    megabytes: float


class Sandbox:
    """Limits on this process from here on; use one in a process of its own.

    Parameters
    ----------
    folder
        The only place where cases may write; emptied after each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.realpath(folder))
        self._armed = False
        self._escaped: list[str] = []
        tempfile.tempdir = str(self.folder)
        os.environ["TMPDIR"] = str(self.folder)
        os.chdir(self.folder)
        sys.dont_write_bytecode = True
        sys.addaudithook(self._watch)
        signal.signal(signal.SIGPROF, _stop)
        space = _status("VmSize") + _HEADROOM
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # A writer that no audit hook sees (a C library) still cannot fill the disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 1024**3, 2 * 1024**3))

    def run(self, read: Any, data: bytes) -> Outcome:
        """One case, and what became of it."""
        self._escaped.clear()
        Path("/proc/self/clear_refs").write_text("5")  # the peak of resident memory starts anew
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        self._armed = True
        kind, detail = "valid", ""
        try:
            read(data, self.folder)
        except MyosonoError as error:
            kind, detail = _refusal(error)
        except TooSlowError:
            kind, detail = "slow", _place()
        except MemoryError:
            kind, detail = "memory", _place()
        except BaseException as error:  # noqa: BLE001  whatever it is, it is what we look for
            kind, detail = "crash", f"{type(error).__name__}: {str(error)[:160]} at {_place()}"
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_PROF, 0)
        seconds, peak = time.process_time() - start, _status("VmHWM")
        if self._escaped:
            kind, detail = "escape", self._escaped[0]
        elif peak > MEMORY_BYTES and kind in ("valid", "refused"):
            kind, detail = "memory", f"{peak / 2**20:.0f} MB after: {detail or kind}"
        self._clean()
        return Outcome(kind, detail, seconds, peak / 2**20)

    def _clean(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed:
            return
        target = arguments[_CHANGES[event]] if event in _CHANGES else None
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
                isinstance(flags, int) and flags & _WRITING
            )
            target = path if writes else None
        if isinstance(target, (str, bytes, os.PathLike)):
            self._armed = False  # the look-up below opens nothing, but must not watch itself
            name = os.fsdecode(target)
            parent = Path(os.path.realpath(Path(name).parent))
            if not parent.is_relative_to(self.folder) and not name.startswith(_ALLOWED):
                self._escaped.append(f"{event} of {name!r}")
            self._armed = True


def serve(connection: Connection, folder: str) -> None:
    """Body of the process: takes ``(target, seed, numbers)``, answers ``(number, Outcome)`` for each, then None."""
    from fuzzing.targets import BY_NAME, case

    # A case that hangs must not outlive a parent that was killed (prctl, PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    # The threads of numpy and others must exist before their stacks count against the limit.
    threading.stack_size(1024 * 1024)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)  # libtiff and FFmpeg complain there
    box: Sandbox | None = None
    while True:
        name, seed, numbers = connection.recv()
        target = BY_NAME[name]
        if box is None:
            _warm_up(name, folder)
            box = Sandbox(Path(folder))
        for number in numbers:
            data = case(target, seed, number)
            connection.send((number, None))  # so that the parent knows which case killed us
            connection.send((number, box.run(target.run, data)))
        connection.send(None)


def _warm_up(name: str, folder: str) -> None:
    """Import what the target needs before limits hold: an import may write caches, and is no case's fault."""
    from fuzzing.targets import BY_NAME, case

    for number in range(3 if BY_NAME[name].share else 0):
        try:
            BY_NAME[name].run(case(BY_NAME[name], 0, number), Path(tempfile.mkdtemp(dir=folder)))
        except Exception:  # noqa: BLE001  only its imports matter
            continue


def _refusal(error: MyosonoError) -> tuple[str, str]:
    """A refusal because memory ran out is no refusal: a machine with more of it would have used it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return "memory", str(error)[-200:]
        cause = cause.__cause__ or cause.__context__
    return "refused", type(error).__name__


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def _place() -> str:
    """The innermost frames of the exception at hand, deepest last."""
    frames = traceback.extract_tb(sys.exc_info()[2])[-3:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


def _status(name: str) -> int:
    """Bytes of a line of ``/proc/self/status``."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
