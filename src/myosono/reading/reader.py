"""`Reader`: frames through the artefact, then pooled to muscles and patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myosono.errors import ImageError, MissingExtraError, UsageError
from myosono.imaging import Area, Frame, Limits, SourceList, list_sources, read_frames
from myosono.reading.artefact import Artefact, Outputs
from myosono.reading.ood_checks import picture_fault
from myosono.reading.pooled import PoolableImage, pool_muscles, pool_patients
from myosono.reading.quality import blocking_fault
from myosono.reading.result import FailedImage, ImageReading, ModelFacts, MuscleReading, PatientReading, Reading

STUDY = "study"
"""Patient name of images that do not say whose they are: one call reads one study."""

SIMULATED_WARNING = "simulation-trained, not for clinical use"
LEAK_WARNING = "trained on a leaking image-level split: its stated figures overestimate"

FORCED_WARNING = "kept although it failed a gate of its export"

UNGATED_WARNING = "no gate in this model file: images of other organs are read as if they were muscle"

Source = str | Path | NDArray[np.uint8]
OnImage = Callable[[str], None]


class Reader:
    """A model, ready to read studies. Make one with `load`.

    Parameters
    ----------
    artefact
        Opened model file.
    limits
        What is refused before decoding.
    """

    def __init__(self, artefact: Artefact, *, limits: Limits | None = None) -> None:
        self.artefact = artefact
        self.limits = limits or Limits()

    @property
    def model(self) -> ModelFacts:
        """Name, version, hash, training data and standing warnings of the model."""
        metadata = self.artefact.metadata
        warnings = [SIMULATED_WARNING] if metadata["simulated"] else []
        warnings += [LEAK_WARNING] if metadata["split"]["leaks"] else []
        warnings += self.artefact.patient_rule.warnings
        warnings += [UNGATED_WARNING] if self.artefact.gate is None else []
        warnings += [FORCED_WARNING] if metadata.get("forced") else []
        return ModelFacts(
            name=metadata["name"],
            version=version_of(metadata),
            sha256=self.artefact.sha256,
            trained_on=metadata["trained_on"],
            warnings=tuple(warnings),
        )

    def read(
        self,
        sources: Source | Sequence[Source],
        *,
        patient_id: str | None = None,
        muscle: str | None = None,
        side: str | None = None,
        on_image: OnImage | None = None,
    ) -> Reading:
        """Read a study.

        Parameters
        ----------
        sources
            Paths of files or folders, glob patterns, or grey arrays, uint8 ``(height, width)``.
        patient_id, muscle, side
            Override what the files say.
        on_image
            Called with the path of each file when it has been read, for progress.

        Returns
        -------
        Reading
            What could not be read is listed in ``failed``; the rest is read.

        Raises
        ------
        UsageError
            If nothing is given, or an array is not 2-D uint8.
        ImageError
            If a path does not exist or no image is found.
        """
        images: list[ImageReading] = []
        failed: list[FailedImage] = []
        listed = _listed(sources)
        skipped = [(str(path), reason) for path, reason in getattr(listed, "skipped", ())]
        seen: dict[tuple[str, str], str] = {}
        for source in listed:
            name = f"array {len(images)}" if isinstance(source, np.ndarray) else str(source)
            try:
                for frame in _frames(source, self.limits, name):
                    # A copy is no second image of the patient: it would count for a vote, and for enough images.
                    first = seen.setdefault((frame.sha256 or name, patient_id or frame.patient_id or STUDY), name)
                    if first != name:
                        skipped.append((name, f"the same file as {first}"))
                        break
                    images.append(self.read_frame(frame, patient_id=patient_id, muscle=muscle, side=side))
            except (ImageError, MissingExtraError) as error:
                failed.append(FailedImage(name, str(error)))
            if on_image is not None:
                on_image(name)
        failed += [FailedImage(str(path), f"{path}: {reason}") for path, reason in getattr(listed, "failed", ())]
        muscles, patients = self.pool(images)
        return Reading(
            model=self.model,
            images=tuple(images),
            failed=tuple(failed),
            muscles=muscles,
            patients=patients,
            skipped=tuple(skipped),
        )

    def read_frame(
        self, frame: Frame, *, patient_id: str | None = None, muscle: str | None = None, side: str | None = None
    ) -> ImageReading:
        """Read one frame; the other parameters override what it says of itself, as in `read`."""
        b_mode = np.ascontiguousarray(frame.b_mode)
        outputs = self.artefact.run(b_mode)
        fault = self._fault(b_mode, frame, outputs)
        probabilities = self._named(outputs.probabilities)
        area = frame.area
        return ImageReading(
            path=frame.source,
            frame=frame.frame_index,
            patient_id=patient_id or frame.patient_id or STUDY,
            muscle=muscle or frame.muscle,
            side=side or frame.side,
            probabilities=probabilities,
            label=None if fault else max(probabilities, key=probabilities.__getitem__),
            abstained=fault is not None,
            reasons=tuple(filter(None, [fault, None if fault else self._doubt(b_mode)])) + frame.warnings,
            area=(area.top, area.left, area.bottom, area.right),
            spacing_mm=frame.spacing_mm,
            device=frame.device,
            shrinkage_fraction=outputs.shrinkage_fraction,
            class_maps=outputs.class_maps,
            shrinkage=outputs.shrinkage,
            pixels=b_mode,
            screen=(frame.pixels.shape[0], frame.pixels.shape[1]),
        )

    def _fault(self, b_mode: NDArray[np.uint8], frame: Frame, outputs: Outputs) -> str | None:
        """What stops the reading of an image: nothing to see, or something that is not muscle."""
        fault = blocking_fault(b_mode) or picture_fault(b_mode, frame.colour_share)
        if fault is None and self.artefact.gate is not None and outputs.embedding is not None:
            fault = self.artefact.gate.fault(b_mode, outputs.embedding)
        return fault

    def _doubt(self, b_mode: NDArray[np.uint8]) -> str | None:
        """What must be said beside an image's class."""
        known = self.artefact.grey_range
        return None if known is None else known.doubt(b_mode)

    def _named(self, probabilities: NDArray[np.floating]) -> dict[str, float]:
        return {name: float(value) for name, value in zip(self.artefact.classes, probabilities, strict=True)}

    def pool(self, images: Sequence[PoolableImage]) -> tuple[tuple[MuscleReading, ...], tuple[PatientReading, ...]]:
        """Muscles and patients from frames that were read, here or earlier: the last step of `read`."""
        return pool_muscles(images), pool_patients(images, self.artefact.patient_rule)


def load(path: str | Path | None = None, *, threads: int = 0, limits: Limits | None = None) -> Reader:
    """Open a model file; without a path, the simulation-trained model that ships with myosono.

    Parameters
    ----------
    path
        An ``.onnx`` file made by ``myosono export``.
    threads
        Threads of one inference; 0 lets the runtime choose.
    limits
        Bounds on files, pixels and frames.

    Raises
    ------
    ArtefactError
        If the file is missing, damaged, not a myosono model, or of a newer format.
    """
    return Reader(Artefact(path, threads=threads), limits=limits)


def version_of(metadata: dict[str, Any]) -> str:
    """When the file was recalibrated, else made: a recalibrated file answers otherwise than the one it came from."""
    again = metadata.get("recalibrated")
    made = again.get("created") if isinstance(again, dict) else None
    return str(made or metadata.get("created", ""))


def _listed(sources: Source | Sequence[Source]) -> Iterable[Path | NDArray[np.uint8]]:
    if isinstance(sources, (str, Path)):
        return list_sources(sources)
    if isinstance(sources, np.ndarray):
        return [sources]
    arrays = [source for source in sources if isinstance(source, np.ndarray)]
    paths = [source for source in sources if not isinstance(source, np.ndarray)]
    if not arrays:
        return list_sources(paths)
    listed = list_sources(paths) if paths else SourceList()
    return [*arrays, *listed]


def _frames(source: Path | NDArray[np.uint8], limits: Limits, name: str) -> Iterator[Frame]:
    if isinstance(source, Path):
        yield from read_frames(source, limits)
        return
    if source.ndim != 2 or source.dtype != np.uint8 or math.prod(source.shape) == 0:
        raise UsageError(f"an image array must be uint8 (height, width), not {source.dtype} {source.shape}")
    yield Frame(
        pixels=source,
        source=name,
        sha256="",
        frame_index=0,
        frame_count=1,
        spacing_mm=None,
        device=None,
        patient_id=None,
        muscle=None,
        side=None,
        area=Area(0, 0, *source.shape),
    )
