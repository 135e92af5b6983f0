"""Which code, on which machine: written into every run and every artefact."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_WATCHED = ("numpy", "torch", "torchvision", "timm", "pytorch-lightning", "onnxruntime", "pandas", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of myosono, Python and the packages that decide a result; those not installed are left out."""
    found = {"python": platform.python_version(), "myosono": metadata.version("myosono")}
    for name in _WATCHED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Operating system and processor, without the host's name."""
    return {"system": platform.system(), "machine": platform.machine(), "processor": _processor()}


def _processor() -> str:
    # On Linux, Python tells the architecture at best, and the model stands in a file.
    source = Path("/proc/cpuinfo")
    if source.is_file():
        for line in source.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or "unknown"


def now() -> str:
    """Time of writing, UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
