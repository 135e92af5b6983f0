"""Find the B-mode rectangle in a picture."""

from __future__ import annotations

from myosono.imaging.frame import Area, GreyImage


def find_b_mode_area(pixels: GreyImage) -> Area:
    """Provisional: the whole frame."""
    return Area(0, 0, *pixels.shape)
