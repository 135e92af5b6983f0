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
from myosono.hashing import sha256_file
from myosono.reading.decision import PatientRule

EMBEDDED = "stanet_s_simulated.onnx"

_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidProtobuf,
    ort_errors.InvalidGraph,
    ort_errors.InvalidArgument,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_REQUIRED = ("name", "classes", "temperature", "conformal", "trained_on", "simulated", "split")
_OUTPUTS = ("probabilities", "class_maps", "shrinkage", "shrinkage_fraction")


@dataclass(frozen=True)
class Outputs:
    """What the network says of one image.

    Attributes
    ----------
    probabilities
        ``(classes,)``, calibrated.
    class_maps
        ``(classes, h, w)``; mean over positions plus bias is the logit.
    shrinkage
        ``(h, w)``, share of feature magnitude removed: a diagnostic, not a noise level.
    shrinkage_fraction
        Mean share removed over the whole network.
    """

    probabilities: NDArray[np.float32]
    class_maps: NDArray[np.float32]
    shrinkage: NDArray[np.float32]
    shrinkage_fraction: float


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
        If the file is missing, damaged, not made by myosono, or of a newer format.
    """

    def __init__(self, path: str | Path | None = None, *, threads: int = 0) -> None:
        self.path = embedded_model() if path is None else Path(path)
        if not self.path.is_file():
            raise ArtefactError("model file does not exist", path=self.path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except _LOAD_ERRORS as error:
            raise ArtefactError("is not a readable model file (damaged or truncated)", path=self.path) from error
        self.metadata = _metadata(self._session, self.path)
        try:
            self.patient_rule = PatientRule.from_metadata(self.metadata)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtefactError(
                f"its calibration is damaged or incomplete ({error!r})",
                path=self.path,
                remedy="Copy it again from its source, or export it again",
            ) from error
        self.sha256 = sha256_file(self.path)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return tuple(self.metadata["classes"])

    def run(self, image: NDArray[np.uint8]) -> Outputs:
        """Read one grey image, uint8 ``(height, width)``, of any size."""
        probabilities, maps, shrinkage, fraction = self._session.run(
            list(_OUTPUTS), {"image": np.ascontiguousarray(image)}
        )
        return Outputs(probabilities, maps, shrinkage, float(fraction))


def embedded_model() -> Path:
    """Path of the simulation-trained model that ships inside the package."""
    return Path(str(resources.files("myosono.reading") / "models" / EMBEDDED))


def _metadata(session: onnxruntime.InferenceSession, path: Path) -> dict[str, Any]:
    text = session.get_modelmeta().custom_metadata_map.get(ARTEFACT_METADATA_KEY)
    if text is None:
        raise ArtefactError(
            "is an ONNX file, but not a myosono model", path=path, remedy="Make one with: myosono export RUN"
        )
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise ArtefactError("its metadata is damaged", path=path) from error
    found = metadata.get("format")
    if not isinstance(found, int) or found < 1:
        raise ArtefactError("its metadata states no format", path=path)
    if found > ARTEFACT_FORMAT:
        raise ArtefactError(
            f"model file of format {found}; this version reads up to format {ARTEFACT_FORMAT}",
            path=path,
            remedy="Update myosono",
        )
    missing = [key for key in _REQUIRED if key not in metadata]
    outputs = {output.name for output in session.get_outputs()}
    missing += [name for name in _OUTPUTS if name not in outputs]
    if missing:
        raise ArtefactError(f"lacks {', '.join(missing)}", path=path)
    return dict(metadata)
