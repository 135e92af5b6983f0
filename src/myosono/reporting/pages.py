"""What all reports share: how a page is rendered, and how it is written beside its CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from myosono.errors import RunError

Row = Mapping[str, Any]


def page_environment(**filters: Callable[..., Any]) -> Environment:
    """Jinja environment of this room's templates: escaped, and an unknown name is an error.

    Parameters
    ----------
    **filters
        Added to the environment's own.
    """
    environment = Environment(
        loader=PackageLoader("myosono.reporting"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment


def write_files(folder: str | Path, files: Mapping[str, str | bytes]) -> None:
    """Write a report's files, text as UTF-8, into a folder that is made if absent.

    Raises
    ------
    RunError
        If one cannot be written.
    """
    out = Path(folder)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / name).write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise RunError(f"cannot be written ({error.strerror})", path=out) from error


def json_text(found: Mapping[str, Any]) -> str:
    """JSON for a file: one space of indent, no NaN.

    Examples
    --------
    >>> json_text({"mean": 0.5})
    '{\\n "mean": 0.5\\n}\\n'
    """
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def csv_text(rows: Sequence[Row]) -> str:
    r"""CSV for a file, the columns of the first row; nothing but a line end where there are no rows.

    Examples
    --------
    >>> csv_text([{"model": "stanet_s", "auc": 0.9}])
    'model,auc\nstanet_s,0.9\n'
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
