"""`myosono`: the verbs. Each lives in a thin file of its own and imports what it needs when it is called."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import MutableMapping
from typing import Annotated

import typer
from rich.console import Console

import myosono
from myosono.cli.audit import audit_command
from myosono.cli.compare import compare_command
from myosono.cli.deidentify import deidentify_command
from myosono.cli.demo import demo_command
from myosono.cli.document import document_command
from myosono.cli.evaluate import evaluate_command
from myosono.cli.explain import explain_command
from myosono.cli.export import export_command
from myosono.cli.import_ import import_command
from myosono.cli.models import models_command
from myosono.cli.pacs import pacs_app
from myosono.cli.profile import profile_command
from myosono.cli.read import read_command
from myosono.cli.recalibrate import recalibrate_command
from myosono.cli.reference import reference_command
from myosono.cli.reproduce import reproduce_command
from myosono.cli.serve import serve_command
from myosono.cli.simulate import simulate_command
from myosono.cli.stress import stress_command
from myosono.cli.train import train_command
from myosono.cli.users import users_app
from myosono.cli.verify import verify_command
from myosono.errors import INTERRUPTED, TERMINATED, MyosonoError, RecipeError, UsageError

SPIN_COUNT = "20000"
"""Turns that a thread of the training library waits busily for its peers; its own 300,000 starve a shared processor."""

app = typer.Typer(
    name="myosono",
    help="Inflammatory myopathies from muscle ultrasound: read studies, or train, prove and export a network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
app.command("demo")(demo_command)
app.command("simulate")(simulate_command)
app.command("import")(import_command)
app.command("audit")(audit_command)
app.command("train")(train_command)
app.command("evaluate")(evaluate_command)
app.command("compare")(compare_command)
app.command("profile")(profile_command)
app.command("reproduce")(reproduce_command)
app.command("export")(export_command)
app.command("recalibrate")(recalibrate_command)
app.command("document")(document_command)
app.command("verify")(verify_command)
app.command("stress")(stress_command)
app.command("explain")(explain_command)
app.command("read")(read_command)
app.command("reference")(reference_command)
app.command("models")(models_command)
app.command("deidentify")(deidentify_command)
app.command("serve")(serve_command)
app.add_typer(users_app, name="users")
app.add_typer(pacs_app, name="pacs")


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"myosono {myosono.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


_ENDED: dict[str | int | None, str] = {
    INTERRUPTED: "\nmyosono: interrupted; train and demo go on where they stopped when run again\n",
    TERMINATED: "\nmyosono: terminated; train and demo go on where they stopped when run again\n",
}


def main() -> None:
    """Run the command line: one line on standard error for an error; 2 for usage, 1 for what could not be done."""
    wait_briefly(os.environ)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that is not UTF-8, or a dash on a console of another code page, must not end a table half-way.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except MyosonoError as error:
        Console(stderr=True, soft_wrap=True).print(f"[bold red]myosono:[/] {_plain(str(error))}", highlight=False)
        sys.exit(2 if isinstance(error, (UsageError, RecipeError)) else 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]myosono:[/] {_plain(f'{where}{reason}')}", highlight=False
        )
        sys.exit(1)
    except SystemExit as end:
        if end.code in _ENDED:  # typer makes an exit of Ctrl-C
            sys.stderr.write(_ENDED[end.code])
        raise
    except KeyboardInterrupt:
        sys.stderr.write(_ENDED[INTERRUPTED])
        sys.exit(INTERRUPTED)


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Shorten the busy waiting of GNU OpenMP threads unless the user chose a policy; before torch is loaded.

    Beside other work training is 1.6 to 2 times as fast so, and alone as fast, within what such runs differ by
    (`benchmarks/thread_waiting.py`).
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(environment):
        environment["GOMP_SPINCOUNT"] = SPIN_COUNT


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
