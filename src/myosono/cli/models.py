"""`myosono models`: the networks that can be trained and the model files that can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from myosono.cli.output import console, print_json
from myosono.errors import MissingExtraError


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
    for network in networks:
        console().print(f"[bold]{network['name']}[/]  {network['source']}")
    if not networks:
        console().print("[dim]networks: install 'myosono[train]' to train any[/]", markup=True)


def _networks() -> list[dict[str, Any]]:
    from myosono.extras import require

    try:
        require("torch", extra="train", purpose="listing networks")
    except MissingExtraError:
        return []
    from myosono.networks import list_models, record

    return [{"name": name, "source": record(name).source} for name in list_models()]
