"""Open the one model file, or refuse it by name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from myosono.errors import ArtefactError
from myosono.formats import ARTEFACT_FORMAT, ARTEFACT_METADATA_KEY
from myosono.hashing import sha256_bytes
from myosono.reading.decision import PatientRule
from myosono.reading.grey_range import GreyRange
from myosono.reading.ood import MuscleGate
from myosono.reading.seal import Seal, seal_of

EMBEDDED = "stanet_s_simulated.onnx"

MAX_BYTES = 256 * 1024 * 1024
"""Largest file that is looked into; ours are near a megabyte."""

_RUNTIME_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidProtobuf,
    ort_errors.InvalidGraph,
    ort_errors.InvalidArgument,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_AGAIN = "Copy it again from its source, or export it again"
_REQUIRED: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "classes": list,
    "temperature": (int, float),
    "conformal": dict,
    "trained_on": str,
    "simulated": bool,
    "split": dict,
}
_OUTPUTS = ("probabilities", "logits", "class_maps", "shrinkage", "shrinkage_fraction")
_EMBEDDING = "embedding"


@dataclass(frozen=True)
class Outputs:
    """What the network says of one image.

    Attributes
    ----------
    probabilities
        ``(classes,)``, calibrated.
    logits
        ``(classes,)``, before the temperature.
    class_maps
        ``(classes, h, w)``; mean over positions plus bias is the logit.
    shrinkage
        ``(h, w)``, share of feature magnitude removed: a diagnostic, not a noise level.
    shrinkage_fraction
        Mean share removed over the whole network.
    embedding
        ``(channels,)``, the pooled features; None in a file without them.
    """

    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]
    class_maps: NDArray[np.float32]
    shrinkage: NDArray[np.float32]
    shrinkage_fraction: float
    embedding: NDArray[np.float32] | None = None


class Artefact:
    """A model file, opened.

    Parameters
    ----------
    path
        The ``.onnx`` file; None opens the one that ships with myosono.
    threads
        Threads of one inference; 0 lets the runtime choose.

    Raises
    ------
    ArtefactError
        If the file is missing, damaged, changed after its export, not made by myosono, or of a newer format.
    """

    def __init__(self, path: str | Path | None = None, *, threads: int = 0) -> None:
        self.path = embedded_model() if path is None else Path(path)
        data = _read(self.path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except _RUNTIME_ERRORS as error:
            raise ArtefactError(
                "is not a readable model file (damaged or truncated)", path=self.path, remedy=_AGAIN
            ) from error
        self.metadata = _metadata(self._session, self.path)
        if self.metadata.get("sealed") and seal_of(data) is Seal.ABSENT:
            raise ArtefactError("has lost its seal (truncated or changed)", path=self.path, remedy=_AGAIN)
        try:
            self.patient_rule = PatientRule.from_metadata(self.metadata)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtefactError(
                f"its calibration is damaged or incomplete ({error!r})", path=self.path, remedy=_AGAIN
            ) from error
        self.gate = _gate(self.metadata, self._session, self.path)
        self.grey_range = _grey_range(self.metadata, self.path)
        self.sha256 = sha256_bytes(data)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return tuple(self.metadata["classes"])

    def run(self, image: NDArray[np.uint8]) -> Outputs:
        """Read one grey image, uint8 ``(height, width)``, of any size."""
        try:
            names = [*_OUTPUTS, *([_EMBEDDING] if self.gate else [])]
            outputs = self._session.run(names, {"image": np.ascontiguousarray(image)})
        except _RUNTIME_ERRORS as error:
            raise ArtefactError("its network does not run", path=self.path, remedy=_AGAIN) from error
        probabilities, logits, maps, shrinkage, fraction, *rest = outputs
        return Outputs(probabilities, logits, maps, shrinkage, float(fraction), rest[0] if rest else None)


def embedded_model() -> Path:
    """Path of the simulation-trained model that ships inside the package."""
    return Path(str(resources.files("myosono.reading") / "models" / EMBEDDED))


def _read(path: Path) -> bytes:
    """The file's bytes, if it may be a model: sealed ones are checked before the runtime parses them."""
    if not path.is_file():
        raise ArtefactError("model file does not exist", path=path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ArtefactError(f"{size / 1e6:.0f} MB is too large for a myosono model", path=path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"cannot be read: {error.strerror}", path=path) from error
    if seal_of(data) is Seal.BROKEN:
        raise ArtefactError("does not match its seal: damaged, or changed after its export", path=path, remedy=_AGAIN)
    return data


def _metadata(session: onnxruntime.InferenceSession, path: Path) -> dict[str, Any]:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(ARTEFACT_METADATA_KEY)
    except UnicodeDecodeError as error:
        raise ArtefactError("its metadata is damaged", path=path, remedy=_AGAIN) from error
    if text is None:
        raise ArtefactError(
            "is an ONNX file, but not a myosono model", path=path, remedy="Make one with: myosono export RUN"
        )
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtefactError("its metadata is damaged", path=path, remedy=_AGAIN) from error
    if not isinstance(metadata, dict):
        raise ArtefactError("its metadata is damaged: no table of names and values", path=path, remedy=_AGAIN)
    found = metadata.get("format")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ArtefactError("its metadata states no format", path=path, remedy=_AGAIN)
    if found > ARTEFACT_FORMAT:
        raise ArtefactError(
            f"model file of format {found}; this version reads up to format {ARTEFACT_FORMAT}",
            path=path,
            remedy="Update myosono",
        )
    wrong = [key for key, kind in _REQUIRED.items() if not isinstance(metadata.get(key), kind)]
    wrong += _wrong_ends(session)
    if wrong:
        raise ArtefactError(f"lacks {', '.join(wrong)}, or holds them in another form", path=path, remedy=_AGAIN)
    return metadata


def _gate(metadata: dict[str, Any], session: onnxruntime.InferenceSession, path: Path) -> MuscleGate | None:
    """The gate of a file that carries one; older files do not."""
    if "ood" not in metadata:
        return None
    try:
        gate = MuscleGate.from_metadata(metadata["ood"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"its gate against other images is damaged ({error!r})", path=path, remedy=_AGAIN
        ) from error
    shapes = [output.shape for output in session.get_outputs() if output.name == _EMBEDDING]
    if shapes != [[gate.channels]]:
        raise ArtefactError("its gate does not fit its network's embedding", path=path, remedy=_AGAIN)
    return gate


def _grey_range(metadata: dict[str, Any], path: Path) -> GreyRange | None:
    """Of a file that states it; older files do not."""
    if "grey" not in metadata:
        return None
    try:
        return GreyRange.from_metadata(metadata["grey"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"its range of grey levels is damaged ({error!r})", path=path, remedy=_AGAIN) from error


def _wrong_ends(session: onnxruntime.InferenceSession) -> list[str]:
    """Inputs and outputs that a reader needs and this graph has not."""
    ends = [(end.name, end.type, len(end.shape)) for end in session.get_inputs()]
    wrong = [] if ends == [("image", "tensor(uint8)", 2)] else ["the input image, uint8 (height, width)"]
    outputs = {output.name for output in session.get_outputs()}
    return wrong + [f"the output {name}" for name in _OUTPUTS if name not in outputs]
