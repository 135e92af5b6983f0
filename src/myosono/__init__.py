"""myosono: inflammatory myopathies from muscle ultrasound, with a network small enough for an ultrasound cart.

The names below are imported on first use, so that ``import myosono`` is fast and never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from myosono.networks import SoftThreshold as SoftThreshold
    from myosono.networks import create_model as create_model
    from myosono.networks import list_models as list_models
    from myosono.reading import Reader as Reader
    from myosono.reading import Reading as Reading
    from myosono.reading import load as load

__version__ = "0.1.0"

_HOMES = {
    "load": "myosono.reading",
    "Reader": "myosono.reading",
    "Reading": "myosono.reading",
    "create_model": "myosono.networks",
    "list_models": "myosono.networks",
    "SoftThreshold": "myosono.networks",
}

__all__ = ["Reader", "Reading", "SoftThreshold", "create_model", "list_models", "load"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'myosono' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
