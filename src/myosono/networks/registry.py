"""One registry of networks: a decorator beside a typed record, shared with timm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import timm
import timm.models
from torch import nn

from myosono.errors import ModelError


@dataclass(frozen=True)
class ModelRecord:
    """What the registry knows of a network.

    Attributes
    ----------
    name
        Registered name.
    build
        Makes the network from ``num_classes``, ``in_chans`` and its own options.
    source
        The publication or package that it comes from.
    explains
        Whether it has an ``explain`` method (class maps, shrinkage, embedding), which export needs.
    """

    name: str
    build: Callable[..., nn.Module]
    source: str
    explains: bool


_RECORDS: dict[str, ModelRecord] = {}


def register(name: str, *, source: str, explains: bool = False) -> Callable[[Callable[..., nn.Module]], Any]:
    """Register a builder here and with timm.

    Raises
    ------
    ValueError
        If the name is taken.
    """

    def decorate(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        if name in _RECORDS:
            raise ValueError(f"network {name!r} is registered twice")
        _RECORDS[name] = ModelRecord(name=name, build=build, source=source, explains=explains)
        _register_with_timm(name, build)
        return build

    return decorate


def _register_with_timm(name: str, build: Callable[..., nn.Module]) -> None:
    def entrypoint(pretrained: bool = False, **options: Any) -> nn.Module:
        if pretrained:
            raise ModelError(f"{name} has no pretrained weights", remedy="Leave out pretrained=True")
        for key in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
            options.pop(key, None)
        return build(**options)

    entrypoint.__name__ = name
    entrypoint.__module__ = build.__module__
    timm.models.register_model(entrypoint)


def record(name: str) -> ModelRecord:
    """The record of a registered network.

    Raises
    ------
    ModelError
        If the name is unknown.
    """
    if name not in _RECORDS:
        raise ModelError(f"unknown network {name!r}", remedy=f"Known are: {', '.join(list_models())}")
    return _RECORDS[name]


def list_models() -> list[str]:
    """Names of the networks registered by myosono, sorted.

    Examples
    --------
    >>> list_models()
    ['dual_branch', 'stanet_s', 'stanet_xs']
    """
    return sorted(_RECORDS)


def create_model(name: str, *, num_classes: int = 4, in_chans: int = 1, **options: Any) -> nn.Module:
    """Create a network with fresh weights.

    Parameters
    ----------
    name
        One of `list_models`, or any timm name.
    num_classes, in_chans
        Number of classes; channels of the input (1 for grey).
    options
        Options of the network, for example ``initial_bias=-4.0`` for a STANet.

    Raises
    ------
    ModelError
        If neither this registry nor timm knows the name, or an option does not exist.
    """
    if name not in _RECORDS and not timm.models.is_model(name):
        record(name)
    try:
        if name in _RECORDS:
            return _RECORDS[name].build(num_classes=num_classes, in_chans=in_chans, **options)
        made: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=num_classes, in_chans=in_chans, **options
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"cannot create {name!r} with {options}: {error}") from error
    return made
