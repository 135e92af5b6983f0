"""Secondary Capture: a page for each site's key frame, with its heat map and the statement burnt in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.tag import Tag
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage

from myosono.clinic.dicom.cleaning import is_screen
from myosono.clinic.dicom.header import (
    STATEMENT,
    check_sources,
    finish,
    instance_reference,
    is_multi_frame,
    naming_source,
    new_object,
)
from myosono.clinic.dicom.page import HEIGHT, WIDTH, draw_page
from myosono.clinic.dicom.pictures import KeyPicture
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError
from myosono.imaging import Area

SERIES_NUMBER = 9002
_PAGE_NUMBER_VECTOR = Tag("PageNumberVector")


def make_capture(view: StudyView, sources: Sequence[Dataset], pictures: Sequence[KeyPicture]) -> Dataset:
    """The key frames as a Multi-frame True Color Secondary Capture (PS3.3 A.8.5), RGB, not compressed.

    Parameters
    ----------
    view
        The study, read.
    sources
        Headers of its DICOM images; those shown are referred to, with their frames.
    pictures
        What `pictures.load_key_pictures` gives.

    Raises
    ------
    ClinicError
        If the study has no DICOM source, has not been read, or there is nothing to show.
    """
    found = check_sources(view, sources)
    by_uid = {str(source.SOPInstanceUID): source for source in found}
    shown = [one for one in pictures if one.key.image.sop_instance_uid in by_uid]
    if not shown:
        raise ClinicError(f"no frame of a DICOM image of study {view.id} has been read", remedy="Send the SR or PDF.")
    dataset = new_object(
        view,
        naming_source(found),
        MultiFrameTrueColorSecondaryCaptureImageStorage,
        kind="capture",
        modality="OT",
        number=SERIES_NUMBER,
        description="Muscle ultrasound heat maps",
    )
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.ConversionType = "WSD"
    dataset.PatientOrientation = ""
    sides = {one.key.site.side for one in shown}
    dataset.Laterality = (sides.pop() or "") if len(sides) == 1 else ""
    dataset.BurnedInAnnotation = "NO" if all(_clean(one, by_uid) for one in shown) else "YES"
    dataset.DerivationDescription = f"Key frames with heat maps. {STATEMENT}"
    dataset.ImageComments = " | ".join([STATEMENT, *view.banners])[:10240]
    dataset.SourceImageSequence = [_reference(one, by_uid) for one in shown]
    _set_compression(dataset, [by_uid[str(one.key.image.sop_instance_uid)] for one in shown])
    _set_pixels(dataset, view, shown)
    return finish(dataset, view, "capture")


def _clean(picture: KeyPicture, by_uid: dict[str, Dataset]) -> bool:
    """Whether the frame is sure to name nobody: declared so, or cut to a region that the scanner declared.

    A region that is the whole screen, as some devices declare it, holds the banner with the patient's name.
    """
    source = by_uid[str(picture.key.image.sop_instance_uid)]
    if source.get("BurnedInAnnotation") == "NO":
        return True
    height, width = int(source.Rows), int(source.Columns)
    area = Area(*picture.key.frame.area)
    return bool(picture.key.frame.regions) and not is_screen(area, height, width)


def _reference(picture: KeyPicture, by_uid: dict[str, Dataset]) -> Dataset:
    source = by_uid[str(picture.key.image.sop_instance_uid)]
    many = is_multi_frame(source)
    item = instance_reference(source, [picture.key.frame.frame + 1] if many else ())
    purpose, code = Dataset(), codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator = code.value, code.scheme_designator
    purpose.CodeMeaning = code.meaning
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def _set_compression(dataset: Dataset, shown: Sequence[Dataset]) -> None:
    """Loss that the sources went through stays declared (PS3.3 C.7.6.1.1.5)."""
    lossy = [source for source in shown if source.get("LossyImageCompression") == "01"]
    dataset.LossyImageCompression = "01" if lossy else "00"
    ratio, method = (
        (lossy[0].get(f"LossyImageCompression{name}") for name in ("Ratio", "Method")) if lossy else ("", "")
    )
    if ratio:
        dataset.LossyImageCompressionRatio = ratio
    if method:
        dataset.LossyImageCompressionMethod = method


def _set_pixels(dataset: Dataset, view: StudyView, pictures: Sequence[KeyPicture]) -> None:
    count = len(pictures)
    pages = [np.asarray(draw_page(view, one, number, count)) for number, one in enumerate(pictures, start=1)]
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = HEIGHT, WIDTH
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.NumberOfFrames = count
    dataset.FrameIncrementPointer = _PAGE_NUMBER_VECTOR
    dataset.PageNumberVector = list(range(1, count + 1))
    dataset.PixelData = np.stack(pages).tobytes()
