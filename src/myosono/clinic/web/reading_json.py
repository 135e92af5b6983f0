"""A study as the reading contract, the JSON of ``myosono read --json`` (docs/architecture.md)."""

from __future__ import annotations

from typing import Any

from myosono.clinic.reports.content import has_result
from myosono.clinic.studies.view import FrameView, ImageView, StudyView


def reading_contract(view: StudyView) -> dict[str, Any]:
    """Model, images, muscles and patient of a study.

    An image's ``path`` is the name under which it came; ``regions`` and ``image_id`` are the clinic's own additions.
    """
    return {
        "model": dict(view.model),
        "images": [_frame(view, image, frame) for image in view.images for frame in image.frames]
        + [{"path": _path(image), "image_id": image.id, "error": image.error} for image in view.images if image.error],
        "muscles": [
            {
                "patient_id": view.patient_id,
                "muscle": site.muscle,
                "side": site.side,
                "probabilities": dict(site.probabilities),
                "label": site.label,
                "images": len(site.images),
            }
            for site in view.sites
            if site.probabilities is not None
        ],
        "patients": [_patient(view)] if has_result(view) else [],
        "skipped": [],
    }


def _patient(view: StudyView) -> dict[str, Any]:
    return {
        "patient_id": view.patient_id,
        "probabilities": dict(view.probabilities or {}),
        "label": view.label,
        "answer": view.answer,
        "prediction_set": list(view.prediction_set),
        "abstained": view.abstained,
        "reasons": list(view.reasons),
        "images": sum(len(image.frames) for image in view.images),
    }


def _frame(view: StudyView, image: ImageView, frame: FrameView) -> dict[str, Any]:
    scaled = next((one for one in frame.regions if one.kind == "b-mode" and one.mm_per_pixel_x), None)
    return {
        "path": _path(image),
        "image_id": image.id,
        "frame": frame.frame,
        "patient_id": view.patient_id,
        "muscle": image.muscle,
        "side": image.side,
        "probabilities": dict(frame.probabilities),
        "label": frame.label,
        "abstained": frame.abstained,
        "reasons": list(frame.reasons),
        "area": list(frame.area),
        "spacing_mm": None if scaled is None else [scaled.mm_per_pixel_y, scaled.mm_per_pixel_x],
        "regions": [vars(region) for region in frame.regions],
        "device": view.device or None,
        "shrinkage_fraction": frame.shrinkage_fraction,
        "quantities": frame.quantities,
    }


def _path(image: ImageView) -> str:
    return image.name or image.file
