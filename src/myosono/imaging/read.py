"""Files to frames: find the decoder by content, then the B-mode area, then say what is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path, PurePath

from myosono.errors import ImageError
from myosono.hashing import sha256_bytes
from myosono.imaging.area import find_b_mode_area
from myosono.imaging.decoded import Decoded, Picture
from myosono.imaging.frame import Area, Frame
from myosono.imaging.limits import Limits
from myosono.imaging.marks import OWN_RESULT, is_own_result
from myosono.imaging.naming import NameFacts, facts_from_name
from myosono.imaging.sniff import HEAD_BYTES, Kind, require_kind

_DEFAULT_LIMITS = Limits()


def read_frames(
    path: str | Path, limits: Limits = _DEFAULT_LIMITS, *, name: str | PurePath | None = None
) -> Iterator[Frame]:
    """Read the frames of one file, one by one.

    Parameters
    ----------
    path
        PNG, JPEG, TIFF (pages are frames), BMP, GIF, DICOM (single or multi-frame), MP4 or AVI; told by content,
        not by name.
    limits
        What is refused before it is decoded.
    name
        What the file was called, if it is kept under another name: patient and site are told by it.

    Yields
    ------
    Frame
        In the file's order. Nothing is opened before the first is asked for.

    Raises
    ------
    ImageError
        If the file is missing, unreadable, of another format, damaged, or exceeds a limit. A damaged frame raises when
        its turn comes: the frames before it have been yielded.
    MissingExtraError
        If the file is a cine video and OpenCV is not installed.
    """
    path = Path(path)
    data = _read_bytes(path, limits)
    decoded = _decode(data, path, limits)
    digest = sha256_bytes(data)
    del data
    yield from _frames(decoded, path, digest, facts_from_name(PurePath(name) if name is not None else path))


def read_frame(
    path: str | Path,
    limits: Limits = _DEFAULT_LIMITS,
    *,
    index: int = 0,
    name: str | PurePath | None = None,
    colour: bool = False,
) -> Frame:
    """Read one frame, by default the first, without decoding all those before it where the format allows.

    Parameters
    ----------
    path, limits, name
        As in `read_frames`.
    index
        Number of the frame, from 0.
    colour
        Fill ``rgb`` of a frame that has colours, for display.

    Raises
    ------
    ImageError
        As `read_frames`, and if the file has no such frame.
    """
    path = Path(path)
    data = _read_bytes(path, limits)
    # The first frame tells the layout and the depth of all.
    decoded = _decode(data, path, limits, (0,) if index == 0 else (0, index))
    digest = sha256_bytes(data)
    del data
    named = facts_from_name(PurePath(name) if name is not None else path)
    *_, frame = _frames(decoded, path, digest, named, (0,) if index == 0 else (0, index), colour=colour)
    return frame


def _read_bytes(path: Path, limits: Limits) -> bytes:
    try:
        if path.is_dir():
            raise ImageError("is a folder, not an image", path=path, remedy="List its files with list_sources.")
        if path.exists() and not path.is_file():
            raise ImageError("is not a regular file", path=path)
        limits.check_bytes(path.stat().st_size, path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError("does not exist", path=path) from error
    except PermissionError as error:
        raise ImageError("may not be read: permission denied", path=path) from error
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be read: {error}", path=path) from error


def _decode(data: bytes, path: Path, limits: Limits, wanted: tuple[int, ...] | None = None) -> Decoded:
    head = data[:HEAD_BYTES]
    kind = require_kind(head, path)
    if is_own_result(head):
        raise ImageError(OWN_RESULT, path=path)
    # Each decoder is imported when its first file is met: a study of PNG files never pays for pydicom.
    if kind is Kind.DICOM:
        from myosono.imaging.dicom import decode_dicom

        return decode_dicom(data, path, limits, wanted)
    if kind in (Kind.MP4, Kind.AVI):
        from myosono.imaging.cine import decode_cine

        return decode_cine(path, limits, wanted)
    from myosono.imaging.pillow import decode_pillow

    return decode_pillow(data, kind, path, limits, wanted)


def _frames(
    decoded: Decoded,
    path: Path,
    digest: str,
    named: NameFacts,
    numbers: Iterable[int] | None = None,
    *,
    colour: bool = False,
) -> Iterator[Frame]:
    notes = (*decoded.warnings, *_contradictions(decoded, named))
    known: Area | None = decoded.area
    for index, picture in zip(count() if numbers is None else numbers, decoded.pictures, strict=False):
        area = known if known is not None else find_b_mode_area(picture.pixels)
        if decoded.one_layout and known is None and picture.pixels.any():
            known = area
        fitting = _fitting(area, picture)
        yield Frame(
            pixels=picture.pixels,
            source=str(path),
            sha256=digest,
            frame_index=index,
            frame_count=decoded.frame_count,
            spacing_mm=decoded.spacing_mm,
            device=decoded.device,
            patient_id=decoded.patient_id or named.patient_id,
            muscle=decoded.muscle or named.muscle,
            side=decoded.side or named.side,
            area=fitting,
            warnings=(*notes, *picture.warnings),
            colour_share=_colour_share(picture, fitting),
            rgb=picture.rgb() if colour and picture.rgb is not None else None,
        )


def _fitting(area: Area, picture: Picture) -> Area:
    height, width = picture.pixels.shape
    clamped = area.clamped(height, width)
    return clamped if clamped.size else Area(0, 0, height, width)


def _colour_share(picture: Picture, area: Area) -> float:
    if picture.coloured is None:
        return 0.0
    return float(picture.coloured[area.top : area.bottom, area.left : area.right].mean())


def _contradictions(decoded: Decoded, named: NameFacts) -> tuple[str, ...]:
    pairs = (
        ("patient", decoded.patient_id, named.patient_id),
        ("muscle", decoded.muscle, named.muscle),
        ("side", decoded.side, named.side),
    )
    return tuple(
        f"{what} {header!r} in the header, {name!r} in the file name: the header is taken"
        for what, header, name in pairs
        if header and name and header != name
    )
