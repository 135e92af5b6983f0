"""`myosono profile`: what networks cost on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from myosono.cli.output import console, print_json
from myosono.extras import require_train


def profile_command(
    names: Annotated[list[str] | None, typer.Argument(help="Networks; default: all of myosono's own.")] = None,
    size: Annotated[int, typer.Option(help="Side of the input, in pixels.")] = 224,
    channels: Annotated[int, typer.Option(help="Input channels.")] = 1,
    repeats: Annotated[int, typer.Option(help="Timed runs of each network, interleaved.")] = 30,
    json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Count parameters and multiply-accumulates, and time one image on one thread, side by side."""
    require_train("myosono profile")
    from rich.table import Table

    from myosono.export import profile_models
    from myosono.networks import list_models

    profiles = profile_models(names or list_models(), input_shape=(channels, size, size), repeats=repeats)
    if json:
        print_json([profile.to_dict() for profile in profiles])
        return
    table = Table(title=f"{channels}x{size}x{size}, batch 1, one thread, onnxruntime, median of {repeats}")
    for heading in ("network", "parameters", "MMAC", "of dual branch", "file", "latency"):
        table.add_column(heading, justify="left" if heading == "network" else "right")
    for p in profiles:
        table.add_row(
            p.name,
            f"{p.params:,}",
            f"{p.macs / 1e6:,.1f}",
            f"{p.macs_ratio_to_dual_branch:.2%}",
            f"{p.file_bytes / 1e6:.2f} MB",
            f"{p.latency_ms:.1f} ms",
        )
    console().print(table)
