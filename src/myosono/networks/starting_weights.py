"""Starting weights that ship with our networks: what they learned from a network with ImageNet weights.

`benchmarks/pretrain.py` makes them: the network answers as EfficientNet-Lite0 does, on real muscle under free licences,
simulated muscle, and pictures drawn by rule. No patient's image and no label is behind them; the file's own header says
what is.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from myosono.errors import ModelError
from myosono.hashing import sha256_file

_FOLDER = Path(__file__).parent / "weights"
_CLASSIFIER = "classifier."


def weights_file(name: str) -> Path:
    """Where the starting weights of a network lie."""
    return _FOLDER / f"{name}.safetensors"


def load_starting_weights(network: nn.Module, name: str) -> None:
    """Give a network its starting weights; its classifier keeps its own.

    Raises
    ------
    ModelError
        If there are none, the file is damaged, or the network has other layers than those that were pretrained.
    """
    path = weights_file(name)
    try:
        kept = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"starting weights cannot be read: {error}", path=path, remedy="Install myosono again"
        ) from error
    own = {key: value for key, value in network.state_dict().items() if not key.startswith(_CLASSIFIER)}
    if {key: value.shape for key, value in own.items()} != {key: value.shape for key, value in kept.items()}:
        raise ModelError(
            f"{name} has starting weights for its own layer table and one grey channel only",
            remedy="Leave out the options that change its layers, or leave out pretrained",
        )
    with torch.no_grad():
        for key, value in own.items():
            value.copy_(kept[key])


def save_starting_weights(network: nn.Module, path: str | Path, facts: dict[str, str]) -> None:
    """Write all but the classifier as float32, with what they come from in the file's header."""
    state: dict[str, Tensor] = {
        key: value.detach().cpu().contiguous()
        for key, value in network.state_dict().items()
        if not key.startswith(_CLASSIFIER)
    }
    save_file(state, path, metadata=facts)


def starting_weights_facts(name: str) -> dict[str, str]:
    """What the header of the weights says of them."""
    with safe_open(weights_file(name), framework="pt") as opened:
        return dict(opened.metadata() or {})


@cache
def starting_weights_sha256(name: str) -> str:
    """Hash of the file, "" where a network has none: a training that starts from other weights is another."""
    path = weights_file(name)
    return sha256_file(path) if path.exists() else ""
