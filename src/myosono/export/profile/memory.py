"""Peak memory of one network, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from myosono.errors import ModelError

_PROBE = Path(__file__).with_name("memory_probe.py")


def peak_memory_bytes(model: Path, input_shape: Sequence[int]) -> int | None:
    """Growth of a fresh process's resident set by loading and running ``model``; None where it is not known.

    Parameters
    ----------
    model
        ONNX file with one float32 input.
    input_shape
        Shape of the input, batch axis included.

    Raises
    ------
    ModelError
        If the file cannot be loaded and run.
    """
    # By path and with -P: neither myosono nor the files beside the probe are imported.
    command = [sys.executable, "-P", str(_PROBE), str(model), *map(str, input_shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ModelError(f"the network cannot be run for its memory: {reason}", path=model.name)
    return None if done.stdout == "none" else int(done.stdout)
