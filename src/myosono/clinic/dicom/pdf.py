"""The report as an Encapsulated PDF, so that a PACS shows it beside the images."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import EncapsulatedPDFStorage

from myosono.clinic.dicom.header import (
    check_sources,
    finish,
    instance_reference,
    local_time,
    naming_source,
    new_object,
    stated_at,
)
from myosono.clinic.studies.signature import covers
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError

SERIES_NUMBER = 9003
_HEAD = b"%PDF-"


def make_pdf(view: StudyView, pdf: bytes, sources: Sequence[Dataset]) -> Dataset:
    """An Encapsulated PDF (PS3.3 A.45.1) of the report.

    Parameters
    ----------
    view
        The study, read.
    pdf
        What `myosono.clinic.reports.pdf.render_pdf` gave.
    sources
        Headers of the study's DICOM images, to which the document refers.

    Raises
    ------
    ClinicError
        If the bytes are no PDF, or the study has no DICOM source.
    """
    found = check_sources(view, sources)
    if not pdf.startswith(_HEAD):
        raise ClinicError("the report is no PDF", remedy="Make it with myosono.clinic.reports.pdf.render_pdf.")
    dataset = new_object(
        view,
        naming_source(found),
        EncapsulatedPDFStorage,
        kind="pdf",
        modality="DOC",
        number=SERIES_NUMBER,
        description="Muscle ultrasound report",
    )
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES"  # the report names its patient
    dataset.AcquisitionDateTime = local_time(stated_at(view), dataset).strftime("%Y%m%d%H%M%S%z")
    dataset.DocumentTitle = "Muscle ultrasound report"
    name, title = Dataset(), codes.DCM.ImagingMeasurementReport
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = title.value, title.scheme_designator, title.meaning
    dataset.ConceptNameCodeSequence = [name]
    dataset.SourceInstanceSequence = [instance_reference(source) for source in found]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    verified = any(covers(one, view) for one in view.held)
    dataset.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    return finish(dataset, view, "pdf")
