"""Turn whatever a decoder throws into `ImageError`, and whatever it mutters into silence."""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ImageFile
from PIL.Image import DecompressionBombError

from myosono.errors import ImageError

# Damaged files reach every corner of Pillow and pydicom; these are the types seen there. Named one by
# one so that KeyboardInterrupt and our own errors pass.
DECODER_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    DecompressionBombError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

# warnings.catch_warnings swaps global state: two threads inside it at once can leave the filters wrong.
_WARNINGS_LOCK = threading.RLock()


@contextmanager
def decoding(path: Path, doing: str, *, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Run a decoder: its errors become `ImageError`, its warnings are dropped.

    Parameters
    ----------
    path
        The file, for the message.
    doing
        What was attempted, for example ``"decode PNG frame 1"``.
    also
        Further exception types of that decoder.

    Raises
    ------
    ImageError
        In place of any error of the decoder.
    """
    try:
        with _WARNINGS_LOCK, warnings.catch_warnings(), whole_images_only():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except (*DECODER_ERRORS, *also) as error:
        raise ImageError(
            f"cannot {doing}: {_first_line(error)}",
            path=path,
            remedy="The file is probably damaged or incomplete; export it again.",
        ) from error


@contextmanager
def whole_images_only() -> Iterator[None]:
    """No grey in place of what a file lacks: WeasyPrint, once imported, makes Pillow tolerate that everywhere."""
    tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0].strip() if lines else ""
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
