"""`myosono evaluate A --against B`: tools on the same patients, told apart by paired differences."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myosono.cli.compare import print_comparison
from myosono.cli.evaluate import read_source
from myosono.cli.output import console, print_json, require_writable_folder, typed_command, written
from myosono.errors import PredictionsError, UsageError
from myosono.provenance import machine, now, versions

if TYPE_CHECKING:
    from myosono.evaluation import Predictions
    from myosono.evaluation.comparison import Condition

_LONGEST_NAME = 100
"""In bytes, of the default folder: file systems allow 255, and other files may be named after it."""


@dataclass(frozen=True)
class _Tool:
    """A tool by the name of its table or run folder."""

    name: str
    predictions: Predictions
    split: str | None
    """Kind of its split; None for a table, which does not tell."""
    leaks: bool
    """Its run says so, or its table shows patients on both sides."""


def evaluate_against(
    first: Path, others: Sequence[Path], out: Path | None, *, resamples: int, seed: int, as_json: bool
) -> None:
    """Compare tables of predictions, pair by pair with the first, and write the report of a comparison.

    Parameters
    ----------
    first
        A predictions table or a run folder: the others are set against it.
    others
        More of them, with predictions of the same images.
    out
        Folder of the report. Default: ``<first>_against_<others>`` beside the first, shortened where they are many.

    Raises
    ------
    UsageError
        If two sources are called alike, or the folder cannot be written.
    PredictionsError
        If a table cannot be read, has other classes, shares no image with the first, or says something else of an
        image's patient or target.
    """
    from myosono.evaluation.comparison import Contender, compare, make_entry
    from myosono.reporting import write_comparison

    tools = _read([first, *others])
    where = _condition(tools)
    entries = [
        make_entry(Contender(tool.name), where, 0, tool.predictions, of_folds=len(tool.predictions.rows("test").folds))
        for tool in tools
    ]
    folder = out or first.resolve().with_name(_folder_name([tool.name for tool in tools]))
    require_writable_folder(folder)
    found = compare(entries, flagship=Contender(tools[0].name), resamples=resamples, seed=seed, quiet=as_json)
    facts: dict[str, Any] = {"command": typed_command(), "created": now(), "versions": versions(), "machine": machine()}
    facts["notes"] = [f"{tool.name}: {note}" for tool in tools for note in tool.predictions.notes]
    report = write_comparison(found, folder, profiles=None, facts=facts)  # of predictions no cost is known
    if as_json:
        print_json(found.to_dict())
        return
    print_comparison(found, console())
    for note in facts["notes"]:
        console().print(note, style="yellow", markup=False)
    written(report, "report")


def _folder_name(names: Sequence[str]) -> str:
    """The tools' names, as far as a folder's name may be long; a hash then tells others of the same first apart."""
    name = "_against_".join(names)
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    first = names[0].encode()[: _LONGEST_NAME // 2].decode(errors="ignore")
    return f"{first}_against_{len(names) - 1}_others_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _read(sources: Sequence[Path]) -> list[_Tool]:
    from myosono.evaluation import find_shared_patients

    names = [source.resolve().name if source.is_dir() else source.stem for source in sources]
    if len(set(names)) < len(names):
        raise UsageError(f"two of the sources are called alike: {', '.join(names)}", remedy="Rename one of them")
    tools: list[_Tool] = []
    for source, name in zip(sources, names, strict=True):
        predictions, facts = read_source(source, tools[0].predictions.classes if tools else None)
        split = facts.get("split") or {}
        leaks = bool(split.get("leaks")) or find_shared_patients(predictions).leaks
        tool = _Tool(name, predictions, split.get("kind"), leaks)
        if tools:
            _check_pairs(tools[0].predictions, tool.predictions)
        tools.append(tool)
    return tools


def _condition(tools: Sequence[_Tool]) -> Condition:
    """The split is known if every tool is a run of that kind; one leaking tool spoils the comparison."""
    from myosono.evaluation.comparison import AS_GIVEN, UNKNOWN_SPLIT, Condition

    kinds = {tool.split for tool in tools}
    known = kinds.pop() if len(kinds) == 1 else None
    return Condition("predictions", AS_GIVEN, known or UNKNOWN_SPLIT, leaks=any(tool.leaks for tool in tools))


def _check_pairs(first: Predictions, other: Predictions) -> None:
    """Rows that are a pair must be of the same image of the same patient."""
    from myosono.evaluation.comparison import pairing_columns

    mine, others = first.rows("test"), other.rows("test")
    keys = pairing_columns(mine, others)
    both = mine.table.merge(others.table, on=keys, suffixes=("", "_other"))
    if both.empty:
        raise PredictionsError(
            f"shares no {' and '.join(keys)} with the first table, so nothing can be paired",
            path=other.source,
            remedy=f"Give both tables the same {' and '.join(keys)}",
        )
    for column in ("patient_id", "target"):
        wrong = both[both[column] != both[f"{column}_other"]]
        if len(wrong):
            row = wrong.iloc[0]
            stated, known = row[f"{column}_other"], row[column]
            raise PredictionsError(
                f"image {row['image_id']!r} has {column} {stated!r}, in the first table {known!r}",
                path=other.source,
                remedy="Give both tables an image_id column that names the same images",
            )
