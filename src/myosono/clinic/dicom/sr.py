"""Structured Report: TID 1500 Measurement Report, with a TID 1501 group for the patient, each site and each frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ComprehensiveSRStorage

import myosono
from myosono.clinic.dicom.codes import SCHEME
from myosono.clinic.dicom.groups import frame_group, patient_group, person_name, physician_groups, site_group, text
from myosono.clinic.dicom.header import (
    STATEMENT,
    check_sources,
    clean_text,
    derived_uid,
    finish,
    local_time,
    naming_source,
    new_object,
    references,
)
from myosono.clinic.studies.signature import covers, waiting_images
from myosono.clinic.studies.view import OpinionView, StudyView

SERIES_NUMBER = 9001


def make_sr(view: StudyView, sources: Sequence[Dataset], *, organization: str = "") -> Dataset:
    """All that the study's reading states, as a Comprehensive SR (PS3.3 A.35.3, PS3.16 TID 1500).

    Parameters
    ----------
    view
        The study, read.
    sources
        Headers of its DICOM images (`objects.load_sources`); each becomes evidence.
    organization
        Of the physician who signed. By default the institution of the images; ``not stated`` where they name none.

    Returns
    -------
    Dataset
        With file meta information, ready to be written or sent. ``VERIFIED`` and ``FINAL`` only if a physician has
        signed a reading in sight of the very answer, model and images that the document states.

    Raises
    ------
    ClinicError
        If the study has no DICOM source or has not been read.
    """
    found = check_sources(view, sources)
    by_uid = {str(source.SOPInstanceUID): source for source in found}
    dataset = new_object(
        view,
        naming_source(found),
        ComprehensiveSRStorage,
        kind="sr",
        modality="SR",
        number=SERIES_NUMBER,
        description="Muscle ultrasound reading",
    )
    root = _report(view, by_uid)[0]
    for element in root:
        dataset[element.tag] = element
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = references(found)
    dataset.CodingSchemeIdentificationSequence = [_scheme()]
    _set_flags(dataset, view, organization or clean_text("InstitutionName", found[0]) or "not stated")
    return finish(dataset, view, "sr")


def _report(view: StudyView, by_uid: Mapping[str, Dataset]) -> sr.MeasurementReport:
    algorithm = _algorithm(view)
    groups = [patient_group(view, algorithm)]
    groups += [site_group(view, site, algorithm) for site in view.sites if site.code and site.images]
    lost = []
    for image in view.images:
        source = by_uid.get(image.sop_instance_uid or "")
        if source is None:
            lost.append(f"Image {image.id} ({image.name}) is no DICOM object of this study and is not referred to.")
        elif not image.frames:
            lost.append(f"Image {image.sop_instance_uid} was not read: {image.error or image.status}.")
        else:
            groups += [frame_group(view, image, frame, source, algorithm) for frame in image.frames]
    groups += physician_groups(view)
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_device(view)),
        procedure_reported=codes.SCT.DiagnosticUltrasonography,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    # TID 1500 is extensible: what must stand on every result goes before the measurements.
    said = [STATEMENT, *view.banners, *lost]
    position = len(report[0].ContentSequence) - 1
    for number, line in enumerate(said):
        report[0].ContentSequence.insert(position + number, text(codes.DCM.Comment, line))
    return report


def _algorithm(view: StudyView) -> sr.AlgorithmIdentification:
    """TID 4019; the hash names the network beyond doubt."""
    model = view.model
    parameters = [f"sha256={model.get('sha256', '')}"]
    if model.get("trained_on"):
        parameters.append(f"trained on {model['trained_on']}")
    return sr.AlgorithmIdentification(
        name=str(model.get("name") or "myosono"),
        version=str(model.get("version") or myosono.__version__),
        parameters=parameters,
        family=codes.DCM.ArtificialIntelligence,
        manufacturer="myosono",
    )


def _device(view: StudyView) -> sr.ObserverContext:
    return sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", view.model.get("sha256", "")),
            name="myosono",
            manufacturer_name="myosono",
            model_name=str(view.model.get("name") or "myosono"),
        ),
    )


def _scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = "Private codes of myosono, listed in its docs/dicom.md"
    return item


def _set_flags(dataset: Dataset, view: StudyView, organization: str) -> None:
    """Completion, verification and finality (PS3.3 C.17.2)."""
    waiting = waiting_images(view)
    dataset.CompletionFlag = "PARTIAL" if waiting else "COMPLETE"
    if waiting:
        dataset.CompletionFlagDescription = f"{waiting} images of the study are still unread"
    observers = [_observer(one, dataset, organization) for one in view.held if covers(one, view)]
    dataset.VerificationFlag = "VERIFIED" if observers else "UNVERIFIED"
    dataset.PreliminaryFlag = "FINAL" if observers else "PRELIMINARY"
    if observers:
        dataset.VerifyingObserverSequence = observers


def _observer(opinion: OpinionView, dataset: Dataset, organization: str) -> Dataset:
    assert opinion.signed_at is not None
    observer = Dataset()
    observer.VerifyingObserverName = person_name(opinion)
    observer.VerifyingOrganization = organization[:64]
    observer.VerifyingObserverIdentificationCodeSequence = []
    observer.VerificationDateTime = local_time(opinion.signed_at, dataset).strftime("%Y%m%d%H%M%S%z")
    return observer
