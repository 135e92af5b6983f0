"""A study view by hand: every part that a report states, with values that a test can look for."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from PIL import Image

from myosono.clinic.reports.key_frames import choose_key_frames, grey_key, heat_key
from myosono.clinic.studies.view import FrameView, ImageView, OpinionView, SiteView, StudyView
from myosono.quantification import MYOSITIS_PROTOCOL, completeness

CLASSES = ("Normal", "IBM", "PM", "DM")
MODEL_HASH = "ab" * 32
ARRIVED = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
SIGNED = datetime(2026, 3, 5, 16, 5, tzinfo=UTC)

MakeOpinion = Callable[..., OpinionView]


def make_image(number: int, muscle: str, side: str, *, share: float, abstained: bool = False) -> ImageView:
    probabilities = {"Normal": 0.1, "IBM": share, "PM": 0.9 - share - 0.05, "DM": 0.05}
    frame = FrameView(
        id=100 + number,
        frame=0,
        width=400,
        height=300,
        area=(20, 30, 280, 370),
        regions=(),
        probabilities=probabilities,
        label=None if abstained else "IBM",
        abstained=abstained,
        reasons=("blank image: almost no contrast",) if abstained else (),
        quantities=None,
        shrinkage_fraction=0.2,
        has_maps=True,
    )
    return ImageView(
        id=number,
        name=f"image_{number}.dcm",
        file=f"ab/{number:02d}.dcm",
        sha256=f"{number:064x}",
        status="read",
        error=None,
        muscle=muscle,
        side=side,
        sop_instance_uid=f"1.2.826.0.1.3680043.8.498.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
        series_uid="1.2.826.0.1.3680043.8.498.7",
        received=ARRIVED,
        frames=(frame,),
    )


def make_site(muscle: str, side: str, images: tuple[int, ...]) -> SiteView:
    z = {"z": 3.24, "expected": 61.0, "sd": 8.0, "normals": 25, "warnings": [], "reason": None}
    z["warnings"] = ["reference from simulated images: not for clinical use"]
    return SiteView(
        code=f"{side}{muscle}",
        muscle=muscle,
        side=side,
        images=images,
        probabilities={"Normal": 0.1, "IBM": 0.62, "PM": 0.23, "DM": 0.05} if images else None,
        label="IBM" if images else None,
        echo_intensity=86.9 if images else None,
        z_score=z if images else None,
        muscle_thickness_mm=14.25 if images else None,
        subcutaneous_thickness_mm=None,
        heckmatt_grades=(("Dr. A", 3),) if images and muscle == "FDP" else (),
    )


@pytest.fixture
def view() -> StudyView:
    """Eleven of fourteen sites, one image that was refused and one that could not be read; nothing signed."""
    missing = {("D", "L"), ("G", "L"), ("FCR", "R")}
    images = [
        make_image(number, muscle, side, share=0.4 + number / 100)
        for number, (muscle, side) in enumerate(MYOSITIS_PROTOCOL, start=1)
        if (muscle, side) not in missing
    ]
    by_site = {(image.muscle, image.side): image.id for image in images}
    sites = [
        make_site(muscle, side, (by_site[muscle, side],) if (muscle, side) in by_site else ())
        for muscle, side in MYOSITIS_PROTOCOL
    ]
    refused = replace(make_image(40, "D", "R", share=0.3, abstained=True), name="blank.png", sop_instance_uid=None)
    broken = replace(refused, id=41, name="broken.png", status="failed", error="cannot open as PNG", frames=())
    return StudyView(
        id=7,
        study_uid="1.2.826.0.1.3680043.8.498.99",
        source="dicom",
        sender="LOGIQ-E",
        patient_id="P-0042",
        patient_name="Wang^XiaoDong=王^小东",
        patient_sex="F",
        patient_birth_date=date(1961, 5, 17),
        patient_age=64.0,
        accession="A-2026-118",
        description="Muscle ultrasound, 7 muscles",
        study_date=date(2026, 3, 4),
        device="GE LOGIQ E",
        arrived=ARRIVED,
        updated=ARRIVED,
        status="read",
        priority=0.9,
        classes=CLASSES,
        probabilities={"Normal": 0.02, "IBM": 0.55, "PM": 0.40, "DM": 0.03},
        label=None,
        answer="IBM or PM",
        prediction_set=("IBM", "PM"),
        abstained=True,
        reasons=("cannot be told apart at 90% confidence",),
        model={
            "name": "stanet_s",
            "version": "2026-02-01",
            "sha256": MODEL_HASH,
            "trained_on": "simulated muscle",
            "warnings": ["simulation-trained, not for clinical use"],
        },
        banners=("simulation-trained, not for clinical use",),
        sites=tuple(sites),
        images=(*images, refused, broken),
        completeness=completeness([(image.muscle, image.side) for image in images]).to_dict(),
        quantification_notes=("muscle regions proposed by a network: check them",),
        opinions=(),
    )


@pytest.fixture
def nothing_fits(view: StudyView) -> StudyView:
    """No diagnosis reaches the confidence: the prediction set is empty, and there are probabilities."""
    return replace(view, answer="abstains", prediction_set=(), reasons=("unlike the calibration patients",))


@pytest.fixture
def all_refused(view: StudyView) -> StudyView:
    """All images were read, and the reader refused each of them: an answer, and no probabilities."""
    images = tuple(
        replace(one, frames=tuple(replace(frame, abstained=True, label=None) for frame in one.frames))
        for one in view.images
        if one.status == "read"
    )
    sites = tuple(
        replace(one, probabilities=None, label=None, echo_intensity=None, z_score=None, muscle_thickness_mm=None)
        for one in view.sites
    )
    return replace(
        view, images=images, sites=sites, probabilities=None, answer="abstains", prediction_set=(), priority=None,
        reasons=("not muscle ultrasound: none of the images is",),
    )  # fmt: skip


@pytest.fixture
def opinion() -> MakeOpinion:
    """A signed reading, or with ``signed_at=None`` a draft; other fields by keyword."""

    def make(**changes: object) -> OpinionView:
        signed = OpinionView(
            id=1,
            user="lee",
            full_name="Dr Ming Lee",
            agrees=True,
            diagnosis="IBM",
            heckmatt={"LFDP": 3},
            notes="Finger flexors bright on both sides.",
            model_answer="IBM or PM",
            model_sha256=MODEL_HASH,
            created=ARRIVED,
            signed_at=SIGNED,
            amends_id=None,
        )
        return replace(signed, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def pictures(view: StudyView) -> Mapping[str, bytes]:
    """A grey picture and one with heat for each key frame."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 80), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    keys = choose_key_frames(view)
    return {name: buffer.getvalue() for key in keys for name in (grey_key(key.frame), heat_key(key.frame))}
