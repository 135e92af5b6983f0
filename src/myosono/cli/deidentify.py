"""`myosono deidentify`: DICOM images → copies that no longer say who was examined."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from myosono.cli.output import console, print_json, written
from myosono.errors import UsageError
from myosono.extras import require_clinic

_SIDES = 4


def deidentify_command(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, or folders of them.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to: `<pseudonym>/<new UID>.dcm`.")],
    secret: Annotated[
        Path, typer.Option("--secret", help="File of the secret that makes pseudonyms; made if it is not there.")
    ] = Path("deidentify.key"),
    shift_dates: Annotated[bool, typer.Option("--shift-dates", help="Keep dates, moved into the past.")] = False,
    retain_characteristics: Annotated[
        bool, typer.Option("--retain-characteristics", help="Keep sex, age, size and weight.")
    ] = False,
    retain_device: Annotated[
        bool, typer.Option("--retain-device", help="Keep serial numbers and station names.")
    ] = False,
    area: Annotated[
        str, typer.Option("--area", help="B-mode area TOP,LEFT,BOTTOM,RIGHT in pixels, where no header declares one.")
    ] = "",
    keep_pixels: Annotated[
        bool, typer.Option("--keep-pixels", help="Blank nothing: text that is burnt in stays.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Copy DICOM images without who, when and where (PS3.15 basic profile), black outside the B-mode area."""
    require_clinic("myosono deidentify")
    from myosono.clinic.dicom import DeidentifyOptions
    from myosono.clinic.dicom.cleaning import NO_AREA
    from myosono.clinic.dicom.folder import Exported, export_files, left_out, open_salt
    from myosono.imaging import Area, lies_below, list_sources

    options = DeidentifyOptions(
        open_salt(secret),
        clean_pixels=not keep_pixels,
        area=Area(*_numbers(area)) if area else None,
        retain_device=retain_device,
        retain_characteristics=retain_characteristics,
        shift_dates=shift_dates,
    )
    sources = list_sources(list(paths))
    own = {file for file in sources if lies_below(file, out)}  # copies of an earlier run: not patients of their own
    found = list(export_files([file for file in sources if file not in own], out, options))
    found += [Exported(file, None, f"{file}: {reason}") for file, reason in sources.failed]
    found += [one for one in left_out(sources.skipped) if not lies_below(one.source, out)]
    refused = [one for one in found if one.error is not None]
    if json:
        lines = [{"source": str(one.source), "copy": str(one.copy or "") or None, "error": one.error} for one in found]
        print_json({"secret": str(secret), "files": lines, "not_taken": sorted(map(str, own))})
    else:
        for one in refused:
            console().print(f"[yellow]left out[/] {escape(str(one.error))}", soft_wrap=True)
        if own:
            console().print(f"[dim]{len(own)} files in {escape(str(out))} were not taken for originals.[/]")
        if not area and any(NO_AREA in str(one.error) for one in refused):
            console().print("[dim]An area is given with --area TOP,LEFT,BOTTOM,RIGHT, in pixels.[/]")
        console().print(f"{len(found) - len(refused)} of {len(found)} images copied; look at them before they leave.")
        written(out, "folder")
        written(secret, "secret, to be kept")
    if refused:
        raise typer.Exit(1)


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if len(parts) != _SIDES or not all(part.strip().isdigit() for part in parts):
        raise UsageError(f"--area {text} is not TOP,LEFT,BOTTOM,RIGHT", remedy="Such as --area 60,40,460,600.")
    return [int(part) for part in parts]
