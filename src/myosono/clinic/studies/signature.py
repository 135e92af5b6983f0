"""What a signature covers: the answer, the model and the images that the physician had before their eyes, no more."""

from __future__ import annotations

from myosono.clinic.studies.view import OpinionView, StudyView

UNREAD = ("pending", "reading")
"""States of an image that is still to be read."""


def waiting_images(view: StudyView) -> int:
    """Images that are still to be read."""
    return sum(image.status in UNREAD for image in view.images)


def late_images(view: StudyView, opinion: OpinionView | None) -> int:
    """Images that came after a reading was signed; 0 of an unsigned one."""
    if opinion is None or opinion.signed_at is None:
        return 0
    return sum(image.received > opinion.signed_at for image in view.images)


def changes_since(opinion: OpinionView, view: StudyView) -> tuple[str, ...]:
    """What the study states now and the signer of a reading did not see; empty where the signature covers it all.

    Returns
    -------
    tuple of str
        Sentences in English; the catalogues of reports hold their patterns.
    """
    found = []
    if late := late_images(view, opinion):
        found.append(f"Images that came after the signature: {late}.")
    if waiting := waiting_images(view):
        found.append(f"Images that are not read yet: {waiting}.")
    if opinion.signed_at is not None and (moved := sum(at > opinion.signed_at for at in view.sites_corrected)):
        found.append(f"Corrections of muscle or side after the signature: {moved}; results by muscle have changed.")
    if view.model and opinion.model_sha256 != view.model.get("sha256"):
        found.append("The physician saw the result of an earlier model; the one below is newer.")
    if opinion.model_answer != view.answer:
        found.append(f"The model's answer has changed since the signature, from {opinion.model_answer or 'none'}.")
    return tuple(found)


def covers(opinion: OpinionView, view: StudyView) -> bool:
    """Whether all that the study states of the algorithm was before the signer's eyes."""
    return opinion.signed_at is not None and not changes_since(opinion, view)
