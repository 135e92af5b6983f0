"""De-identification on export: the basic confidentiality profile of DICOM PS3.15 Annex E, and clean pixels."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

from myosono.clinic.dicom.cleaning import clean_pixels, little_endian, unpack_pixels
from myosono.clinic.dicom.codes import MUSCLE_CODES
from myosono.clinic.dicom.elements import Scrubber, readable
from myosono.clinic.dicom.header import IMPLEMENTATION_NAME, IMPLEMENTATION_UID
from myosono.clinic.dicom.profile import DeidentifyOptions
from myosono.errors import ClinicError
from myosono.imaging.dicom_site import read_site
from myosono.imaging.guard import decoding

_METHOD = "DICOM PS3.15 E.1 basic profile, myosono"

_PIXEL_DATA = Tag("PixelData")

__all__ = ["DeidentifyOptions", "deidentify"]


def deidentify(dataset: Dataset, options: DeidentifyOptions) -> Dataset:
    """A copy of an image that says no more than the profile allows of who was examined, where, when and by whom.

    Parameters
    ----------
    dataset
        An image as `pydicom.dcmread` gives it, any transfer syntax; it is not changed.
    options
        The secret salt, and what is kept.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with new file meta information and an empty preamble. All UIDs, names and dates are
        replaced, emptied or removed by Table E.1-1, down into every sequence; private and unknown elements, overlays,
        curves and thumbnails are removed; muscle and side are coded if only removed text told them; what was done is
        coded in De-identification Method Code Sequence.

    Raises
    ------
    ClinicError
        If it is no image (a report or a document cannot be cleaned), or its B-mode area is not known.
    ImageError
        If its pixels cannot be decoded, or its header is too damaged to be judged.
    """
    path = Path(str(getattr(dataset, "filename", None) or dataset.get("SOPInstanceUID", "image")))
    if "PixelData" not in dataset:
        name = UID(str(dataset.get("SOPClassUID", ""))).name or "object"
        raise ClinicError(f"is a {name} without pixels, and is not de-identified", path=path, remedy="Export images.")
    with decoding(path, "de-identify the image", also=(InvalidDicomError, BytesLengthException)):
        cleaned = _copy(dataset)
        if options.clean_pixels:
            how = f"Pixels blanked {clean_pixels(dataset, cleaned, path, options.area)}"
        else:
            how = ""
            unpack_pixels(dataset, cleaned, path)
        Scrubber(dataset, options).clean(cleaned)
        _keep_site(dataset, cleaned)
        _declare(cleaned, options, how)
    return cleaned


def _keep_site(dataset: Dataset, cleaned: Dataset) -> None:
    """Code muscle and side where only the removed text told them: they say nothing of who was examined."""
    muscle, side = read_site(dataset)
    kept_muscle, kept_side = read_site(cleaned)
    if muscle is not None and kept_muscle is None:
        cleaned.AnatomicRegionSequence = [_item(MUSCLE_CODES[muscle])]
    if side is not None and kept_side is None:
        cleaned.ImageLaterality = side


def _declare(cleaned: Dataset, options: DeidentifyOptions, how: str) -> None:
    """Say what was done, and by whom the file was written."""
    cleaned.PatientIdentityRemoved = "YES"
    cleaned.DeidentificationMethod = [_METHOD, how] if how else _METHOD
    cleaned.DeidentificationMethodCodeSequence = [_item(code) for code in options.methods()]
    cleaned.LongitudinalTemporalInformationModified = "MODIFIED" if options.shift_dates else "REMOVED"
    if options.clean_pixels:
        cleaned.BurnedInAnnotation = "NO"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = cleaned.SOPClassUID
    meta.MediaStorageSOPInstanceUID = cleaned.SOPInstanceUID
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    cleaned.file_meta = meta


def _copy(dataset: Dataset) -> Dataset:
    """The header, in little endian, its text decoded to be written as UTF-8, without what cannot be read."""
    header = Dataset()
    for tag in sorted(dataset.keys()):
        element = None if tag == _PIXEL_DATA else readable(dataset, tag)
        if element is not None:
            header.add(deepcopy(element))
    header.decode()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    little_endian(dataset, header)
    return header


def _item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning[:64]
    return item
