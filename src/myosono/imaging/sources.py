"""Files, folders and glob patterns to a list of files to read; what is left out is listed too."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from myosono.errors import ImageError, UsageError
from myosono.imaging.file_names import IMAGE_SUFFIXES
from myosono.imaging.sniff import HEAD_BYTES, sniff

_NUMBER = re.compile(r"(\d+)")


class SourceList(list[Path]):
    """The files to read, in order; a list with the files that were left out.

    Attributes
    ----------
    skipped
        ``(file, reason)`` of each file in a named folder that will not be read.
    """

    def __init__(self, files: Iterable[Path] = (), skipped: Iterable[tuple[Path, str]] = ()) -> None:
        """Copy both lists."""
        super().__init__(files)
        self.skipped: list[tuple[Path, str]] = list(skipped)


def list_sources(paths: str | Path | Sequence[str | Path]) -> SourceList:
    """Expand files, folders and glob patterns.

    Parameters
    ----------
    paths
        A file is taken as it is, whatever it holds, so that reading it can say what is wrong. A folder is searched
        with its subfolders for files that look like images by content. A name that does not exist and holds
        ``*``, ``?`` or ``[`` is a pattern (``**`` crosses folders); its matches are treated like named paths.

    Returns
    -------
    SourceList
        Each file once, in the order given, within a folder in natural order (``2.png`` before ``10.png``). Hidden
        files, unreadable ones and those that are no images are in ``.skipped``.

    Raises
    ------
    UsageError
        If no path is given.
    ImageError
        If a path does not exist, a pattern matches nothing, or no image is found at all.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not given:
        raise UsageError("no image, folder or pattern is given")
    found: dict[Path, None] = {}
    skipped: dict[Path, str] = {}
    for path in (expanded for entry in given for expanded in _expand(entry)):
        if path.is_dir():
            for file, reason in _walk(path):
                if reason is None:
                    found.setdefault(file)
                else:
                    skipped.setdefault(file, reason)
        else:
            found.setdefault(path)
    if not found:
        named = ", ".join(str(entry) for entry in given)
        raise ImageError(f"no image found in {named}" + (f" ({len(skipped)} other files)" if skipped else ""))
    return SourceList(found, [(file, reason) for file, reason in skipped.items() if file not in found])


def natural_key(path: Path) -> list[tuple[list[tuple[int, int, str]], str]]:
    """Sort key that compares digits as numbers, folder by folder.

    Examples
    --------
    >>> sorted([Path("10.png"), Path("2.png"), Path("a.png")], key=natural_key)[0].name
    '2.png'
    """
    return [(_natural(part), part) for part in path.parts]


def _natural(text: str) -> list[tuple[int, int, str]]:
    pieces = _NUMBER.split(text.casefold())
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece]


def _expand(entry: str | Path) -> list[Path]:
    path = Path(entry)
    if os.path.lexists(path):
        return [path]
    if glob.has_magic(str(entry)):
        # Path.glob would need the folder split off the pattern first.
        names = glob.glob(str(path.expanduser()), recursive=True)  # noqa: PTH207
        matches = sorted((Path(name) for name in names), key=natural_key)
        if not matches:
            raise ImageError("the pattern matches no file", path=path)
        return matches
    raise ImageError("does not exist", path=path)


def _walk(folder: Path) -> list[tuple[Path, str | None]]:
    """Every file below ``folder`` with None, or with the reason to leave it out."""
    entries: list[tuple[Path, str | None]] = []

    def denied(error: OSError) -> None:
        entries.append((Path(error.filename), "the folder cannot be opened"))

    for root, folders, files in os.walk(folder, onerror=denied):
        hidden = [name for name in folders if name.startswith(".")]
        entries += [(Path(root, name), "hidden folder") for name in hidden]
        folders[:] = [name for name in folders if name not in hidden]
        entries += [(Path(root, name), _reason_to_skip(Path(root, name))) for name in files]
    return sorted(entries, key=lambda entry: natural_key(entry[0]))


def _reason_to_skip(file: Path) -> str | None:
    if file.name.startswith("."):
        return "hidden file"
    if file.name.upper() == "DICOMDIR":
        return "DICOM directory, not an image"
    if not file.is_file():
        return "not a regular file"
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:
        return "cannot be opened"
    if not head:
        return None if _image_suffix(file) else "empty"
    return None if sniff(head) is not None or _image_suffix(file) else "not an image"


def _image_suffix(file: Path) -> bool:
    # Named like an image but not one: it must be read, and fail aloud, not vanish from a study.
    return file.suffix.lower() in IMAGE_SUFFIXES
