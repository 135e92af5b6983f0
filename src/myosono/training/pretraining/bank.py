"""The views with the teacher's answers, on disk, so that the student's epochs cost the student alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myosono.progress import track
from myosono.training.pretraining.pictures import Pictures
from myosono.training.pretraining.recipe import OF_THE_FIT, PretrainingRecipe
from myosono.training.pretraining.teacher import BATCH, Components, Teacher

_FIRST = 1600
"""Views from which the components are found."""


@dataclass(frozen=True, eq=False)
class Bank:
    """Views and answers.

    Attributes
    ----------
    views
        uint8 ``(N, size, size)``, memory-mapped.
    answers
        float16 ``(N, positions, components)``, memory-mapped; mean square 1.
    explained
        Share of the teacher's variance that the components hold.
    """

    views: NDArray[np.uint8]
    answers: NDArray[np.float16]
    explained: float


def make_bank(
    muscle: Sequence[str | Path], work: str | Path, recipe: PretrainingRecipe, *, threads: int = 1, quiet: bool = False
) -> Bank:
    """Draw the views and have them answered; a finished bank of the same pictures is used again, however it is learned.

    Parameters
    ----------
    muscle
        Folders of real muscle images.
    work
        Folder for the bank.
    recipe
        Settings.
    threads
        For the teacher.
    quiet
        Without progress bars.

    Raises
    ------
    ImageError, UsageError
        If the muscle images are missing or damaged.
    MissingExtraError
        Without the package that holds the teacher's weights.
    """
    folder = Path(work)
    folder.mkdir(parents=True, exist_ok=True)
    finished = folder / "bank.json"
    wanted = {name: value for name, value in asdict(recipe).items() if name not in OF_THE_FIT}
    kept = json.loads(finished.read_text(encoding="utf-8")) if finished.exists() else None
    if kept is None or kept["recipe"] != wanted:
        explained = _write(Pictures(muscle, recipe, quiet=quiet), folder, recipe, threads, quiet)
        kept = {"recipe": wanted, "explained": explained}
        finished.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    views, answers = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("views", "answers"))
    return Bank(views, answers, float(kept["explained"]))


def _write(pictures: Pictures, folder: Path, recipe: PretrainingRecipe, threads: int, quiet: bool) -> float:
    count, size = recipe.views, recipe.size
    views = np.lib.format.open_memmap(folder / "views.npy", mode="w+", dtype=np.uint8, shape=(count, size, size))
    for number in track(range(count), "drawing views", disable=quiet):
        views[number] = pictures.view(number)
    teacher = Teacher(size, folder, threads=threads)
    first = np.concatenate([teacher(views[at : at + BATCH]) for at in range(0, min(_FIRST, count), BATCH)])
    components = Components.fit(first.reshape(-1, first.shape[-1]), recipe.components, recipe.whitening)
    shape = (count, first.shape[1], recipe.components)
    answers = np.lib.format.open_memmap(folder / "answers.npy", mode="w+", dtype=np.float16, shape=shape)
    for at in track(range(0, count, BATCH), "teacher's answers", disable=quiet):
        answers[at : at + BATCH] = components(teacher(views[at : at + BATCH]))
    views.flush()
    answers.flush()
    return components.explained
