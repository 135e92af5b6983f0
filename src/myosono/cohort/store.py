"""A cohort on disk: one folder with ``cohort.parquet``, ``images/`` and ``cohort.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from myosono.cohort.schema import label_conflicts, ordered_classes, validate_table
from myosono.errors import DAMAGED_TABLE, DAMAGED_TEXT, CohortError
from myosono.hashing import sha256_lines
from myosono.imaging.guard import DECODER_ERRORS, whole_images_only
from myosono.provenance import now, versions

FORMAT = 1
TABLE, INFO, IMAGES, FOLDS, FAILURES = "cohort.parquet", "cohort.json", "images", "folds", "failures.csv"
PARTIAL = ".partial"
"""Beginning of the name of a folder, within a cohort's, in which a new one is written."""
LOCK = ".lock"

_OURS = frozenset({TABLE, INFO, IMAGES, FOLDS, FAILURES, LOCK})
_UNFINISHED = re.compile(re.escape(PARTIAL) + r"(-\d+-[0-9a-f]{8})?")  # without a number: of earlier versions


@dataclass(frozen=True)
class CohortInfo:
    """What ``cohort.json`` says about a cohort.

    A maker of cohorts fills ``name``, ``source``, ``licence``, ``simulated``, ``notes`` and ``patients_from``;
    :func:`write_cohort` computes the rest from the table.
    """

    name: str
    source: str = ""
    licence: str = "not stated"
    simulated: bool = False
    notes: tuple[str, ...] = ()
    patients_from: str = ""
    """Whence the import had the patients: ``source``, ``near-duplicate`` or ``image``; ``""`` in older cohorts."""
    format: int = FORMAT
    content_hash: str = ""
    classes: tuple[str, ...] = ()
    images: int = 0
    patients: int = 0
    label_conflicts: tuple[str, ...] = ()
    """Patients that truly occur in two classes; splits still group by patient."""
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The content of ``cohort.json``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, path: str | Path | None = None) -> CohortInfo:
        """Read the content of ``cohort.json``.

        Raises
        ------
        CohortError
            Another format version, or a missing name.
        """
        if data.get("format") != FORMAT:
            raise CohortError(
                f"cohort format {data.get('format')!r} is not the format {FORMAT} that this version reads",
                path=path,
                remedy="Import the source again with this version of myosono",
            )
        known = {item.name for item in fields(cls)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items() if key in known
        }
        if "name" not in values:
            raise CohortError("the key 'name' is missing", path=path)
        return cls(**values)


class Cohort:
    """A cohort folder, opened for reading; made by :meth:`open` or :func:`write_cohort`.

    Examples
    --------
    ``cohort = Cohort.open("cohorts/myositis"); cohort.table.label.value_counts(); cohort.image("20150922134027")``
    """

    def __init__(self, folder: Path, table: pd.DataFrame, info: CohortInfo) -> None:
        """Wrap a table that has been checked already."""
        self.folder = folder
        self.table = table
        self.info = info
        self._files: dict[str, str] = dict(zip(table["image_id"], table["file"], strict=True))

    @classmethod
    def open(cls, path: str | Path) -> Cohort:
        """Open a cohort folder and check its table.

        Raises
        ------
        CohortError
            No cohort there, another format version, a damaged table, or one that breaks the schema.
        """
        folder = Path(path)
        info = _read_info(folder)
        source = folder / TABLE
        try:
            table = pd.read_parquet(source)
        except DAMAGED_TABLE as error:
            raise CohortError(f"the cohort table cannot be read: {error}", path=source) from error
        table = validate_table(table, allow_label_conflicts=info.label_conflicts, path=source)
        if content_hash(table) != info.content_hash:
            raise CohortError(
                "the table does not match the content hash in cohort.json",
                path=source,
                remedy="It was changed after it was written: import the source again",
            )
        return cls(folder, table, info)

    def path_of(self, image_id: str) -> Path:
        """Path of an image's file.

        Raises
        ------
        CohortError
            Unknown ``image_id``, or a cohort without images.
        """
        if image_id not in self._files:
            raise CohortError(f"no image {image_id!r} in this cohort", path=self.folder)
        if not self._files[image_id]:
            raise CohortError(f"image {image_id!r} has no file: this row is metadata only", path=self.folder)
        return self.folder / self._files[image_id]

    def image(self, image_id: str) -> NDArray[np.uint8]:
        """Grey levels of an image, uint8 of shape ``(height, width)``, cropped to the B-mode area.

        Raises
        ------
        CohortError
            The file is missing or damaged.
        """
        path = self.path_of(image_id)
        try:
            with whole_images_only(), Image.open(path) as stored:
                return np.asarray(stored.convert("L"), dtype=np.uint8)
        except FileNotFoundError as error:
            raise CohortError("the image file is missing", path=path) from error
        except DECODER_ERRORS as error:
            raise CohortError(
                f"the image cannot be decoded: {str(error) or type(error).__name__}", path=path
            ) from error

    @property
    def folds_folder(self) -> Path | None:
        """Folder of published fold files that came with the source, if any."""
        folder = self.folder / FOLDS
        return folder if folder.is_dir() else None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.table)


def content_hash(table: pd.DataFrame) -> str:
    """Hash of what a cohort is made of: its images, labels and patients, whatever the order of rows."""
    rows = zip(table["sha256"], table["image_id"], table["patient_id"], table["label"], strict=True)
    return sha256_lines(sorted("\t".join(row) for row in rows))


def write_cohort(
    out: str | Path, table: pd.DataFrame, info: CohortInfo, *, allow_label_conflicts: bool = False
) -> Cohort:
    """Check a table whose images already lie under ``out``, and write the cohort around them.

    Parameters
    ----------
    out
        The cohort folder; see :func:`myosono.cohort.folder.new_cohort_folder` for one that images are written into.
    table
        One row per image; ``file`` is relative to ``out``, or ``""`` in a metadata-only cohort.
    info
        Name, source, licence, notes; counts, classes, hash, time and versions are filled in here.
    allow_label_conflicts
        Accept patients with two labels, and record which they are.

    Raises
    ------
    CohortError
        The table breaks the schema, an image file is missing, or ``out`` holds something that is not a cohort.
    """
    folder = Path(out)
    refuse_foreign(folder)
    checked = validate_table(table, allow_label_conflicts=allow_label_conflicts, path=folder)
    for file in checked["file"]:
        if file and not (folder / file).is_file():
            raise CohortError("the image file is missing", path=folder / file)
    full = replace(
        info,
        format=FORMAT,
        content_hash=content_hash(checked),
        classes=ordered_classes(checked["label"]),
        images=len(checked),
        patients=int(checked["patient_id"].nunique()),
        label_conflicts=tuple(label_conflicts(checked)),
        created=now(),
        versions=versions(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    checked.to_parquet(folder / TABLE, index=False)
    (folder / INFO).write_text(json.dumps(full.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return Cohort(folder, checked, full)


def is_cohort(path: str | Path) -> bool:
    """Whether a folder holds a cohort (by its ``cohort.json``)."""
    return (Path(path) / INFO).is_file()


def is_partial(name: str) -> bool:
    """Whether an entry of a cohort folder is, by its name, a new cohort that is not finished, or never was."""
    return _UNFINISHED.fullmatch(name) is not None


def _read_info(folder: Path) -> CohortInfo:
    source = folder / INFO
    if not source.is_file():
        raise CohortError(
            "not a cohort folder: cohort.json is missing",
            path=folder,
            remedy="Make one with: myosono import SOURCE --out DIR",
        )
    try:
        data = json.loads(source.read_text(encoding="utf-8"))
    except DAMAGED_TEXT as error:
        raise CohortError(f"cohort.json cannot be read: {error}", path=source) from error
    if not isinstance(data, dict):
        raise CohortError("cohort.json does not hold an object", path=source)
    return CohortInfo.from_dict(data, path=source)


def refuse_foreign(folder: Path) -> None:
    """Raise a `CohortError` if a folder is a file, or holds what is no part of a cohort."""
    if folder.exists() and not folder.is_dir():
        raise CohortError("a file is in the way of the cohort folder", path=folder)
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    foreign = [name for name in names if name not in _OURS and not is_partial(name)]
    if foreign:
        raise CohortError(
            f"the folder holds {foreign[0]!r}, which is not part of a cohort: refusing to write here",
            path=folder,
            remedy="Choose an empty folder",
        )
