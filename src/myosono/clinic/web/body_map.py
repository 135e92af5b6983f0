"""The body map: seven muscles on both sides, seen from the front, each with its figures and where to draw them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from myosono.clinic.studies.view import SiteView, StudyView
from myosono.clinic.web.study_parts import site_chance

_CHANCE_STEPS = (0.2, 0.4, 0.6, 0.8)
_Z_STEPS = (1.0, 2.0, 3.0, 4.0)
NO_LEVEL = "none"


@dataclass(frozen=True)
class Shape:
    """Where a muscle is drawn on the patient's right side, in the units of the drawing (240 wide, mid-line at 120).

    Attributes
    ----------
    path
        SVG path data.
    x, y
        Where the line to its label ends.
    label_y
        Height of its label at the edge.
    """

    path: str
    x: float
    y: float
    label_y: float


# Stylised after the surface anatomy of the protocol's probe positions; a place to click, not an atlas.
SHAPES = MappingProxyType(
    {
        "D": Shape(
            "M86 78C73 80 65 91 64 112C71 117 80 113 86 104C89 95 89 86 86 78Z",
            70, 97, 92,
        ),
        "B": Shape(
            "M69 119C77 118 81 128 79 143C78 157 73 166 67 165C60 163 59 149 61 136C62 126 64 120 69 119Z",
            65, 142, 134,
        ),
        "FCR": Shape(
            "M68 176C73 178 73 192 69 206C66 218 61 228 57 226C55 218 57 205 60 194C62 184 64 176 68 176Z",
            64, 198, 176,
        ),
        "FDP": Shape(
            "M57 174C62 175 60 190 57 204C54 219 51 232 47 232C43 228 46 209 48 196C50 184 53 174 57 174Z",
            51, 208, 218,
        ),
        "R": Shape(
            "M93 232C103 230 108 246 108 264C108 287 104 305 98 306C91 305 87 287 86 268C85 250 86 234 93 232Z",
            90, 266, 266,
        ),
        "T": Shape(
            "M94 326C100 328 102 344 101 360C100 379 98 396 95 397C91 394 90 376 90 359C90 342 90 328 94 326Z",
            92, 372, 378,
        ),
        "G": Shape(
            "M88 324C91 330 88 346 88 356C88 366 88 374 86 374C82 366 81 350 82 340C83 332 85 324 88 324Z",
            84, 344, 332,
        ),
    }
)  # fmt: skip


@dataclass(frozen=True)
class BodyMuscle:
    """One muscle of one side; levels are ``0`` (normal) to ``4``, or ``none`` where nothing is known."""

    site: SiteView
    shape: Shape
    mirrored: bool
    chance: float | None
    chance_level: str
    z: float | None
    z_level: str


def body_map(view: StudyView) -> tuple[BodyMuscle, ...]:
    """The muscles of the protocol that the drawing has, in its order; the patient's right is on the viewer's left."""
    return tuple(_muscle(site) for site in view.sites if site.muscle in SHAPES and site.side in ("L", "R"))


def _muscle(site: SiteView) -> BodyMuscle:
    chance = site_chance(site)
    z = None if site.z_score is None else site.z_score.get("z")
    return BodyMuscle(
        site=site,
        shape=SHAPES[str(site.muscle)],
        mirrored=site.side == "L",
        chance=chance,
        chance_level=_level(chance, _CHANCE_STEPS),
        z=z,
        z_level=_level(z, _Z_STEPS),
    )


def _level(value: float | None, steps: tuple[float, ...]) -> str:
    return NO_LEVEL if value is None else str(sum(value >= step for step in steps))
