"""`myosono models`: the networks that can be trained and the model files that can be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myosono.cli.output import console, print_json
from myosono.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.table import Table

_ORDER = ("ours", "published", "lightweight", "ablation")
_WEIGHTS = {"none": "", "download": "by download", "package": "offline (extra: pretrained)", "shipped": "included"}


def models_command(
    files: Annotated[list[Path] | None, typer.Argument(help="Model files to describe.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the networks, and describe model files (the one that ships with myosono by default)."""
    from rich.table import Table

    from myosono.reading import load

    described = []
    readers = [load(path) for path in files] if files else [load()]
    for reader in readers:
        described.append({"path": str(reader.artefact.path), **reader.model.to_dict(), **reader.artefact.metadata})
    networks = _networks()
    if json:
        print_json({"files": described, "networks": networks})
        return
    table = Table(title="model files")
    for heading in ("name", "classes", "trained on", "input", "warnings"):
        table.add_column(heading)
    for item in described:
        table.add_row(
            item["name"], ", ".join(item["classes"]), item["trained_on"], f"{item['size']} px",
            "; ".join(item["warnings"]) or "none",
        )  # fmt: skip
    console().print(table)
    if networks:
        console().print(_network_table(networks))
    if not networks:
        console().print("[dim]networks: install 'myosono[train]' to train any[/]", markup=True)


def _networks() -> list[dict[str, Any]]:
    from myosono.extras import require

    try:
        require("torch", extra="train", purpose="listing networks")
    except MissingExtraError:
        return []
    from myosono.networks import list_models, record

    return [
        {"name": name, "family": record(name).family, "kind": record(name).kind, "source": record(name).source,
         "pretrained": record(name).pretrained, "weights": record(name).weights}
        for name in sorted(list_models(), key=lambda name: _ORDER.index(record(name).family))
    ]  # fmt: skip


def _network_table(networks: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(title="models to train; any timm name works too")
    for heading in ("name", "family", "source", "pretrained weights"):
        table.add_column(heading, no_wrap=heading == "name")
    for network in networks:
        kind = "" if network["kind"] == "network" else f", {network['kind']}"
        weights = _WEIGHTS[network["weights"]]
        table.add_row(network["name"], network["family"] + kind, network["source"], weights)
    return table
