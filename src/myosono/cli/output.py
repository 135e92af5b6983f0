"""What the verbs share: one console, JSON on standard output, the command as typed."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from myosono.errors import UsageError

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


def require_writable(file: Path) -> None:
    """Refuse a file that could not be written, before the work that it is for; its folder is made.

    Raises
    ------
    UsageError
        If it is a folder, or its folder cannot be made or written.
    """
    if file.is_dir():
        raise UsageError("is a folder, not a file", path=file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", path=file) from error
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise UsageError("cannot be written: permission denied", path=file)


def require_writable_folder(folder: Path) -> None:
    """As `require_writable`, for the folder of a report; it is made.

    Raises
    ------
    UsageError
        If it cannot be made or written.
    """
    remedy = "Name another with --out"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made ({error.strerror})", path=folder, remedy=remedy) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError("cannot be written (permission denied)", path=folder, remedy=remedy)


def written(path: Path, what: str) -> None:
    """Say where something was written."""
    console().print(f"[dim]{what}:[/] {escape(str(path))}", soft_wrap=True)
