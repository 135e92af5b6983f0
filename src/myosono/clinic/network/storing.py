"""C-STORE to a peer: files as they are, or decompressed where the peer takes no compressed ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from myosono.clinic.network.dimse import MAX_CONTEXTS, associate, describe, is_stored
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import PeerError

_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    file
        Which one.
    error
        None if the peer has it now.
    refused
        True if sending it again cannot help unless something changes there: no presentation context, not understood.
    """

    file: Path
    error: str | None = None
    refused: bool = False


@dataclass(frozen=True)
class _File:
    path: Path
    sop_class: UID
    syntax: UID


def store(settings: ClinicSettings, peer: Peer, files: Sequence[Path]) -> Iterator[Outcome]:
    """Send files over as few associations as it takes, and say of each what became of it, in order.

    Raises
    ------
    PeerError
        If the peer cannot be reached or goes away; files without an outcome have not arrived.
    """
    for group in _groups([_look(path) for path in files]):
        if not _contexts(group):  # nothing among them is DICOM
            yield from (one for one in group if isinstance(one, Outcome))
            continue
        with associate(settings, peer, _contexts(group)) as association:
            for file in group:
                yield file if isinstance(file, Outcome) else _send(association, peer, file)


def _look(path: Path) -> _File | Outcome:
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        return _File(path, UID(header.SOPClassUID), UID(header.file_meta.TransferSyntaxUID))
    except (InvalidDicomError, AttributeError, OSError) as error:
        return Outcome(path, f"{path.name} is not a DICOM file that can be sent: {error}", refused=True)


def _groups(files: Sequence[_File | Outcome]) -> Iterator[list[_File | Outcome]]:
    """Runs of files that need no more presentation contexts than one association has."""
    group: list[_File | Outcome] = []
    for file in files:
        if len(_contexts([*group, file])) > MAX_CONTEXTS:
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def _contexts(group: Sequence[_File | Outcome]) -> list[PresentationContext]:
    """A context for each syntax that a file has, and one uncompressed for each class: the peer may take only that."""
    files = [one for one in group if isinstance(one, _File)]
    pairs = {(one.sop_class, one.syntax): None for one in files}
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in pairs]
    plain = {one.sop_class: None for one in files}
    return [*contexts, *(build_context(sop_class, list(_UNCOMPRESSED)) for sop_class in plain)]


def _send(association: Association, peer: Peer, file: _File) -> Outcome:
    accepted = {
        str(one.transfer_syntax[0]) for one in association.accepted_contexts if one.abstract_syntax == file.sop_class
    }
    if not accepted:
        return Outcome(file.path, f"{peer.name} does not take {file.sop_class.name}", refused=True)
    if str(file.syntax) in accepted:
        return _send_file(association, peer, file.path, file.path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "uncompressed.dcm"
        plain = next((one for one in _UNCOMPRESSED if str(one) in accepted), None)
        if plain is None:
            return Outcome(file.path, f"{peer.name} does not take {file.syntax.name}", refused=True)
        try:
            _convert(file.path, copy, plain)
        except (ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
            return Outcome(file.path, f"cannot be converted for {peer.name}: {error}", refused=True)
        return _send_file(association, peer, file.path, copy)


def _convert(source: Path, target: Path, syntax: UID) -> None:
    dataset = dcmread(source)
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        raise ValueError("its pixels are big endian")
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.decompress(as_rgb=False, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(target, implicit_vr=syntax.is_implicit_VR, little_endian=True, enforce_file_format=True)


def _send_file(association: Association, peer: Peer, file: Path, content: Path) -> Outcome:
    if not association.is_established:
        raise PeerError(f"{peer.name} ended the association", remedy="It is tried again.")
    response = association.send_c_store(content)
    if "Status" not in response:
        raise PeerError(f"{peer.name} did not answer C-STORE", remedy="It is tried again; see the peer's own log.")
    status = int(response.Status)
    if is_stored(status):
        return Outcome(file)
    again = status in _OUT_OF_RESOURCES
    return Outcome(file, f"{peer.name} answered C-STORE with {describe(response)}", refused=not again)
