"""The network's maps as bytes for the database: float16, deflated."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from myosono.errors import ClinicError

_HEADER = struct.Struct("<4sHHH")
_MAGIC = b"msm1"
_LEVEL = 1  # float16 noise hardly shrinks further, and a cine has hundreds of frames


def pack(class_maps: NDArray[np.floating], shrinkage: NDArray[np.floating]) -> bytes:
    """Maps to bytes.

    Parameters
    ----------
    class_maps
        ``(classes, h, w)``.
    shrinkage
        ``(h, w)``.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """
    if class_maps.ndim != 3 or class_maps.shape[1:] != shrinkage.shape:
        raise ValueError(f"class maps of {class_maps.shape} beside a shrinkage map of {shrinkage.shape}")
    together = np.concatenate([class_maps, shrinkage[None]]).astype("<f2")
    return _HEADER.pack(_MAGIC, *class_maps.shape) + zlib.compress(together.tobytes(), _LEVEL)


def unpack(packed: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What was packed, to the precision of float16.

    Returns
    -------
    class_maps
        ``(classes, h, w)``.
    shrinkage
        ``(h, w)``.

    Raises
    ------
    ClinicError
        If the bytes are damaged.
    """
    try:
        magic, classes, height, width = _HEADER.unpack_from(packed)
        if magic != _MAGIC:
            raise ValueError("of another form")
        values = np.frombuffer(zlib.decompress(packed[_HEADER.size :]), "<f2").astype(np.float32)
        together = values.reshape(classes + 1, height, width)
    except (struct.error, zlib.error, ValueError) as error:
        raise ClinicError(f"stored maps are damaged: {error}", remedy="Read the study again.") from error
    return together[:-1], together[-1]
