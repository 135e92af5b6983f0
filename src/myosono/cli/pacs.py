"""`myosono pacs`: the DICOM node, and what one asks of a PACS by hand."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from myosono.cli.output import console, print_json
from myosono.cli.serve import require_existing
from myosono.errors import PeerError, UsageError
from myosono.extras import require_clinic

if TYPE_CHECKING:
    from myosono.clinic.database.engine import Database
    from myosono.clinic.database.models import OutboxItem
    from myosono.clinic.network.query import FoundStudy
    from myosono.clinic.settings import ClinicSettings, Peer

pacs_app = typer.Typer(
    help="DICOM in and out: receive studies, fetch them from a PACS, send results to it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Data = Annotated[Path, typer.Option("--data", help="Folder of files, database and clinic.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[
    str | None, typer.Option(envvar="MYOSONO_DATABASE_URL", help="PostgreSQL; default: SQLite in the data folder.")
]
PeerName = Annotated[str, typer.Argument(help="Name of a peer in clinic.toml, or AE_TITLE@host:port.")]
_DATA = Path("clinic")


@pacs_app.command("listen")
def listen_command(
    data: Data = _DATA,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 0.0.0.0 is all.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 lets the system choose.")] = None,
    ae_title: Annotated[str | None, typer.Option(help="Our AE title.")] = None,
    database_url: Url = None,
    model: Annotated[Path | None, typer.Option(help="Model file instead of the one in the package.")] = None,
    worker: Annotated[bool, typer.Option(help="Read here; off where `myosono serve` reads the same data.")] = True,
) -> None:
    """Receive images, read them, and send results by the rules of clinic.toml, until stopped."""
    require_clinic("myosono pacs")
    from myosono.clinic.network.node import Node

    node_address = {"host": host, "port": port, "ae_title": ae_title}
    settings = _settings_at(node_address, data, database_url=database_url, model=model)
    _log_to_console()
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    node = Node(settings, worker=worker)
    node.start()
    try:
        console().print(_listening(settings, node.port))
        # The system may hand a signal to another thread; Python then runs its handler when this one wakes up.
        while not stop.wait(0.5):
            continue
    finally:
        node.stop()


@pacs_app.command("echo")
def echo_command(
    peers: Annotated[list[str] | None, typer.Argument(help="Peers; all of clinic.toml without any.")] = None,
    data: Data = _DATA,
    json: AsJson = False,
) -> None:
    """Ask peers whether they are there: C-ECHO, and QIDO-RS where they have DICOMweb. Exits with 1 if one is not."""
    require_clinic("myosono pacs")
    from myosono.clinic.network.peers import find_peer

    settings = _settings(data)
    chosen = [find_peer(settings, name) for name in peers] if peers else list(settings.pacs.peers)
    if not chosen:
        raise UsageError("no peer to ask", remedy="Add [[pacs.peers]] to clinic.toml, or give AE_TITLE@host:port.")
    rows = [_asked(settings, peer) for peer in chosen]
    if json:
        print_json(rows)
    else:
        table = Table("peer", "address", "C-ECHO", "DICOMweb")
        for row in rows:
            table.add_row(*(escape(str(row[name])) for name in ("peer", "address", "echo", "dicomweb")))
        console().print(table)
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


@pacs_app.command("find")
def find_command(
    peer: PeerName,
    data: Data = _DATA,
    patient_id: Annotated[str, typer.Option(help="Patient ID.")] = "",
    patient_name: Annotated[str, typer.Option(help="Name, as FAMILY^GIVEN; * and ? are wild cards.")] = "",
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    date: Annotated[str, typer.Option(help="YYYYMMDD, or a range such as 20260101-20260131.")] = "",
    modality: Annotated[str, typer.Option(help='Modality; "" finds all.')] = "US",
    study_uid: Annotated[str, typer.Option(help="Study instance UID.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="No more than so many studies.")] = 100,
    via: Annotated[Literal["dimse", "dicomweb"], typer.Option(help="C-FIND or QIDO-RS.")] = "dimse",
    json: AsJson = False,
) -> None:
    """Look for studies on a PACS."""
    require_clinic("myosono pacs")
    from myosono.clinic.network.dicomweb import DicomWeb
    from myosono.clinic.network.peers import find_peer
    from myosono.clinic.network.query import StudyQuery
    from myosono.clinic.network.scu import find

    settings = _settings(data)
    asked = find_peer(settings, peer)
    query = StudyQuery(patient_id, patient_name, accession, date, modality, study_uid, limit)
    found = find(settings, asked, query) if via == "dimse" else DicomWeb(settings, asked).find(query)
    if json:
        print_json([study.to_dict() for study in found])
    else:
        _show_studies(found)


@pacs_app.command("fetch")
def fetch_command(
    peer: PeerName,
    study_uids: Annotated[list[str], typer.Argument(help="Study instance UIDs, as `find` prints them.")],
    data: Data = _DATA,
    via: Annotated[
        Literal["get", "move", "dicomweb"],
        typer.Option(help="C-GET; C-MOVE to our running node, which the PACS must know; or DICOMweb."),
    ] = "get",
    database_url: Url = None,
    json: AsJson = False,
) -> None:
    """Fetch the ultrasound images of studies; a running node or reading room then reads them."""
    require_clinic("myosono pacs")
    from dataclasses import asdict

    from myosono.clinic.network.fetch import fetch_study
    from myosono.clinic.network.peers import find_peer

    settings, database = _open(data, database_url)
    asked = find_peer(settings, peer)
    fetched = [fetch_study(settings, database, asked, uid, via=via, user="command line") for uid in study_uids]
    if json:
        print_json([asdict(one) for one in fetched])
    for one in fetched if not json else ():
        new = "" if one.new is None else f", {one.new} of them new"
        left = f"; {one.left} other objects left there" if one.left else ""
        console().print(f"{one.study_uid}: {one.images} images{new}{left}", soft_wrap=True)
        for problem in one.problems:
            console().print(f"  [red]{escape(problem)}[/]", soft_wrap=True)
    if any(one.problems for one in fetched):
        raise typer.Exit(1)


@pacs_app.command("send")
def send_command(
    studies: Annotated[list[str], typer.Argument(help="Numbers of studies, or study instance UIDs.")],
    to: Annotated[str, typer.Option("--to", help="Peer to send to.")],
    objects: Annotated[
        list[str] | None, typer.Option("--object", help="sr, capture, pdf or images; repeatable. [default: sr]")
    ] = None,
    via: Annotated[Literal["dimse", "dicomweb"], typer.Option(help="C-STORE or STOW-RS.")] = "dimse",
    data: Data = _DATA,
    database_url: Url = None,
    json: AsJson = False,
) -> None:
    """Send results of studies now. What does not arrive stays in the outbox, and a running node goes on trying."""
    require_clinic("myosono pacs")
    from myosono.clinic.network import outbox
    from myosono.clinic.network.peers import find_peer
    from myosono.clinic.network.sender import Sender

    settings, database = _open(data, database_url)
    peer = find_peer(settings, to)
    with database.session() as session:
        numbers = [_study_id(session, name) for name in studies]
        kinds = objects or ["sr"]
        items = [
            outbox.enqueue(session, number, kind, peer.name, via, "command line").id
            for number in numbers
            for kind in kinds
        ]
    Sender(settings, database).run_once()
    rows = _outbox_rows(database, items)
    if json:
        print_json(rows)
    else:
        _show_outbox(rows)
    if any(row["status"] != "sent" for row in rows):
        raise typer.Exit(1)


@pacs_app.command("status")
def status_command(
    data: Data = _DATA,
    host: Annotated[str | None, typer.Option(help="Address given to `listen`, if not that of clinic.toml.")] = None,
    port: Annotated[int | None, typer.Option(help="Port given to `listen`, if not that of clinic.toml.")] = None,
    database_url: Url = None,
    json: AsJson = False,
) -> None:
    """What was received, what waits to be read, what waits to be sent and why."""
    require_clinic("myosono pacs")
    from myosono.clinic.network.status import node_status

    _, database = _open(data, database_url)
    settings = _settings_at({"host": host, "port": port}, data, database_url=database_url)
    status = node_status(settings, database)
    if json:
        print_json(status)
        return
    table = Table(show_header=False, box=None)
    running = "listening" if status["listening"] else "not running"
    table.add_row("node", f"{escape(status['ae_title'])} at {status['host']}:{status['port']}: {running}")
    table.add_row("studies", str(status["studies"]))
    table.add_row("images", ", ".join(f"{count} {name}" for name, count in status["images"].items()) or "none")
    table.add_row("last received", status["last_received"] or "never")
    table.add_row("room on the disk", f"{status['free_bytes'] / 1e9:,.1f} GB")
    console().print(table)
    _show_outbox(status["outbox"])


def _settings(data: Path, **overrides: Any) -> ClinicSettings:
    from myosono.clinic.settings import load_settings

    return load_settings(data, **overrides)


def _settings_at(node: dict[str, str | int | None], data: Path, **overrides: Any) -> ClinicSettings:
    """With what was given on the command line instead of clinic.toml's own address of the node."""
    settings = _settings(data, **overrides)
    changed = {name: value for name, value in node.items() if value is not None}
    if not changed:
        return settings
    return _settings(data, **overrides, pacs={**settings.pacs.model_dump(), **changed})


def _open(data: Path, database_url: str | None) -> tuple[ClinicSettings, Database]:
    """The clinic of a folder. What was mistyped is refused: only `listen` begins a clinic where there is nothing."""
    from myosono.clinic.database.engine import Database
    from myosono.clinic.database.migrate import upgrade
    from myosono.clinic.settings import SETTINGS_FILE

    settings = _settings(data, database_url=database_url)
    if not (data / SETTINGS_FILE).is_file():
        require_existing(settings)
    database = Database(settings)
    upgrade(database)
    return settings, database


def _log_to_console() -> None:
    from rich.console import Console
    from rich.logging import RichHandler

    handler = RichHandler(console=Console(stderr=True), show_path=False, markup=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("myosono.clinic").setLevel(logging.INFO)


def _listening(settings: ClinicSettings, port: int) -> Panel:
    pacs = settings.pacs
    callers = ", ".join(pacs.allowed_ae) or "anyone"
    rules = [f"{'+'.join(rule.objects)} to {rule.to} when {rule.when}" for rule in pacs.rules] or ["none"]
    lines = [
        f"[bold]{escape(pacs.ae_title)}[/] listens on [bold]{pacs.host}:{port}[/]",
        f"takes ultrasound from {escape(callers)}, at most {pacs.max_associations} at once",
        f"keeps it in {escape(str(settings.data.resolve()))}",
        *(f"sends {escape(rule)}" for rule in rules),
        "[dim]Ctrl-C stops it; nothing that was acknowledged is lost.[/]",
    ]
    return Panel("\n".join(lines), title="myosono pacs", title_align="left", expand=False)


def _asked(settings: ClinicSettings, peer: Peer) -> dict[str, Any]:
    from myosono.clinic.network.dicomweb import DicomWeb
    from myosono.clinic.network.query import StudyQuery
    from myosono.clinic.network.scu import echo

    row: dict[str, Any] = {"peer": peer.name, "address": f"{peer.ae_title}@{peer.host}:{peer.port}", "ok": True}
    try:
        row["echo"] = f"{echo(settings, peer) * 1000:.0f} ms"
    except PeerError as error:
        row |= {"echo": str(error), "ok": False}
    try:
        if peer.dicomweb is not None:
            DicomWeb(settings, peer).find(StudyQuery(limit=1))
        row["dicomweb"] = "-" if peer.dicomweb is None else "answers"
    except PeerError as error:
        row |= {"dicomweb": str(error), "ok": False}
    return row


def _show_studies(found: list[FoundStudy]) -> None:
    table = Table("patient", "ID", "date", "accession", "description", "modalities", "objects", "study UID")
    for one in found:
        count = "" if one.instances is None else str(one.instances)
        cells = (one.patient_name, one.patient_id, one.study_date, one.accession, one.description)
        table.add_row(*map(escape, cells), escape(" ".join(one.modalities)), count, one.study_uid)
    console().print(table if found else "No study matches.")


def _study_id(session: Any, name: str) -> int:
    from sqlalchemy import select

    from myosono.clinic.database.models import Study
    from myosono.errors import NotFoundError

    known = Study.id == int(name) if name.isdecimal() else Study.study_uid == name
    found = session.scalar(select(Study.id).where(known))
    if found is None:
        raise NotFoundError(f"there is no study {name}", remedy="Numbers are those of the worklist.")
    return int(found)


def _outbox_rows(database: Database, ids: list[int]) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from myosono.clinic.database.models import OutboxItem
    from myosono.clinic.network.status import outbox_row

    with database.session(writes=False) as session:
        items: list[OutboxItem] = list(session.scalars(select(OutboxItem).where(OutboxItem.id.in_(ids))))
        return [outbox_row(item) for item in items]


def _show_outbox(rows: list[dict[str, Any]]) -> None:
    if not rows:
        console().print("[dim]Nothing waits to be sent.[/]")
        return
    table = Table("study", "object", "to", "by", "status", "tried", "error")
    for row in rows:
        cells = ("study", "kind", "peer", "via", "status", "attempts")
        table.add_row(*(escape(str(row[name])) for name in cells), escape(row["error"] or ""))
    console().print(table)
