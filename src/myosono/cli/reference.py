"""`myosono reference`: normal echo intensity by muscle and device, from the normals of a cohort."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from myosono.cli.output import SIMULATED_NOTE, console, print_json, require_writable, written
from myosono.extras import require_train

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from myosono.quantification import Reference
    from myosono.reading import Reader

_SHOWN = 20
"""Images left out that are listed on the terminal; the others are counted."""


def reference_command(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("reference.json"),
    label: Annotated[str, typer.Option(help="Label of the normals.")] = "Normal",
    minimum: Annotated[int, typer.Option(help="Fewest normals a muscle and device; at least 3.")] = 20,
    masks: Annotated[Path | None, typer.Option(help="Folder of edited masks, IMAGE_region.png.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model file whose gate refuses images; default: the one inside.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the reference as JSON.")] = False,
) -> None:
    """Fit normal values for the z-scores of `myosono read --quantify --reference`.

    One regression a muscle and device, on age, sex and side; devices are never pooled. Images that
    `myosono read` refuses are not measured.
    """
    require_train("myosono reference")
    require_writable(out)
    from myosono.cohort import Cohort
    from myosono.cohort.normals import fit_cohort_reference
    from myosono.quantification import Quantifier
    from myosono.reading import load

    quantifier = Quantifier(masks=masks)
    reference = fit_cohort_reference(
        Cohort.open(cohort),
        label=label,
        minimum=minimum,
        quantifier=quantifier,
        refusal=_refusal(load(model)),
        quiet=json,
    )
    reference.save(out)
    if json:
        print_json(reference.to_dict())
        return
    _show(reference)
    written(out, "reference")


def _refusal(reader: Reader) -> Callable[[NDArray[np.uint8]], str | None]:
    """Why `myosono read` refuses an image, so that normals are chosen as patients' images are."""

    def reason(image: NDArray[np.uint8]) -> str | None:
        found = reader.read(image).images[0]
        return found.reasons[0] if found.abstained else None

    return reason


def _show(reference: Reference) -> None:
    from rich.markup import escape
    from rich.table import Table

    to = console()
    to.print(f"[bold]{escape(reference.source)}[/]: muscle regions {reference.region}", soft_wrap=True)
    if reference.simulated:
        to.print(f"[bold red]{SIMULATED_NOTE}[/]")
    table = Table("muscle", "device", title="normal echo intensity at age 50, female, right", title_justify="left")
    for heading in ("mean", "SD", "per 10 years", "male", "left", "normals"):
        table.add_column(heading, justify="right")
    for model in reference.models:
        terms = dict(zip(model.terms, model.coefficients, strict=True))
        changes = [10 * terms["age"] if "age" in terms else None, terms.get("male"), terms.get("left")]
        table.add_row(
            model.muscle, escape(model.device or "unknown"), f"{terms['mean']:.1f}", f"{model.sd:.1f}",
            *("-" if change is None else f"{change:+.1f}" for change in changes), str(model.patients),
        )  # fmt: skip
    to.print(table)
    for item in reference.left_out:
        device = item["device"] or "unknown device"
        to.print(f"[yellow]left out:[/] {item['muscle']} on {escape(device)}: {item['reason']}", soft_wrap=True)
    _show_images_left_out(reference, to)
    for note in reference.notes:
        to.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)


def _show_images_left_out(reference: Reference, to: Console) -> None:
    from rich.markup import escape

    lost = reference.images_left_out
    if lost:
        to.print(f"[yellow]images not measured:[/] {len(lost)}")
    for item in lost[:_SHOWN]:
        to.print(f"  {escape(item['file'])}: {escape(item['reason'])}", soft_wrap=True)
    if len(lost) > _SHOWN:
        to.print(f"  and {len(lost) - _SHOWN} more, listed in the file")
