"""Find the B-mode rectangle in a picture from its pixels alone.

A scanner's screen is a flat background with a block of speckle on it, and text, rulers and grey bars around. The
background's grey levels are those that fill the border of the picture. What is left is laid on a coarse grid, where
text and rulers are thin and vanish, and the largest connected block is the B-mode area. Borders come nested (a white
page around a grey window around the image), so this is repeated on what was found until nothing is left to peel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from myosono.imaging.background import background_levels, foreground
from myosono.imaging.components import Mask, largest_component, opened
from myosono.imaging.frame import Area, GreyImage

_SMALLEST_EDGE = 64
_LAYERS = 4
# The coarse grid has about this many cells along the longer edge.
_CELLS = 100
_SAMPLES = 150
_SOLID = 0.4
# A line of the block counts if it is at least this long, compared with the longest.
_SHORTEST_LINE = 0.08
# A step from background to speckle between neighbouring lines: the straight edge of a screen layout.
_STEP = 0.5
# Text, rulers and grey bars fill no more of what is cut off than this.
_CLUTTER = 0.2
# Parts of the block that a dark layer of tissue separates span the same columns (or rows).
_SAME_SPAN = 0.7
_SMALLEST_PART = 0.1
_SMALLEST_SHARE = 0.04


def find_b_mode_area(pixels: GreyImage) -> Area:
    """Find the B-mode rectangle of a picture.

    Parameters
    ----------
    pixels
        Grey image, uint8, shape ``(height, width)``.

    Returns
    -------
    Area
        The bounding rectangle of the B-mode image (of the sector, if it is one); the whole picture if it is
        already cropped, or if nothing convincing is found.
    """
    whole = Area(0, 0, *pixels.shape)
    area = whole
    for _ in range(_LAYERS):
        inner = _peel(pixels[area.top : area.bottom, area.left : area.right])
        if inner is None:
            break
        area = Area(area.top + inner.top, area.left + inner.left, area.top + inner.bottom, area.left + inner.right)
    return area if area.size >= _SMALLEST_SHARE * whole.size else whole


def _peel(pixels: GreyImage) -> Area | None:
    """The block within one layer of background, or None if there is no such layer."""
    height, width = pixels.shape
    if min(height, width) < _SMALLEST_EDGE:
        return None
    levels = background_levels(pixels)
    if not levels.any():
        return None
    mask = foreground(pixels, levels)
    cell = max(4, -(-max(height, width) // _CELLS))
    block = _block(opened(_shares(mask, cell) >= _SOLID))
    rough = _bounds(block, cell, height, width)
    if rough is None:
        return None
    area = _refined(mask, rough, cell)
    return area if _is_layout(mask, area, height, width) else None


def _shares(mask: Mask, cell: int) -> NDArray[np.float32]:
    """Share of foreground in each ``cell`` x ``cell`` square; the incomplete ones at the far ends are padded."""
    height, width = mask.shape
    rows, columns = -(-height // cell), -(-width // cell)
    if (rows * cell, columns * cell) != (height, width):
        mask = np.pad(mask, ((0, rows * cell - height), (0, columns * cell - width)), mode="edge")
    # Over rows first, in bytes: the order that NumPy vectorises.
    sums = mask.view(np.uint8).reshape(rows, cell, columns * cell).sum(axis=1, dtype=np.uint16)
    shares = sums.reshape(rows, columns, cell).sum(axis=2, dtype=np.uint32) / np.float32(cell * cell)
    return np.asarray(shares, dtype=np.float32)


def _block(solid: Mask) -> Mask:
    """The largest component, and further large ones that continue it across a dark layer."""
    block = largest_component(solid)
    rest, size = solid & ~block, block.sum()
    while rest.any():
        part = largest_component(rest)
        if part.sum() < _SMALLEST_PART * size:
            break
        if any(_overlap(_span(block, axis), _span(part, axis)) >= _SAME_SPAN for axis in (0, 1)):
            block = block | part
        rest &= ~part
    return block


def _span(block: Mask, axis: int) -> Mask:
    return np.asarray(block.any(axis=axis))


def _overlap(one: Mask, other: Mask) -> float:
    return float(np.logical_and(one, other).sum() / max(1, np.logical_or(one, other).sum()))


def _bounds(block: Mask, cell: int, height: int, width: int) -> Area | None:
    spans = []
    for axis in (1, 0):
        lengths = block.sum(axis=axis)
        if not lengths.any():
            return None
        lines = np.nonzero(lengths >= max(1.0, _SHORTEST_LINE * lengths.max()))[0]
        spans.append((int(lines[0]) * cell, (int(lines[-1]) + 1) * cell))
    (top, bottom), (left, right) = spans
    return Area(top, left, bottom, right).clamped(height, width)


def _refined(mask: Mask, rough: Area, cell: int) -> Area:
    """Move each edge to where the density of the lines, seen from outside, reaches half of what lies inside."""
    rows, columns = _densities(mask, rough)
    height, width = mask.shape
    return Area(
        _edge(rows, rough.top, cell),
        _edge(columns, rough.left, cell),
        height - _edge(rows[::-1], height - rough.bottom, cell),
        width - _edge(columns[::-1], width - rough.right, cell),
    )


def _densities(mask: Mask, area: Area) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Share of foreground of each row (within the area's columns) and of each column (within its rows), sampled."""
    across, down = max(1, area.width // _SAMPLES), max(1, area.height // _SAMPLES)
    rows = mask[:, area.left : area.right : across].mean(axis=1, dtype=np.float32)
    columns = mask[area.top : area.bottom : down].mean(axis=0, dtype=np.float32)
    return rows, columns


def _edge(density: NDArray[np.float32], rough: int, cell: int) -> int:
    start, stop = max(0, rough - 2 * cell), rough + 2 * cell
    level = np.median(density[rough + cell // 2 : stop + cell])
    # Two lines in a row, so that a thin rule beside the image does not count.
    dense = density[start : stop + 1] >= level / 2
    lasting = np.nonzero(dense[:-1] & dense[1:])[0]
    return start + int(lasting[0]) if len(lasting) else rough


def _is_layout(mask: Mask, area: Area, height: int, width: int) -> bool:
    """Whether what lies around the area is a screen's background, and not just tissue that is black."""
    if area == Area(0, 0, height, width):
        return False
    cut_off = height * width - area.size
    clutter = np.count_nonzero(mask) - np.count_nonzero(mask[area.top : area.bottom, area.left : area.right])
    if clutter > _CLUTTER * cut_off:
        return False
    rows, columns = _densities(mask, area)
    steps = (
        _step(rows, area.top),
        _step(rows[::-1], height - area.bottom),
        _step(columns, area.left),
        _step(columns[::-1], width - area.right),
    )
    return max(steps) >= _STEP


def _step(density: NDArray[np.float32], edge: int) -> float:
    """Rise of density across an edge, from the lines just outside to those just inside; 0 at the border itself."""
    if edge < 3:
        return 0.0
    return float(density[edge + 1 : edge + 4].mean() - density[edge - 3 : edge - 1].mean())
