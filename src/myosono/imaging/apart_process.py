"""What `myosono.imaging.apart` starts: decodes frames from standard input until that closes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from myosono.imaging.apart import CPU_SECONDS, MEMORY_BYTES, receive, send
from myosono.imaging.dicom_streams import decoder_of
from myosono.imaging.guard import DECODER_ERRORS

try:
    import resource
except ImportError:  # Windows has none; the time on the wall limits instead
    resource = None  # type: ignore[assignment]


def main() -> int:
    """Serve frames."""
    # Standard output is for answers alone: a decoder's own prints go where its errors go.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _limit_memory()
    while True:
        try:
            facts, stream = receive(sys.stdin.buffer)
        except EOFError:
            return 0
        _limit_time()
        header, body = _decoded(facts, stream)
        send(answers, header, body)


def _limit_memory() -> None:
    pages = Path("/proc/self/statm")
    if resource is None or not pages.exists():
        return
    now = int(pages.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _limit_time() -> None:
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS, most))


def _decoded(facts: dict[str, Any], stream: bytes) -> tuple[dict[str, Any], bytes]:
    syntax = UID(facts["transfer_syntax_uid"])
    options: dict[str, Any] = facts | {"transfer_syntax_uid": syntax, "number_of_frames": 1}
    try:
        pixels, properties = get_decoder(syntax).as_array(
            encapsulate([stream]), index=0, raw=True, decoding_plugin=decoder_of(syntax), **options
        )
    except DECODER_ERRORS as error:
        return {"error": f"{type(error).__name__}: {error}"}, b""
    photometric = str(properties["photometric_interpretation"])
    return {"dtype": pixels.dtype.str, "shape": pixels.shape, "photometric": photometric}, pixels.tobytes()


if __name__ == "__main__":
    raise SystemExit(main())
