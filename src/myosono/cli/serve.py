"""`myosono serve`: the reading room in the browser."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from myosono.cli.output import console
from myosono.errors import ClinicError, UsageError
from myosono.extras import require_clinic

if TYPE_CHECKING:
    from myosono.clinic.settings import ClinicSettings
    from myosono.clinic.web.server import ClinicServer, Fill

_DEMO_FOLDER = Path("clinic-demo")


def serve_command(
    data: Annotated[
        Path | None, typer.Option(help="Folder of images, database and clinic.toml; default: clinic.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="A few simulated studies, no accounts, in clinic-demo or --data.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default: 8080; 0: any that is free.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model file; default: the simulation-trained one inside.")] = None,
    no_accounts: Annotated[
        bool, typer.Option("--no-accounts", help="Let in whoever uses this computer, and nobody else.")
    ] = False,
    pacs: Annotated[bool, typer.Option("--pacs", help="Start the DICOM node too.")] = False,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM certificate chain, for HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM key of the certificate.")] = None,
    database_url: Annotated[
        str | None, typer.Option(envvar="MYOSONO_DATABASE_URL", help="PostgreSQL; default: SQLite in the data folder.")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
    check_audit: Annotated[
        bool, typer.Option("--check-audit", help="Check the audit log's chain of hashes, and end.")
    ] = False,
    known_hash: Annotated[
        str | None, typer.Option(help="With --check-audit: a whole hash noted earlier, which the log must still have.")
    ] = None,
) -> None:
    """Open the reading room: worklist, viewer, physicians' readings, reports.

    The first visitor makes the administrator's account. Stop with Ctrl-C. `docs/serve.md` tells how to install it for a
    department: HTTPS, PostgreSQL, backup.
    """
    require_clinic("serve")
    from myosono.clinic.settings import DEFAULT_DATA, load_settings

    settings = load_settings(
        data or (_DEMO_FOLDER if demo else DEFAULT_DATA),
        host=host,
        port=port,
        model=model,
        accounts=False if no_accounts or demo else None,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        database_url=database_url,
    )
    if check_audit:
        _check_audit(settings, known_hash)
        return
    from myosono.clinic.web.app import check_exposure
    from myosono.clinic.web.server import ClinicServer

    check_exposure(settings)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    fill: Fill | None = None
    if demo:
        from myosono.clinic.demo import demo_settings, make_demo

        _mark_demo(settings)
        settings, fill = demo_settings(settings), make_demo
    server = ClinicServer(settings, pacs=pacs, fill=fill)
    server.run(lambda running: _greet(running, demo=demo, open_browser=open_browser))


def _greet(server: ClinicServer, *, demo: bool, open_browser: bool) -> None:
    from rich.panel import Panel

    settings = server.settings
    lines = [f"[bold]Open [link={server.url}]{server.url}[/link][/] in the browser.", ""]
    if demo:
        lines.append("Simulated studies of no real patient. They arrive while you look.")
    elif not settings.accounts:
        lines.append("No accounts: whoever uses this computer may read and sign.")
    elif server.needs_setup:
        lines.append("The first visitor makes the administrator's account.")
        if server.setup_token is not None:
            lines.append(f"Set-up code: [bold]{server.setup_token}[/]")
    lines.append(f"Data: {settings.data.resolve()}")
    if server.dicom_port is not None:
        lines.append(f"DICOM: {settings.pacs.ae_title} at {settings.pacs.host}:{server.dicom_port}")
    if settings.tls_certificate is None and not _is_loopback(settings.host):
        lines.append("[yellow]Without HTTPS, passwords and patients' data cross the network in clear text.[/]")
    lines.append("[dim]Stop with Ctrl-C.[/]")
    console().print(Panel("\n".join(lines), title=f"myosono · {server.app.state.model.name}", title_align="left"))
    if open_browser:
        import webbrowser

        webbrowser.open(server.url)


def _is_loopback(host: str) -> bool:
    from myosono.clinic.web.hosts import is_loopback

    return is_loopback(host)


def _mark_demo(settings: ClinicSettings) -> None:
    """Never put simulated studies into a folder that somebody works with."""
    from myosono.clinic.settings import DEMO_MARK

    mark = settings.data / DEMO_MARK
    if settings.data.is_dir() and any(settings.data.iterdir()) and not settings.is_demo:
        remedy = "Give a new folder with --data, or leave out --demo."
        raise ClinicError("the folder holds something other than a demo", path=settings.data, remedy=remedy)
    if settings.database_url is not None:
        raise ClinicError("the demo has a database of its own", remedy="Leave out --database-url.")
    settings.data.mkdir(parents=True, exist_ok=True)
    mark.write_text("Simulated studies, made by myosono serve --demo. Delete this folder at any time.\n", "utf-8")


def require_existing(settings: ClinicSettings) -> None:
    """Refuse a folder without a clinic, where asking would make an empty one.

    Raises
    ------
    ClinicError
        The folder holds no database, and none is named elsewhere.
    """
    if not settings.has_database:
        raise ClinicError("no clinic here", path=settings.data, remedy="Give its folder with --data.")


def _check_audit(settings: ClinicSettings, known: str | None) -> None:
    from myosono.clinic import audit
    from myosono.clinic.database.engine import Database
    from myosono.clinic.database.migrate import newest_revision, revision_of

    if known is not None and not re.fullmatch("[0-9a-f]{64}", known):
        # A part of a hash would be reported as a line that was cut off.
        raise UsageError(f"--known-hash {known} is no whole hash", remedy="Give all its 64 hexadecimal digits.")
    require_existing(settings)
    database = Database(settings)
    try:
        if revision_of(database) != newest_revision():
            raise ClinicError("the database is of another version", remedy="Start the clinic once with this one.")
        with database.session(writes=False) as session:
            count, head = audit.check_chain(session, known=known), audit.head(session)
    finally:
        database.close()
    lines = f"{count} line{'s' if count != 1 else ''}"
    console().print(f"The audit log is whole: {lines}. Newest hash: {head}", soft_wrap=True)
