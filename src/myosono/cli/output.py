"""What the verbs share: one console, JSON on standard output, the command as typed."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

SIMULATED_NOTE = "simulated images: for testing and demonstration, not clinical evidence"


def console() -> Console:
    """The console for results; wide enough for a table when standard output is a file."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=120)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def typed_command() -> str:
    """The command line as typed, for the record; the program by its name alone."""
    return shlex.join(["myosono", *sys.argv[1:]])


def written(path: Path, what: str) -> None:
    """Say where something was written."""
    console().print(f"[dim]{what}:[/] {escape(str(path))}", soft_wrap=True)
