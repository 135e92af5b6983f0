"""GDCM in a process of its own: some damaged streams make it loop for ever, others abort, and neither can be caught.

Found by fuzzing a lossless JPEG cut short (`docs/security.md`). The process is started for the first frame that needs
it, serves one frame at a time, and may use `CPU_SECONDS` of processor time for each and `MEMORY_BYTES`; where it dies
or hangs the frame is damaged, and the next frame gets a new process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

CPU_SECONDS = 4
"""Processor time for a frame; the largest that is admitted takes about one."""

MEMORY_BYTES = 1024**3
"""What the process may use beyond what it starts with, where the system can limit that."""

WALL_SECONDS = 60.0
"""Where the system cannot limit processor time, and for a decoder that waits instead of working."""

LENGTHS = struct.Struct("<II")
"""Before each message: bytes of its JSON header, and of what follows that."""


class DecoderDiedError(RuntimeError):
    """The decoder crashed on a frame, or did not come to an end."""


class SeparateDecoder:
    """The decoding process, started when it is first needed.

    Safe in threads, which take turns, and after a fork, where the child starts its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def decode(self, stream: bytes, facts: dict[str, Any]) -> tuple[NDArray[Any], str]:
        """One frame.

        Parameters
        ----------
        stream
            Its compressed bytes, not encapsulated.
        facts
            Keywords of pydicom's `Decoder.as_array` for a buffer, JSON types only.

        Returns
        -------
        pixels
            ``(height, width)`` or ``(height, width, samples)``, without colour conversion.
        photometric
            What these values are.

        Raises
        ------
        ValueError
            If the decoder refuses the stream.
        DecoderDiedError
            If it crashes, or does not end.
        """
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            timer = threading.Timer(WALL_SECONDS, process.kill)
            timer.start()
            try:
                send(process.stdin, facts, stream)
                answer, pixels = receive(process.stdout)
            except (OSError, EOFError) as error:
                self._end()
                raise DecoderDiedError("the decoder crashed or did not come to an end") from error
            finally:
                timer.cancel()
        if "error" in answer:
            raise ValueError(answer["error"])
        found = np.frombuffer(pixels, dtype=np.dtype(answer["dtype"])).reshape(answer["shape"])
        return found, str(answer["photometric"])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "myosono.imaging.apart_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what the decoder mutters
            )
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self.close()

    def close(self) -> None:
        """End the process, if it is this one's; it also ends by itself when its input closes."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was left to write can no longer be written
                    pipe.close()
        process.wait()


def send(out: IO[bytes], header: dict[str, Any], body: bytes) -> None:
    """Write one message."""
    text = json.dumps(header).encode()
    out.write(LENGTHS.pack(len(text), len(body)) + text)
    out.write(body)
    out.flush()


def receive(source: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read one message.

    Raises
    ------
    EOFError
        If it ends before.
    """
    header, body = LENGTHS.unpack(_exactly(source, LENGTHS.size))
    told: dict[str, Any] = json.loads(_exactly(source, header))
    return told, _exactly(source, body)


def _exactly(source: IO[bytes], count: int) -> bytes:
    found = source.read(count)
    if len(found) != count:
        raise EOFError
    return found


separate_decoder = SeparateDecoder()
"""The one of this process."""

atexit.register(separate_decoder.close)
