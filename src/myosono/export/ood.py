"""Fit the gate against pictures that are not muscle, and put it into a model file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from myosono.cohort.near_duplicates import fingerprint, similar_pairs, similarity_groups
from myosono.errors import ImageError, UsageError
from myosono.formats import ARTEFACT_METADATA_KEY
from myosono.imaging import Frame, list_sources, read_frames
from myosono.progress import track
from myosono.reading.ood import MuscleGate, deep_features, gate_features
from myosono.reading.ood_checks import picture_fault
from myosono.reading.ood_look import Look
from myosono.reading.quality import blocking_fault
from myosono.reading.seal import SEAL_KEY, seal

KEPT = 0.98
"""Share of held-out muscle images that each look lets pass: above 95 %, since other clinics and disease differ."""

OUTLIERS_PER_KIND = 150
COHORT_IMAGES = 320
_PENALTY, _FOLDS, _DISTANCE_QUANTILE = 1.0, 5, 0.95
_LOOK_ALIKE_BITS, _LOOK_ALIKE_CORRELATION = 64, 0.9


@dataclass(frozen=True, eq=False)
class GateImages:
    """Features of images for the gate.

    Attributes
    ----------
    name
        Where they come from.
    whole
        ``(images, features)`` of `gate_features`.
    groups
        Subject, or look-alike group, of each image: never in two folds.
    deep
        ``(images, features)`` of `deep_features`; without them a gate looks at whole images alone.
    """

    name: str
    whole: NDArray[np.float64]
    groups: tuple[str, ...]
    deep: NDArray[np.float64] | None = None


class GateFeatures:
    """A graph's embedding and the image statistics, for fitting.

    Parameters
    ----------
    model
        The graph whose embedding the gate will see, with or without metadata.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Features of one B-mode area, uint8 ``(height, width)``, for both looks."""
        contiguous = np.ascontiguousarray(image)
        whole = gate_features(contiguous, self._session.run(["embedding"], {"image": contiguous})[0])
        return whole, deep_features(contiguous)

    def of_images(self, name: str, images: Iterable[NDArray[np.uint8]], groups: Sequence[str]) -> GateImages:
        """Features of a source's images with their groups."""
        whole, deep = zip(*(self(image) for image in images), strict=True)
        return GateImages(name, np.stack(whole), tuple(groups), np.stack(deep))

    def of_folder(self, folder: str | Path, *, muscle: bool = True, quiet: bool = False) -> GateImages:
        """A folder of real images, of muscle or of other things, grouped by likeness as subjects are not known.

        Raises
        ------
        ImageError
            If there is none, or one cannot be read.
        UsageError
            If one that is said to be muscle is plainly no B-mode image: a mask, a photograph, a page.
        """
        path = Path(folder)
        name = path.resolve().parent.name if path.name == "images" else path.name
        listed = list_sources(path)
        if listed.failed:
            raise ImageError(listed.failed[0][1], path=listed.failed[0][0], remedy="Move it away, or mend it.")
        sources = track(list(listed), f"reading images of {name}", disable=quiet)
        area = _muscle_area if muscle else _area
        areas = [area(frame) for source in sources for frame in read_frames(source)]
        groups = [f"{name} {number}" for number in look_alike_groups(areas)]
        return self.of_images(name, track(areas, f"measuring images of {name}", disable=quiet), groups)


def _area(frame: Frame) -> NDArray[np.uint8]:
    # A copy: the whole screen around it need not be kept.
    return np.array(frame.b_mode)


def _muscle_area(frame: Frame) -> NDArray[np.uint8]:
    """Masks and photographs that lie beside the images must not teach the gate that they are muscle."""
    area = _area(frame)
    fault = blocking_fault(area) or picture_fault(area, frame.colour_share)
    if fault:
        raise UsageError(f"cannot teach the gate muscle: {fault}", path=Path(frame.source), remedy="Move it away")
    return area


def look_alike_groups(images: Sequence[NDArray[np.uint8]]) -> list[int]:
    """Group number of each image; frames of one video share theirs."""
    prints = [fingerprint(image) for image in images]
    pairs = similar_pairs(prints, max_distance=_LOOK_ALIKE_BITS, min_correlation=_LOOK_ALIKE_CORRELATION)
    return similarity_groups(len(prints), pairs)


def fit_gate(muscle: Sequence[GateImages], outliers: Sequence[GateImages], *, real: Sequence[str] = ()) -> MuscleGate:
    """Fit the gate; its thresholds come from folds in which an image's group was held out.

    Parameters
    ----------
    muscle
        Sources of muscle images.
    outliers
        Sources of pictures of other kinds.
    real
        Names of the sources that set the thresholds; all by default.

    Raises
    ------
    UsageError
        If the muscle images are of fewer than two groups.
    """
    groups = np.array([group for source in muscle for group in source.groups])
    telling = np.concatenate([np.full(len(source.groups), not real or source.name in real) for source in muscle])

    def look(part: str) -> Look:
        inside, outside = (np.concatenate([getattr(s, part) for s in sources]) for sources in (muscle, outliers))
        return _fit_with_threshold(inside, outside, groups, telling)

    both = all(source.deep is not None for source in (*muscle, *outliers))
    return MuscleGate(look("whole"), look("deep") if both else None)


def _fit_with_threshold(
    inside: NDArray[np.float64], outside: NDArray[np.float64], groups: NDArray[np.str_], telling: NDArray[np.bool_]
) -> Look:
    folds = min(_FOLDS, len(set(groups.tolist())))
    if folds < 2:
        raise UsageError("the gate needs muscle images of at least two patients or look-alike groups")
    scores = np.empty(len(inside))
    for train, test in GroupKFold(folds).split(inside, groups=groups):
        scores[test] = _fit(inside[train], outside).score(inside[test])
    threshold = float(np.quantile(scores[telling], 1 - KEPT))
    return replace(_fit(inside, outside), threshold=threshold)


def _fit(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> Look:
    mean, scale = inside.mean(axis=0).astype(np.float32), (inside.std(axis=0) + 1e-3).astype(np.float32)
    standard, other = (np.clip((part - mean) / scale, -8, 8) for part in (inside, outside))
    regression = LogisticRegression(C=_PENALTY, max_iter=2000)
    regression.fit(np.concatenate([standard, other]), np.repeat([1, 0], [len(standard), len(other)]))
    spread = LedoitWolf(assume_centered=True).fit(standard)
    # x' S^-1 x = |W x|^2 with W the inverse of S's lower Cholesky factor, itself lower triangular.
    whitening = np.tril(np.linalg.inv(np.linalg.cholesky(spread.covariance_))).astype(np.float16)
    distance = np.linalg.norm(standard @ whitening.astype(np.float64).T, axis=1)
    return Look(
        mean=mean,
        scale=scale,
        weights=regression.coef_[0].astype(np.float32),
        bias=float(regression.intercept_[0]),
        whitening=whitening,
        distance_scale=float(np.quantile(distance, _DISTANCE_QUANTILE)),
    )


def gate_metadata(
    model: onnx.ModelProto,
    cohort: GateImages,
    outliers: Sequence[GateImages],
    folders: Sequence[str | Path] = (),
    *,
    quiet: bool = False,
) -> dict[str, Any]:
    """The key ``ood`` of a model file: the gate, and what it was fitted on.

    Parameters
    ----------
    model
        Graph of the file.
    cohort
        Training images of the run.
    outliers
        Drawn pictures (`outlier_features`), and real ones of other organs if there are any.
    folders
        Real muscle images; if given, they alone set the threshold.
    """
    features = GateFeatures(model)
    real = [features.of_folder(folder, quiet=quiet) for folder in folders]
    gate = fit_gate([cohort, *real], outliers, real=[source.name for source in real])
    fitted_on = [
        {"name": source.name, "images": len(source.groups), "groups": len(set(source.groups))}
        for source in (cohort, *real, *outliers)
    ]
    return gate.to_metadata() | {"fitted_on": fitted_on, "kept": KEPT}


def outlier_features(
    features: GateFeatures, *, per_kind: int = OUTLIERS_PER_KIND, seed: int = 0, quiet: bool = False
) -> GateImages:
    """Features of drawn pictures of other kinds."""
    from myosono.cohort.drawn import draw_outliers

    drawn = list(track(draw_outliers(per_kind, seed=seed), "drawing outliers", total=5 * per_kind, disable=quiet))
    images = track([image for _, image in drawn], "measuring outliers", disable=quiet)
    return features.of_images("drawn outliers", images, [f"{kind} {number}" for number, (kind, _) in enumerate(drawn)])


def restate(path: str | Path, keys: dict[str, Any], out: str | Path) -> None:
    """Put metadata, such as a gate, into a model file and seal it anew; graph and other keys stay as they are.

    Parameters
    ----------
    path, out
        The file, and where to write; they may be the same.
    keys
        ``{"ood": gate_metadata(...)}``, for example.

    Raises
    ------
    UsageError
        If the file is not a model of myosono.
    """
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == ARTEFACT_METADATA_KEY:
            entry.value = json.dumps(json.loads(entry.value) | keys)
            break
    else:
        raise UsageError("is not a model of myosono", path=Path(path))
    kept = [entry for entry in model.metadata_props if entry.key != SEAL_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    target = Path(out)
    partial = target.with_name(target.name + ".partial")
    partial.write_bytes(seal(model.SerializeToString(deterministic=True)))
    partial.replace(target)
