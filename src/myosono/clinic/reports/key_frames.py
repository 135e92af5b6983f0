"""Which frame stands for a site in a report, and how its pictures are called."""

from __future__ import annotations

from dataclasses import dataclass

from myosono.clinic.studies.view import FrameView, ImageView, SiteView, StudyView


@dataclass(frozen=True)
class KeyFrame:
    """The frame that stands for a site: where its class is the most probable.

    Attributes
    ----------
    heat_class
        Class whose heat map is drawn; None where the reader abstained from the frame.
    """

    site: SiteView
    image: ImageView
    frame: FrameView
    heat_class: str | None


def grey_key(frame: FrameView) -> str:
    """Name of a frame's grey picture among a report's images."""
    return f"{frame.id}"


def heat_key(frame: FrameView) -> str:
    """Name of a frame's picture with heat map among a report's images."""
    return f"{frame.id}-heat"


def choose_key_frames(view: StudyView) -> tuple[KeyFrame, ...]:
    """A frame for each site that has one, in the order of the sites."""
    images = {image.id: image for image in view.images}
    chosen = []
    for site in view.sites:
        frames = [(images[one], frame) for one in site.images if one in images for frame in images[one].frames]
        if frames:
            image, frame = max(frames, key=lambda pair: _preference(site, pair[1]))
            chosen.append(KeyFrame(site, image, frame, None if frame.abstained else site.label or frame.label))
    return tuple(chosen)


def _preference(site: SiteView, frame: FrameView) -> tuple[bool, float, int]:
    """Frames that were read before others, then the site's class, then the earlier one."""
    return not frame.abstained, frame.probabilities.get(site.label or "", 0.0), -frame.frame
