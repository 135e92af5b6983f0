"""What the templates of a study's page and viewer loop over, made from its `StudyView`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from myosono.anatomy import MUSCLES
from myosono.clinic.reports.content import is_possible
from myosono.clinic.reports.language import Translate
from myosono.clinic.studies.view import FrameView, ImageView, SiteView, StudyView

NORMAL = "Normal"


@dataclass(frozen=True)
class SiteCard:
    """One muscle of one side: ``chance`` is 1 - P(Normal), None where it is not known."""

    site: SiteView
    chance: float | None
    images: tuple[ImageView, ...]
    abstained: int


@dataclass(frozen=True)
class MuscleRow:
    """Both sides of a muscle, right first, as one faces the patient."""

    muscle: str
    name: str
    sides: tuple[SiteCard, SiteCard]

    @property
    def comparable(self) -> bool:
        """Whether there is something to set side by side."""
        return all(card.images for card in self.sides)


@dataclass(frozen=True)
class ProbabilityRow:
    """A class; ``possible`` tells whether it is in the prediction set, None where that is empty."""

    name: str
    probability: float
    possible: bool | None


def site_chance(site: SiteView) -> float | None:
    """Chance of disease of a muscle: 1 - P(Normal)."""
    if site.probabilities is None or NORMAL not in site.probabilities:
        return None
    return 1 - site.probabilities[NORMAL]


def muscle_rows(view: StudyView) -> tuple[MuscleRow, ...]:
    """The muscles of the protocol, proximal arm to distal leg."""
    images = {image.id: image for image in view.images}
    cards = {(site.muscle, site.side): _card(site, images) for site in view.sites}
    return tuple(
        MuscleRow(muscle, name, (cards[muscle, "R"], cards[muscle, "L"]))
        for muscle, name in MUSCLES.items()
        if (muscle, "R") in cards and (muscle, "L") in cards
    )


def probability_rows(view: StudyView) -> tuple[ProbabilityRow, ...]:
    """Classes in their usual order."""
    return tuple(
        ProbabilityRow(name, float(value), is_possible(view, name))
        for name, value in (view.probabilities or {}).items()
    )


def viewer_images(view: StudyView, say: Translate) -> list[dict[str, Any]]:
    """What the viewer's script needs of each image, as plain values; reasons in the language of ``say``."""
    return [_viewer_image(image, say) for image in _by_site(view)]


def _by_site(view: StudyView) -> Sequence[ImageView]:
    """In the protocol's order, right before left; images of unknown site last."""
    order = {muscle: number for number, muscle in enumerate(MUSCLES)}
    last = len(order)

    def place(image: ImageView) -> tuple[int, bool, str, int]:
        return order.get(image.muscle or "", last), image.side != "R", image.side or "", image.id

    return sorted(view.images, key=place)


def _card(site: SiteView, images: dict[int, ImageView]) -> SiteCard:
    shown = tuple(images[one] for one in site.images if one in images)
    abstained = sum(bool(image.frames) and all(frame.abstained for frame in image.frames) for image in shown)
    return SiteCard(site, site_chance(site), shown, abstained)


def _viewer_image(image: ImageView, say: Translate) -> dict[str, Any]:
    return {
        "id": image.id,
        "name": image.name.rsplit("/", 1)[-1] or image.sha256[:12],
        "muscle": image.muscle,
        "side": image.side,
        "status": image.status,
        "error": say(image.error) if image.error else None,
        "frames": [_viewer_frame(frame, say) for frame in image.frames],
    }


def _viewer_frame(frame: FrameView, say: Translate) -> dict[str, Any]:
    echo = (frame.quantities or {}).get("echo_intensity") or {}
    return {
        "frame": frame.frame,
        "width": frame.width,
        "height": frame.height,
        "area": list(frame.area),
        "regions": [asdict(region) for region in frame.regions],
        "probabilities": dict(frame.probabilities),
        "label": frame.label,
        "abstained": frame.abstained,
        "reasons": [say(reason) for reason in frame.reasons],
        "echoIntensity": echo.get("mean"),
        "shrinkage": frame.shrinkage_fraction,
        "maps": frame.has_maps,
    }
