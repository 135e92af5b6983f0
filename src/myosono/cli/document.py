"""`myosono document`: the paperwork of a run, and the record of a change."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myosono.cli.output import console, print_json, written
from myosono.errors import UsageError
from myosono.extras import require_train

if TYPE_CHECKING:
    from myosono.reporting.documents import Document


class Kind(StrEnum):
    """The documents by name."""

    CARD = "card"
    CLAIM = "claim"
    TRIPOD = "tripod"
    CHANGE = "change"


def document_command(
    source: Annotated[
        Path, typer.Argument(metavar="RUN_OR_MODEL", help="A finished run; or a model file, with --since.")
    ],
    since: Annotated[
        Path | None, typer.Option(help="The earlier run or model file: adds a record of what changed since.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="The model file exported from the run.")] = None,
    cohort: Annotated[Path | None, typer.Option(help="The run's cohort, for the patients' characteristics.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write to. Default: documents, in the run folder.")
    ] = None,
    only: Annotated[list[Kind] | None, typer.Option(help="Only this document (repeatable).")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="PDF beside the HTML (extra: documents).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the documents as JSON.")] = False,
) -> None:
    """Model card, CLAIM 2024 and TRIPOD+AI checklists and a change record; what a run cannot know is marked open."""
    require_train("myosono document")
    if not source.exists():
        raise UsageError("does not exist", path=source, remedy="Name a run folder or a model file.")
    kinds = _kinds(source, since, only)
    from myosono.progress import track
    from myosono.reporting.documents import write_document

    folder = out or (source / "documents" if source.is_dir() else source.with_name(f"{source.stem}_documents"))
    documents, card = _documents(source, since, model, cohort, kinds)
    files = []
    for document in track(documents, "writing", disable=not pdf):
        files += write_document(document, folder, formats=("html", "pdf") if pdf else ("html",))
    if card is not None:
        files.append(folder / "model_card.json")
        files[-1].write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        print_json({"documents": [document.to_dict() for document in documents], "files": [str(one) for one in files]})
        return
    _summarise(documents)
    for path in files:
        written(path, path.suffix.removeprefix("."))


def _kinds(source: Path, since: Path | None, only: list[Kind] | None) -> list[Kind]:
    if source.is_file() and since is None:
        raise UsageError(
            "is a file; of a model file alone only a change record can be made",
            path=source,
            remedy="Name the run and give the file with --model, or name the earlier file with --since",
        )
    possible = [Kind.CARD, Kind.CLAIM, Kind.TRIPOD] if source.is_dir() else []
    possible += [Kind.CHANGE] if since is not None else []
    impossible = [kind for kind in only or [] if kind not in possible]
    if impossible:
        remedy = "A change record needs --since" if Kind.CHANGE in impossible else "Name a run folder"
        raise UsageError(f"--only {impossible[0].value} cannot be made of {source.name}", remedy=remedy)
    return [kind for kind in possible if not only or kind in only]


def _documents(
    source: Path, since: Path | None, model: Path | None, cohort: Path | None, kinds: list[Kind]
) -> tuple[list[Document], dict[str, Any] | None]:
    from myosono.reporting import documents as made

    if source.is_file():
        if model is not None or cohort is not None:
            raise UsageError("--model and --cohort belong to a run, not to a model file")
        assert since is not None
        return [made.change_record(made.read_version(since), made.read_version(source))], None
    facts = made.read_document_source(source, model=model, cohort=cohort)
    static = {
        Kind.CARD: made.model_card, Kind.CLAIM: made.claim_checklist, Kind.TRIPOD: made.tripod_checklist,
    }  # fmt: skip
    found = [static[kind](facts) for kind in kinds if kind in static]
    if Kind.CHANGE in kinds:
        assert since is not None
        found.append(made.change_record(made.read_version(since), made.version_of_run(facts)))
    return found, made.toolkit_card(facts) if Kind.CARD in kinds else None


def _summarise(documents: list[Document]) -> None:
    from rich.table import Table

    states = list(documents[0].counts)
    table = Table()
    table.add_column("Document")
    for state in states:
        table.add_column(state, justify="right")
    for document in documents:
        table.add_row(document.kind, *(str(document.counts[state]) for state in states))
    console().print(table)
    shown = {(banner.tone, banner.title, banner.text) for document in documents for banner in document.banners}
    for tone, title, text in sorted(shown, reverse=True):
        console().print(f"{title}: {text}", style="bold red" if tone == "red" else "yellow", markup=False)
