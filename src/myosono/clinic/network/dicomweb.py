"""A peer's DICOMweb service through dicomweb-client: QIDO-RS, WADO-RS and STOW-RS (PS3.18)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session, create_session_from_user_pass
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from requests import HTTPError, RequestException  # type: ignore[import-untyped]

from myosono.clinic.network.query import FoundStudy, Instance, StudyQuery
from myosono.clinic.network.storing import Outcome
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import PeerError

_ANY_SYNTAX = (("application/dicom", "*"),)
"""As it is stored there: a PACS that converts would change pixels that a network reads."""


class DicomWeb:
    """A peer's DICOMweb service.

    Parameters
    ----------
    settings
        For the time limit.
    peer
        With its ``dicomweb`` root, and user and password where it wants them.

    Raises
    ------
    PeerError
        If the peer has no DICOMweb address.
    """

    def __init__(self, settings: ClinicSettings, peer: Peer) -> None:
        if peer.dicomweb is None:
            raise PeerError(f"{peer.name} has no DICOMweb address", remedy="Set its dicomweb = URL in clinic.toml.")
        self.peer = peer
        session = (
            create_session()
            if peer.user is None
            else create_session_from_user_pass(username=peer.user, password=peer.password or "")
        )
        self._client = DICOMwebClient(peer.dicomweb, session=session, timeout=settings.pacs.timeout_seconds)
        self._client.set_http_retry_params(retry=False)  # the outbox tries again, and says so meanwhile

    def find(self, query: StudyQuery) -> list[FoundStudy]:
        """QIDO-RS at study level.

        Raises
        ------
        PeerError
            If the service does not answer, or not as DICOMweb.
        """
        with self._asking("QIDO-RS"):
            found = self._client.search_for_studies(
                limit=query.limit, fields=StudyQuery.returned(), search_filters=query.keys()
            )
            return [FoundStudy.from_dataset(Dataset.from_json(one)) for one in found]

    def instances(self, study_uid: str) -> list[Instance]:
        """QIDO-RS at instance level: all objects of a study.

        Raises
        ------
        PeerError
            As `find`.
        """
        with self._asking("QIDO-RS"):
            found = [Dataset.from_json(one) for one in self._client.search_for_instances(study_uid, get_remaining=True)]
            return [
                Instance(str(one.SeriesInstanceUID), str(one.SOPInstanceUID), str(one.get("SOPClassUID", "")))
                for one in found
            ]

    def retrieve(self, study_uid: str, instance: Instance) -> bytes:
        """WADO-RS: one object as a DICOM file, in the transfer syntax in which the PACS keeps it.

        Raises
        ------
        PeerError
            As `find`.
        """
        with self._asking("WADO-RS"):
            dataset = self._client.retrieve_instance(
                study_uid, instance.series_uid, instance.sop_instance_uid, media_types=_ANY_SYNTAX
            )
            buffer = BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            return buffer.getvalue()

    def store(self, files: Sequence[Path]) -> Iterator[Outcome]:
        """STOW-RS, one file a request, so that each has an answer of its own.

        Raises
        ------
        PeerError
            If the service does not answer; files without an outcome have not arrived.
        """
        for path in files:
            try:
                dataset = dcmread(path)
            except (InvalidDicomError, OSError) as error:
                yield Outcome(path, f"{path.name} is not a DICOM file that can be sent: {error}", refused=True)
                continue
            try:
                with self._asking("STOW-RS"):
                    answer = self._client.store_instances([dataset])
            except PeerError as error:
                if not _is_refusal(error.__cause__):
                    raise
                yield Outcome(path, str(error), refused=True)
                continue
            yield _outcome(path, answer, self.peer)

    @contextmanager
    def _asking(self, service: str) -> Iterator[None]:
        """Every way in which an answer can be missing or wrong, as one error."""
        try:
            yield
        except HTTPError as error:
            status = error.response.status_code if error.response is not None else "?"
            remedy = "Check its user and password." if status in (401, 403) else "See the peer's own log."
            raise PeerError(f"{self.peer.name} answered {service} with HTTP {status}", remedy=remedy) from error
        except RequestException as error:
            where = f"{self.peer.name} ({self.peer.dicomweb})"
            raise PeerError(f"{where} cannot be reached by {service}: {type(error).__name__}") from error
        except (ValueError, KeyError, AttributeError, TypeError, InvalidDicomError, EOFError) as error:
            raise PeerError(f"{self.peer.name} gave no {service} answer that can be read: {error}") from error


def _is_refusal(error: BaseException | None) -> bool:
    """A client error other than "log in", "slow down" or "too slow" stays one however often it is tried."""
    if not isinstance(error, HTTPError) or error.response is None:
        return False
    status = int(error.response.status_code)
    return 400 <= status < 500 and status not in (401, 403, 407, 408, 429)


def _outcome(path: Path, answer: Dataset, peer: Peer) -> Outcome:
    failed = answer.get("FailedSOPSequence") or ()
    if not failed:
        return Outcome(path)
    reason = failed[0].get("FailureReason")
    said = "without a reason" if reason is None else f"reason 0x{int(reason):04X}"
    again = reason is not None and 0xA700 <= int(reason) < 0xA800
    return Outcome(path, f"{peer.name} did not store it: {said}", refused=not again)
