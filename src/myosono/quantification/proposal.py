"""`RegionModel`: the small network that proposes the muscle region, through onnxruntime."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from myosono.errors import DAMAGED_TEXT, ArtefactError
from myosono.formats import REGION_FORMAT, REGION_METADATA_KEY
from myosono.hashing import sha256_file
from myosono.quantification.decode import borders_to_mask, decode_borders
from myosono.quantification.region import Region

EMBEDDED = "muscle_region.onnx"

_BLACK, _SEEN = 10, 0.05
"""Columns with no more than this share of pixels above this level lie outside the probe's view."""

_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidProtobuf,
    ort_errors.InvalidGraph,
    ort_errors.InvalidArgument,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class RegionModel:
    """A region network, opened.

    It marks the most superficial muscle between its two aponeuroses, over the whole width of the image.

    Parameters
    ----------
    path
        The ``.onnx`` file; None opens the one that ships with myosono.
    threads
        Threads of one inference; 0 lets the runtime choose.

    Raises
    ------
    ArtefactError
        If the file is missing, damaged, of another kind, or of a newer format.
    """

    def __init__(self, path: str | Path | None = None, *, threads: int = 0) -> None:
        self.path = embedded_region_model() if path is None else Path(path)
        if not self.path.is_file():
            raise ArtefactError("region model file does not exist", path=self.path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except _LOAD_ERRORS as error:
            raise ArtefactError("is not a readable model file (damaged or truncated)", path=self.path) from error
        self.metadata = _metadata(self._session, self.path)
        self.sha256 = sha256_file(self.path)

    def propose(self, image: NDArray[np.uint8]) -> Region:
        """Propose the muscle region of a grey B-mode image, uint8 ``(height, width)``; its mask may be empty."""
        (tissue,) = self._session.run(["tissue"], {"image": np.ascontiguousarray(image)})
        borders, support = decode_borders(tissue)
        seen = (image > _BLACK).mean(axis=0) > _SEEN
        return Region(borders_to_mask(borders, *image.shape) & seen, "proposed", support)

    def to_dict(self) -> dict[str, Any]:
        """Name, hash and training data, for the record."""
        return {"name": self.metadata["name"], "sha256": self.sha256, "trained_on": self.metadata["trained_on"]}


def embedded_region_model() -> Path:
    """Path of the region model that ships inside the package."""
    return Path(str(resources.files("myosono.quantification") / "models" / EMBEDDED))


def _metadata(session: onnxruntime.InferenceSession, path: Path) -> dict[str, Any]:
    text = session.get_modelmeta().custom_metadata_map.get(REGION_METADATA_KEY)
    if text is None:
        raise ArtefactError("is an ONNX file, but proposes no muscle region", path=path)
    try:
        metadata = json.loads(text)
    except DAMAGED_TEXT as error:
        raise ArtefactError("its metadata is damaged", path=path) from error
    found = metadata.get("format")
    if not isinstance(found, int) or not 1 <= found <= REGION_FORMAT:
        raise ArtefactError(
            f"region model of format {found}; this version reads up to format {REGION_FORMAT}",
            path=path,
            remedy="Update myosono",
        )
    return dict(metadata)
