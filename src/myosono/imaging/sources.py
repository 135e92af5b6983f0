"""Files, folders and glob patterns to a list of files to read; what is left out or cannot be opened is listed too."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from myosono.errors import ImageError, UsageError
from myosono.imaging.file_names import IMAGE_SUFFIXES
from myosono.imaging.marks import is_own_result
from myosono.imaging.sniff import HEAD_BYTES, sniff

_NUMBER = re.compile(r"(\d+)")


class SourceList(list[Path]):
    """The files to read, in order; a list with the files that were left out.

    Attributes
    ----------
    skipped
        ``(file, reason)`` of each file in a named folder that is no image, and will not be read.
    failed
        ``(file, reason)`` of each that may well be an image, and cannot be opened.
    """

    def __init__(
        self,
        files: Iterable[Path] = (),
        skipped: Iterable[tuple[Path, str]] = (),
        failed: Iterable[tuple[Path, str]] = (),
    ) -> None:
        """Copy the lists."""
        super().__init__(files)
        self.skipped: list[tuple[Path, str]] = list(skipped)
        self.failed: list[tuple[Path, str]] = list(failed)


@dataclass(frozen=True)
class _LeftOut:
    """Why a file is not read, and whether that is a failure rather than a matter of course."""

    reason: str
    failed: bool = False


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
        Each file once, however often and by whatever path or link it is named, in the order given, within a folder in
        natural order (``2.png`` before ``10.png``). Hidden files and those that are no images, or results of ours, are
        in ``.skipped``, those that cannot be opened in ``.failed``. Linked folders are entered.

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
    found: dict[str, Path] = {}
    left: dict[str, tuple[Path, _LeftOut]] = {}
    for path in (expanded for entry in given for expanded in _expand(entry)):
        for file, why in _walk(path) if path.is_dir() else [(path, None)]:
            if why is None:
                found.setdefault(os.path.realpath(file), file)
            else:
                left.setdefault(str(file), (file, why))  # of a link that leads nowhere, the link is what there is
    rest = [(file, why) for file, why in left.values() if os.path.realpath(file) not in found]
    skipped = [(file, why.reason) for file, why in rest if not why.failed]
    failed = [(file, why.reason) for file, why in rest if why.failed]
    if not found:
        named = ", ".join(str(entry) for entry in given)
        first = f"; {failed[0][0]}: {failed[0][1]}" if failed else ""
        others = f" ({len(rest)} other files{first})" if rest else ""
        raise ImageError(f"no image found in {named}{others}")
    return SourceList(found.values(), skipped, failed)


def lies_below(file: str | Path, folder: str | Path) -> bool:
    """Whether a file lies in a folder or one below it, by whatever paths and links the two are named."""
    return Path(os.path.realpath(folder)) in Path(os.path.realpath(file)).parents


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


def _walk(folder: Path) -> list[tuple[Path, _LeftOut | None]]:
    """Every file below ``folder`` with None, or with the reason to leave it out; linked folders come after the rest.

    A folder is entered once, so links that lead in a circle end, and never by a link that leads above where we began.
    """
    above = {os.path.realpath(parent) for parent in folder.absolute().parents}
    entries: list[tuple[Path, _LeftOut | None]] = []
    entered: set[str] = set()
    waiting = [folder]
    while waiting:
        for root, files, links in _folders_below(waiting.pop(0), entered, entries):
            entries += [(root / name, _reason_to_leave(root / name)) for name in files]
            for link in links:
                if os.path.realpath(link) in above:
                    entries.append((link, _LeftOut("a link to a folder above")))
                else:
                    waiting.append(link)
    return sorted(entries, key=lambda entry: natural_key(entry[0]))


def _folders_below(
    top: Path, entered: set[str], entries: list[tuple[Path, _LeftOut | None]]
) -> Iterator[tuple[Path, list[str], list[Path]]]:
    """Folder, names of its files and linked folders in it, of each that was not entered before."""

    def denied(error: OSError) -> None:
        entries.append((Path(error.filename), _LeftOut("the folder cannot be opened", failed=True)))

    for root, folders, files in os.walk(top, onerror=denied):
        if os.path.realpath(root) in entered:
            folders.clear()
            continue
        entered.add(os.path.realpath(root))
        entries += [(Path(root, name), _LeftOut("hidden folder")) for name in folders if name.startswith(".")]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(root), files, [Path(root, name) for name in folders if Path(root, name).is_symlink()]


def _reason_to_leave(file: Path) -> _LeftOut | None:
    if file.name.startswith("."):
        return _LeftOut("hidden file")
    if file.name.upper() == "DICOMDIR":
        return _LeftOut("DICOM directory, not an image")
    if file.is_symlink() and not file.exists():
        return _LeftOut("a link to a file that is not there", failed=True)
    if not file.is_file():
        return _LeftOut("not a regular file", failed=_image_suffix(file))
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:
        return _LeftOut("cannot be opened", failed=True)
    if is_own_result(head):
        return _LeftOut("a result that myosono made")
    if sniff(head) is not None or _image_suffix(file):
        return None
    return _LeftOut("not an image" if head else "empty")


def _image_suffix(file: Path) -> bool:
    # Named like an image but not one: it must be read, and fail aloud, not vanish from a study.
    return file.suffix.lower() in IMAGE_SUFFIXES
