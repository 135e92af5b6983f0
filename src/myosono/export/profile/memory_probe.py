"""Run as a script in a fresh process: how much its resident set grows by loading and running one ONNX file.

It imports nothing of myosono, so that the growth is the network's alone. Arguments: the file, then the input's shape.
Prints bytes, or ``none`` where the system does not tell.
"""

from __future__ import annotations

import sys
from pathlib import Path

RUNS = 3
_STATUS = Path("/proc/self/status")


def peak_resident_bytes() -> int | None:
    """The largest resident set that this process has had."""
    if _STATUS.exists():
        # ru_maxrss of Linux begins with the parent's size, which VmHWM does not.
        lines = [line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(lines[0].split()[1]) * 1024 if lines else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(model: str, shape: list[int]) -> None:
    """Load, run, and print the growth."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    image = np.zeros(shape, dtype=np.float32)
    before = peak_resident_bytes()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for _ in range(RUNS):
        session.run(None, {session.get_inputs()[0].name: image})
    after = peak_resident_bytes()
    sys.stdout.write("none" if before is None or after is None else str(after - before))


if __name__ == "__main__":
    main(sys.argv[1], [int(side) for side in sys.argv[2:]])
