"""The key frames of a study as pixels: what a Secondary Capture shows."""

from __future__ import annotations

from sqlalchemy.orm import Session

from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.key_frames import choose_key_frames
from myosono.clinic.reports.key_pictures import KeyPicture, load_key_picture
from myosono.clinic.studies.view import StudyView

__all__ = ["KeyPicture", "load_key_pictures"]


def load_key_pictures(session: Session, store: FileStore, view: StudyView) -> list[KeyPicture]:
    """Pixels and maps of the frame that stands for each site, in the order of the sites; DICOM images only.

    Raises
    ------
    NotFoundError, ImageError
        If a file that was read is gone or damaged since.
    ClinicError
        If its stored maps are damaged.
    """
    keys = [key for key in choose_key_frames(view) if key.image.sop_instance_uid is not None]
    return [load_key_picture(session, store, view, key) for key in keys]
