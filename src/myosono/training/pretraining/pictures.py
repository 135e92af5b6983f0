"""What the pretraining looks at: real muscle under free licences, simulated muscle, and pictures drawn by rule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from myosono.cohort.drawn import draw_leaves, draw_outliers
from myosono.errors import UsageError
from myosono.imaging import list_sources, read_frames
from myosono.progress import track
from myosono.training.pretraining.recipe import PretrainingRecipe
from myosono.training.segmentation import simulate_samples

Grey = NDArray[np.uint8]

SHARES = {"muscle": 0.25, "simulated": 0.15, "drawn": 0.35, "leaves": 0.25}
"""Share of the views that each source gives."""

_MIXED, _PASTED = 0.2, 0.15


class Pictures:
    """The pictures, by source.

    Parameters
    ----------
    muscle
        Folders of real muscle images.
    recipe
        How many of the others are drawn.
    quiet
        Without progress bars.

    Raises
    ------
    ImageError
        If an image cannot be read.
    UsageError
        If there is no muscle image.
    """

    def __init__(self, muscle: Sequence[str | Path], recipe: PretrainingRecipe, *, quiet: bool = False) -> None:
        seed, self.seed, self.size = recipe.seed, recipe.seed, recipe.size
        sources = [source for folder in muscle for source in list_sources(folder)]
        real = [frame.b_mode for one in track(sources, "reading muscle", disable=quiet) for frame in read_frames(one)]
        if not real:
            raise UsageError("pretraining needs at least one real muscle image")
        outliers = draw_outliers(recipe.drawn_per_kind, seed=seed + 1)
        drawn = track(outliers, "drawing other organs", total=5 * recipe.drawn_per_kind, disable=quiet)
        leaves = track(draw_leaves(recipe.leaves, seed=seed), "drawing leaves", total=recipe.leaves, disable=quiet)
        self.sources: dict[str, list[Grey]] = {
            "muscle": real,
            "simulated": [sample.image for sample in simulate_samples(recipe.simulated, seed=seed, quiet=quiet)],
            "drawn": [image for _, image in drawn],
            "leaves": list(leaves),
        }

    def view(self, number: int) -> Grey:
        """View ``number``, uint8 ``(size, size)``: a crop, or two of them mixed; the same number is the same pixels."""
        rng = np.random.default_rng([self.seed, number])
        view = self._crop(rng)
        fate = rng.random()
        if fate < _MIXED:
            share = rng.uniform(0.5, 0.9)
            return np.rint(share * view + (1 - share) * self._crop(rng)).astype(np.uint8)
        if fate < _MIXED + _PASTED:
            top, left = rng.integers(0, self.size // 2, 2)
            height, width = rng.integers(self.size // 4, self.size // 2, 2)
            view = view.copy()
            view[top : top + height, left : left + width] = self._crop(rng)[:height, :width]
        return view

    def _crop(self, rng: np.random.Generator) -> Grey:
        """A rectangle of a random picture, resized as a network's input is, mirrored, of another gain and contrast."""
        source = self.sources[str(rng.choice(list(SHARES), p=list(SHARES.values())))]
        picture = source[int(rng.integers(len(source)))]
        height, width = picture.shape
        area, aspect = rng.uniform(0.08, 1.0), np.exp(rng.uniform(-0.4, 0.4))
        tall = min(height, max(32.0, height * np.sqrt(area * aspect)))
        wide = min(width, max(32.0, width * np.sqrt(area / aspect)))
        top, left = rng.uniform(0, height - tall + 1e-6), rng.uniform(0, width - wide + 1e-6)
        box = (left, top, min(width, left + wide), min(height, top + tall))
        resized = Image.fromarray(picture).resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        view = np.asarray(resized, dtype=np.float32)
        if rng.random() < 0.5:
            view = view[:, ::-1]
        gain, contrast, gamma = rng.normal(0, 15), np.exp(rng.normal(0, 0.2)), np.exp(rng.normal(0, 0.2))
        bright = 255 * (np.clip(view * contrast, 0, 255) / 255) ** gamma + gain * (view > 8)
        return np.clip(np.rint(bright), 0, 255).astype(np.uint8)
