"""`myosono profile`: what networks cost on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from myosono.cli.output import console, print_json, require_writable, written
from myosono.extras import require_train

if TYPE_CHECKING:
    from rich.table import Table

    from myosono.export import Profile

BUSY = 0.3
"""Load average above which latencies are not to be trusted."""


def profile_command(
    names: Annotated[list[str] | None, typer.Argument(help="Networks, also timm names; default: all of them.")] = None,
    size: Annotated[int, typer.Option(min=32, help="Side of the input, in pixels.")] = 224,
    channels: Annotated[int, typer.Option(min=1, help="Input channels.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each network, interleaved.")] = 30,
    budget: Annotated[float, typer.Option(min=0, help="Seconds of timing a network; slow ones get fewer runs.")] = 20,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the figures to this file too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Parameters, multiply-accumulates, file size, latency and memory of networks, measured side by side.

    Latency is of a single image through onnxruntime, with one and with two threads, run network by network in turn, so
    that each finds the caches full of another's weights; and of one of many images in succession, one thread. The share
    of the peak sets the latter against matrix products in succession, computed by one thread in the same run.
    """
    require_train("myosono profile")
    from myosono.export import profile_models
    from myosono.export.profile.record import write_csv
    from myosono.networks import list_models

    if csv is not None:
        require_writable(csv)
    chosen = names or list_models(kind="network")
    profiles = profile_models(chosen, input_shape=(channels, size, size), repeats=repeats, budget=budget)
    busy = profiles[0].load_average
    if busy is not None and busy > BUSY:
        from rich.console import Console

        Console(stderr=True, soft_wrap=True).print(
            f"[yellow]The processor was busy before this began (load average {busy:.1f}): latencies are too long.[/]"
        )
    if csv is not None:
        write_csv(profiles, csv)
    if json:
        print_json([profile.to_dict() for profile in profiles])
        return
    console().print(_table(profiles))
    if csv is not None:
        written(csv, "figures")


def _table(profiles: list[Profile]) -> Table:
    from rich import box
    from rich.table import Table

    first = profiles[0]
    table = Table(
        title=f"Input {'x'.join(map(str, first.input))}, batch 1, float32, {first.runtime}. "
        "Latency: median (5th–95th percentile)",
        caption=f"Peak: {first.peak.macs_per_second / 1e9:.1f} GMAC/s on one thread, {first.peak.product}. "
        f"{first.machine}.",
        box=box.SIMPLE_HEAD,
    )
    headings = ("network", "params\nM", "MMAC", "of dual\nbranch", "file\nMB", "1 thread\nms", "in suc-\ncession",
                "2 threads\nms", "of\npeak", "memory\nMB")  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "network" else "right", no_wrap=True)
    for p in profiles:
        times = [f"{_short(t.median)} ({_short(t.p5)}–{_short(t.p95)})" for t in (p.one_thread, p.two_threads)]
        times.insert(1, _short(p.succession.median))
        memory = "–" if p.peak_memory_bytes is None else f"{p.peak_memory_bytes / 1e6:.0f}"
        table.add_row(
            p.name, f"{p.params / 1e6:.2f}", f"{p.macs / 1e6:,.1f}", f"{p.macs_ratio_to_dual_branch:.2%}",
            _short(p.file_bytes / 1e6), *times, f"{p.peak_share:.0%}", memory,
        )  # fmt: skip
    return table


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
