"""One registry of models: a decorator beside a typed record, shared with timm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import timm
import timm.models
from torch import nn

from myosono.errors import ModelError
from myosono.networks.imagenet import build_timm

Family = Literal["ours", "published", "lightweight", "ablation"]
"""Ours; published for myositis; what a user would pick instead; ours with one decision changed."""

Kind = Literal["network", "estimator"]
"""A torch network, or a scikit-learn estimator on engineered features that `myosono.training` fits."""

Weights = Literal["none", "download", "package", "shipped"]
"""Pretrained weights: nobody has any; a download or an installed package brings those of ImageNet; or they ship with
myosono, learned from a network that has those of ImageNet (`starting_weights`)."""

Builder = Callable[..., nn.Module]


@dataclass(frozen=True)
class ModelRecord:
    """What the registry knows of a model.

    Attributes
    ----------
    name
        Registered name.
    build
        Makes the network from ``num_classes``, ``in_chans`` and its own options, and from ``pretrained`` where
        ``weights`` is not ``"none"``. For an estimator it raises.
    source
        The publication or package that it comes from.
    family
        Why it is here.
    kind
        Network or estimator.
    weights
        Where pretrained weights would come from.
    """

    name: str
    build: Builder
    source: str
    family: Family
    kind: Kind = "network"
    weights: Weights = "none"

    @property
    def pretrained(self) -> bool:
        """Whether pretrained weights are to be had offline."""
        return self.weights in ("package", "shipped")


_RECORDS: dict[str, ModelRecord] = {}


def register(name: str, *, source: str, family: Family, weights: Weights = "none") -> Callable[[Builder], Builder]:
    """Register a network's builder here, and with timm if timm has no model of that name.

    Raises
    ------
    ValueError
        If the name is taken.
    """

    def decorate(build: Builder) -> Builder:
        _add(ModelRecord(name, build, source, family, weights=weights))
        if not timm.models.is_model(name):
            _register_with_timm(name)
        return build

    return decorate


def register_estimator(name: str, *, source: str, family: Family) -> None:
    """Register the name of an estimator, which is fitted by `myosono.training` and has no network to build.

    Raises
    ------
    ValueError
        If the name is taken.
    """

    def build(**options: Any) -> nn.Module:
        raise ModelError(
            f"{name} is a scikit-learn estimator, not a network: it has no layers to create, export or profile",
            remedy=f"Fit it with: myosono train COHORT --model {name} --out RUN",
        )

    _add(ModelRecord(name, build, source, family, kind="estimator"))


def _add(added: ModelRecord) -> None:
    if added.name in _RECORDS:
        raise ValueError(f"model {added.name!r} is registered twice")
    _RECORDS[added.name] = added


def _register_with_timm(name: str) -> None:
    def entrypoint(pretrained: bool = False, **options: Any) -> nn.Module:
        for key in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
            options.pop(key, None)
        return create_model(name, pretrained=pretrained, **options)

    entrypoint.__name__ = name
    entrypoint.__module__ = __name__
    timm.models.register_model(entrypoint)


def record(name: str) -> ModelRecord:
    """The record of a registered model.

    Raises
    ------
    ModelError
        If the name is unknown.
    """
    if name not in _RECORDS:
        raise ModelError(f"unknown network {name!r}", remedy=f"Known are: {', '.join(list_models())}")
    return _RECORDS[name]


def model_kind(name: str) -> Kind:
    """Kind of a registered model; any other name is taken for a timm network."""
    return _RECORDS[name].kind if name in _RECORDS else "network"


def list_models(family: Family | None = None, kind: Kind | None = None) -> list[str]:
    """Names of the models registered by myosono, sorted.

    Parameters
    ----------
    family, kind
        Only these.

    Examples
    --------
    >>> list_models(family="ours")
    ['stanet_s', 'stanet_xs']
    >>> list_models(kind="estimator")
    ['rf_engineered']
    """
    return sorted(
        name
        for name, found in _RECORDS.items()
        if family in (None, found.family) and kind in (None, found.kind)
    )  # fmt: skip


def create_model(
    name: str, *, num_classes: int = 4, in_chans: int = 1, pretrained: bool = False, **options: Any
) -> nn.Module:
    """Create a network, with fresh weights unless others are asked for.

    Parameters
    ----------
    name
        One of ``list_models(kind="network")``, or any timm name.
    num_classes, in_chans
        Number of classes; channels of the input (1 for grey).
    pretrained
        Start from ImageNet weights, or from those that ship with ours. The network takes our standardised grey levels
        all the same.
    options
        Options of the network, for example ``initial_bias=-4.0`` for a STANet.

    Raises
    ------
    ModelError
        If neither this registry nor timm knows the name, the name is an estimator's, an option does not exist, or
        pretrained weights are asked for and cannot be had.
    """
    if name not in _RECORDS and not timm.models.is_model(name):
        record(name)
    try:
        if name not in _RECORDS:
            return build_timm(name, num_classes=num_classes, in_chans=in_chans, pretrained=pretrained, **options)
        found = _RECORDS[name]
        if found.weights != "none":
            options["pretrained"] = pretrained
        elif pretrained and found.kind == "network":
            offline = ", ".join(n for n, r in _RECORDS.items() if r.pretrained)
            raise ModelError(
                f"{name} has no pretrained weights",
                remedy=f"Leave out pretrained, or choose a network that has some offline: {offline}",
            )
        return found.build(num_classes=num_classes, in_chans=in_chans, **options)
    except (TypeError, ValueError) as error:
        raise ModelError(f"cannot create {name!r} with {options}: {error}") from error
