"""Study views made by hand over real ultrasound files of pydicom's test data, and the outside judges of DICOM."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from myosono.clinic.studies.view import FrameView, ImageView, OpinionView, SiteView, StudyView

MODEL = {"name": "stanet_s", "version": "1.2.0", "sha256": "ab" * 32, "trained_on": "simulated cohort", "warnings": []}
CLASSES = ("Normal", "IBM", "PM", "DM")
BANNER = "simulation-trained, not for clinical use"
UPDATED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def source(name: str) -> Dataset:
    """A real ultrasound file."""
    path = get_testdata_file(name)
    assert path is not None
    return dcmread(path)


@pytest.fixture(scope="session")
def sources() -> list[Dataset]:
    """A still, RGB, and a cine loop of JPEG frames, brought into one study as a scanner would write them."""
    still, cine = source("US1_UNCR.dcm"), source("examples_ybr_color.dcm")
    for number, one in enumerate((still, cine)):
        one.PatientName, one.PatientID = "王^小东", "MRN-00017"
        one.SpecificCharacterSet = "GB18030"
        one.StudyInstanceUID = still.StudyInstanceUID
        one.SeriesInstanceUID = f"{still.StudyInstanceUID}.{number + 1}"
        one.StudyDate, one.StudyTime, one.AccessionNumber = "20260304", "050000", "A-17"
        one.PatientBirthDate, one.PatientSex, one.StudyID = "19600229", "F", "1"
    return [still, cine]


def frame_view(number: int, index: int, values: tuple[float, ...], **given: Any) -> FrameView:
    probabilities = dict(zip(CLASSES, values, strict=True))
    plain: dict[str, Any] = {
        "id": number,
        "frame": index,
        "width": 640,
        "height": 480,
        "area": (60, 80, 460, 560),
        "regions": (),
        "probabilities": probabilities,
        "label": max(probabilities, key=probabilities.__getitem__),
        "abstained": False,
        "reasons": (),
        "quantities": {
            "echo_intensity": {"mean": 91.5, "sd": 20.0, "pixels": 5000, "saturated": 0.01},
            "muscle_thickness": {"pixels": 120.0, "mm": 18.25},
            "subcutaneous_thickness": {"pixels": 30.0, "mm": 4.5},
            "notes": ["region proposed by the model"],
        },
        "shrinkage_fraction": 0.3,
        "has_maps": True,
    }
    return FrameView(**{**plain, **given})


def image_view(
    number: int, found: Dataset | None, muscle: str | None, side: str | None, *frames: FrameView
) -> ImageView:
    return ImageView(
        id=number,
        name=f"image-{number}",
        file=f"aa/{number}.dcm",
        sha256=f"{number:064d}",
        status="read" if frames else "failed",
        error=None if frames else "is damaged",
        muscle=muscle,
        side=side,
        sop_instance_uid=None if found is None else str(found.SOPInstanceUID),
        sop_class_uid=None if found is None else str(found.SOPClassUID),
        series_uid=None if found is None else str(found.SeriesInstanceUID),
        received=UPDATED,
        frames=frames,
    )


def site_view(code: str, muscle: str, side: str, images: tuple[int, ...] = (), **given: Any) -> SiteView:
    empty = {
        "probabilities": None,
        "label": None,
        "echo_intensity": None,
        "z_score": None,
        "muscle_thickness_mm": None,
        "subcutaneous_thickness_mm": None,
        "heckmatt_grades": (),
    }
    return SiteView(code=code, muscle=muscle, side=side, images=images, **{**empty, **given})


@pytest.fixture
def view(sources: list[Dataset]) -> StudyView:
    """Right deltoid: a still; left gastrocnemius: two frames of a cine loop, one abstained; unsigned."""
    still, cine = sources
    return StudyView(
        id=7,
        study_uid=str(still.StudyInstanceUID),
        source="dicom",
        sender="CART",
        patient_id="MRN-00017",
        patient_name="王^小东",
        patient_sex="F",
        patient_birth_date=date(1960, 2, 29),
        patient_age=66.0,
        accession="A-17",
        description="",
        study_date=date(2026, 3, 4),
        device="ATL HDI 3000",
        arrived=UPDATED,
        updated=UPDATED,
        status="read",
        priority=0.87,
        classes=CLASSES,
        probabilities={
            "Normal": 1 / 7,
            "IBM": 0.61234567890123456,
            "PM": 0.1,
            "DM": 1 - 1 / 7 - 0.61234567890123456 - 0.1,
        },
        label="IBM",
        answer="IBM",
        prediction_set=("IBM", "DM"),
        abstained=False,
        reasons=(),
        model=MODEL,
        banners=(BANNER,),
        sites=(
            site_view(
                "RD",
                "D",
                "R",
                (1,),
                probabilities={"Normal": 0.2, "IBM": 0.5, "PM": 0.1, "DM": 0.2},
                label="IBM",
                echo_intensity=91.5,
                z_score={
                    "z": 2.125,
                    "expected": 70.0,
                    "sd": 10.0,
                    "normals": 33,
                    "warnings": ["simulated"],
                    "reason": None,
                },
                muscle_thickness_mm=18.25,
                subcutaneous_thickness_mm=4.5,
            ),
            site_view(
                "LG", "G", "L", (2,), probabilities={"Normal": 0.7, "IBM": 0.1, "PM": 0.1, "DM": 0.1}, label="Normal"
            ),
            site_view("LT", "T", "L"),
        ),
        images=(
            image_view(1, still, "D", "R", frame_view(11, 0, (0.2, 0.5, 0.1, 0.2))),
            image_view(
                2,
                cine,
                "G",
                "L",
                frame_view(21, 3, (0.7, 0.1, 0.1, 0.1), width=320, height=240, area=(20, 40, 220, 280)),
                frame_view(
                    22,
                    17,
                    (0.3, 0.3, 0.2, 0.2),
                    label=None,
                    abstained=True,
                    reasons=("no muscle ultrasound",),
                    quantities=None,
                    width=320,
                    height=240,
                    area=(20, 40, 220, 280),
                ),
            ),
            image_view(3, None, None, None),
        ),
        completeness={"text": "2 of 14 muscles"},
        quantification_notes=("2 regions were proposed, not drawn",),
        opinions=(),
    )


@pytest.fixture
def signed_view(view: StudyView) -> StudyView:
    """The same study, signed by a physician who had the same answer before their eyes."""
    opinion = OpinionView(
        id=3,
        user="li",
        full_name="李雷",
        agrees=False,
        diagnosis="PM",
        heckmatt={"RD": 3},
        notes="谨慎 observed twice",
        model_answer=view.answer,
        model_sha256=MODEL["sha256"],
        created=UPDATED,
        signed_at=datetime(2026, 3, 5, 8, 0, tzinfo=UTC),
        amends_id=None,
    )
    return replace(view, opinions=(opinion,))


@pytest.fixture
def maps() -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Class maps and shrinkage by frame id, with one bright spot."""
    classes = np.zeros((4, 14, 14), np.float32)
    classes[1, 6:9, 3:6] = 1.0
    return {number: (classes, np.full((14, 14), 0.2, np.float32)) for number in (11, 21, 22)}


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[Dataset], str]:
    """Write an object and let dciodvfy (dicom3tools) judge it: what it said, without a single error."""
    program = shutil.which("dciodvfy", path="/usr/bin")
    if program is None:
        pytest.skip("dciodvfy is not installed (apt-get install dicom3tools)")

    def judge(dataset: Dataset) -> str:
        path = tmp_path / "judged.dcm"
        dataset.save_as(path, enforce_file_format=True)
        done = subprocess.run([program, str(path)], capture_output=True, text=True, errors="replace", check=False)
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        assert not errors, "\n".join(errors)
        return done.stderr

    return judge


@pytest.fixture
def dump(tmp_path: Path) -> Callable[[Dataset, str], str]:
    """Let a program of DCMTK print an object; it must not complain."""

    def show(dataset: Dataset, program: str) -> str:
        found = shutil.which(program, path="/usr/bin")
        if found is None:
            pytest.skip(f"{program} is not installed (apt-get install dcmtk)")
        path = tmp_path / "dumped.dcm"
        dataset.save_as(path, enforce_file_format=True)
        done = subprocess.run([found, str(path)], capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stderr
        assert not [line for line in done.stderr.splitlines() if line.startswith(("E:", "F:"))], done.stderr
        return done.stdout

    return show
