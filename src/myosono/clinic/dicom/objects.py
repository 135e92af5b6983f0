"""From a study to the DICOM objects that are sent: the one door for the network and the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from myosono.clinic.dicom.capture import make_capture
from myosono.clinic.dicom.elements import readable
from myosono.clinic.dicom.pdf import make_pdf
from myosono.clinic.dicom.pictures import KeyPicture
from myosono.clinic.dicom.sr import make_sr
from myosono.clinic.files.store import FileStore
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError, ImageError
from myosono.imaging.guard import decoding

_Part = TypeVar("_Part")

_IDENTITY = "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"

KINDS = ("sr", "capture", "pdf")
"""What `make_objects` makes, as `SendRule.objects` calls it."""


def load_sources(view: StudyView, store: FileStore) -> list[Dataset]:
    """Headers of the study's DICOM images, without pixels.

    Returns
    -------
    list
        Empty for a study of uploaded pictures; `make_objects` refuses it with a remedy.

    Raises
    ------
    NotFoundError
        If a file is gone.
    ImageError
        If its header is damaged.
    """
    found: list[Dataset] = []
    for image in view.images:
        if image.sop_instance_uid is None:
            continue
        path = store.path(image.file)
        with (
            store.open(image.file) as stream,
            decoding(path, "read the DICOM header", also=(InvalidDicomError, BytesLengthException)),
        ):
            source = _readable_part(dcmread(stream, stop_before_pixels=True, force=True))
            if any(keyword not in source for keyword in _IDENTITY):
                raise ImageError("lacks the UIDs that a reference needs", path=path, remedy="Send the image again.")
            found.append(source)
    return found


def _readable_part(header: Dataset) -> Dataset:
    """Without elements whose values are damaged: one of them must not cost the study its report."""
    for tag in list(header.keys()):
        if readable(header, tag) is None:
            del header[tag]
    return header


def make_objects(
    view: StudyView,
    kinds: Sequence[str],
    sources: Sequence[Dataset],
    pdf: bytes | None = None,
    pictures: Sequence[KeyPicture] | None = None,
) -> list[Dataset]:
    """The objects asked for, in that order.

    Parameters
    ----------
    view
        The study, read.
    kinds
        Some of `KINDS`.
    sources
        What `load_sources` gave.
    pdf
        The report, needed by ``pdf``.
    pictures
        What `pictures.load_key_pictures` gave, needed by ``capture``.

    Raises
    ------
    ClinicError
        If a kind is unknown, what it needs was not given, or the study has no DICOM source or no reading.
    """
    made = []
    for kind in kinds:
        if kind == "sr":
            made.append(make_sr(view, sources))
        elif kind == "capture":
            made.append(make_capture(view, sources, _given(pictures, kind, "dicom.pictures.load_key_pictures")))
        elif kind == "pdf":
            made.append(make_pdf(view, _given(pdf, kind, "reports.pdf.render_pdf"), sources))
        else:
            raise ClinicError(f"no DICOM object is called {kind!r}", remedy=f"Known: {', '.join(KINDS)}.")
    return made


def _given(part: _Part | None, kind: str, maker: str) -> _Part:
    if part is None:
        raise ClinicError(f"a {kind} needs what {maker} gives", remedy="Pass it to make_objects.")
    return part
