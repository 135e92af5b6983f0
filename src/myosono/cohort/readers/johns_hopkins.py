"""``PatientData.mat``, the public release of Burlina et al. 2017 (PLoS ONE 12:e0184059), MATLAB v7.3.

``im`` is a cell array of references to 2-D uint8 arrays. MATLAB stores columns first, so h5py shows each image with its
axes swapped: rotated and mirrored to the eye, and upright after one transposition. Upright, the B-mode area is rows 61
to 559; on the left and right it ends where the image turns black.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myosono.cohort.published import find_fold_files
from myosono.cohort.readers.base import Failure, GreyImage, ReadOptions, Shot, Source, shot_of
from myosono.cohort.readers.charts import IMAGE_CHART, read_image_chart
from myosono.errors import CohortError

FILE = "PatientData.mat"
DEVICE = "GE Logiq E"
ROWS = slice(61, 559)

_BLACK = 4
"""Grey level up to which a column's brightest-but-few pixels still count as black."""
_MAX_GAP = 4
_MIN_WIDTH = 32


class JohnsHopkins:
    """Reader of ``PatientData.mat`` with its images, or of ``im_muscle_chart.mat`` alone."""

    name = "johns-hopkins"
    summary = "PatientData.mat of the Johns Hopkins myositis set (MATLAB v7.3)"

    def detect(self, path: Path) -> str | None:
        """A ``.mat`` file, or a folder that holds ``PatientData.mat``."""
        if path.is_file() and path.suffix.lower() == ".mat":
            return "it is a MATLAB file"
        return f"it holds {FILE}" if (path / FILE).is_file() else None

    def read(self, path: Path, options: ReadOptions) -> Source:
        """Open the file; images are decoded one by one as the stream is read.

        Raises
        ------
        CohortError
            The file is truncated, lacks the images or the chart, or both differ in length.
        """
        file = path / FILE if path.is_dir() else path
        if options.metadata_only:
            chart = read_image_chart(file)
            rows = iter([_shot(row, None) for row in chart.to_dict("records")])
            return Source("myositis", len(chart), rows, notes=_notes(chart), fold_files=_folds(file))
        store = _open(file)
        try:
            chart = read_image_chart(file)
            references = _references(store, file)
            if len(references) != len(chart):
                raise CohortError(f"{len(references)} images but {len(chart)} rows in {IMAGE_CHART!r}", path=file)
        except CohortError:
            store.close()
            raise
        return Source(
            "myositis",
            len(chart),
            _stream(store, references, chart),
            notes=_notes(chart),
            fold_files=_folds(file),
            close=store.close,
        )


def upright(stored: GreyImage) -> GreyImage:
    """The image as the sonographer saw it, from the array as h5py shows it."""
    return np.ascontiguousarray(stored.T)


def crop_b_mode(screen: GreyImage) -> GreyImage:
    """Cut the B-mode area out of an upright screen of this release.

    Raises
    ------
    ValueError
        The screen is too small, or black in the rows where the B-mode area should be.
    """
    if screen.shape[0] < ROWS.stop:
        raise ValueError(f"{screen.shape[0]} rows, where the B-mode area reaches row {ROWS.stop}")
    band = screen[ROWS]
    # The 90th percentile of a column ignores the specks of text and cursor in an otherwise black margin.
    lit = np.percentile(band, 90, axis=0) > _BLACK
    left, right = _longest_run(lit)
    if right - left < _MIN_WIDTH:
        raise ValueError("black where the B-mode area should be")
    return np.ascontiguousarray(band[:, left:right])


def _longest_run(lit: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[int, int]:
    """Half-open bounds of the longest run of lit columns; gaps of up to 4 dark columns are bridged."""
    columns = np.flatnonzero(lit)
    if columns.size == 0:
        return 0, 0
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > _MAX_GAP + 1) + 1)
    longest = max(runs, key=lambda run: int(run[-1] - run[0]))
    return int(longest[0]), int(longest[-1]) + 1


def _open(file: Path) -> Any:
    import h5py

    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise CohortError(
            f"the file is truncated or not MATLAB v7.3: {error}", path=file, remedy="Download it again"
        ) from error


def _references(store: Any, file: Path) -> list[Any]:
    import h5py

    if "im" not in store:
        raise CohortError(
            "the file holds no images ('im')", path=file, remedy="Images are in PatientData.mat of release v1.1"
        )
    cells = store["im"]
    if not isinstance(cells, h5py.Dataset) or h5py.check_ref_dtype(cells.dtype) is None:
        raise CohortError("'im' is not a cell array", path=file)
    return list(np.ravel(cells[()]))


def _stream(store: Any, references: list[Any], chart: pd.DataFrame) -> Iterator[Shot | Failure]:
    for reference, row in zip(references, chart.to_dict("records"), strict=True):
        try:
            stored = np.asarray(store[reference][()])
            if stored.ndim != 2 or stored.dtype != np.uint8:
                raise ValueError(f"{stored.ndim}-D {stored.dtype} where 2-D uint8 is expected")
            yield _shot(row, crop_b_mode(upright(stored)))
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            yield Failure(f"im: {row['image_id']}", " ".join(str(error).split()))


def _shot(row: Any, pixels: GreyImage | None) -> Shot:
    return shot_of(row, DEVICE, pixels, {})


def _folds(file: Path) -> list[Path]:
    return [item.path for item in find_fold_files(file.parent / "FileList")]


def _notes(chart: pd.DataFrame) -> list[str]:
    notes = []
    longitudinal = int((chart["view"] == "longitudinal").sum())
    visits = chart.loc[~chart["exam_id"].str.startswith(tuple(chart["patient_id"].unique() + "-")), "exam_id"]
    if longitudinal:
        notes.append(f"{longitudinal} images are longitudinal views (muscle codes that end in _L)")
    if len(visits):
        names = sorted(set(visits.str.split("-").str[0]))
        notes.append(f"second visits are grouped with the first: {', '.join(names)}")
    if len(chart) != 3214:
        notes.append(f"the chart lists {len(chart):,} images, where the published release has 3,214")
    return notes
