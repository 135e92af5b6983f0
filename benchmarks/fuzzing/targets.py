"""What is fuzzed: for each target how a case is made, and what is done with it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from fuzzing import clinic, seeds
from fuzzing.archives import make_archive
from fuzzing.bombs import make_bomb
from fuzzing.dicom import dicom_header
from fuzzing.mutations import GENERAL, TEXT, Mutation, bmp_header, make_png, several
from fuzzing.probes import PROBES, no_bytes
from myosono.imaging import read_frames

FRAMES = 6
"""Most frames decoded of one file: a hostile file may announce thousands, which a worker reads one by one."""


@dataclass(frozen=True)
class Target:
    """One way into myosono.

    Attributes
    ----------
    share
        Of all cases.
    make
        Bytes of a case.
    run
        Reads them, with a folder that may be written; whatever it raises other than `MyosonoError` is a failure.
    """

    name: str
    share: float
    make: Callable[[random.Random], bytes]
    run: Callable[[bytes, Path], None]


def _mutated(files: Callable[[], Sequence[bytes]], mutations: Sequence[Mutation]) -> Callable[[random.Random], bytes]:
    def make(rng: random.Random) -> bytes:
        intact = files()
        return several(rng, rng.choice(intact), intact, mutations)

    return make


def _read_image(suffix: str) -> Callable[[bytes, Path], None]:
    def run(data: bytes, folder: Path) -> None:
        path = folder / f"case{suffix}"
        path.write_bytes(data)
        for frame in islice(read_frames(path), FRAMES):
            if frame.pixels.dtype != np.uint8 or frame.pixels.ndim != 2 or not frame.b_mode.size:
                raise AssertionError(f"a frame of {frame.pixels.dtype} {frame.pixels.shape}, area {frame.area}")

    return run


def _still(kind: str, share: float, *headers: Mutation) -> Target:
    mutations = (*GENERAL, *headers, *headers)
    return Target(kind.lower(), share, _mutated(lambda: seeds.stills(kind), mutations), _read_image(f".{kind.lower()}"))


def _open_model(data: bytes, folder: Path) -> None:
    from myosono.reading.artefact import Artefact

    path = folder / "model.onnx"
    path.write_bytes(data)
    Artefact(path, threads=1).run(seeds.speckle())


def _make_sealed(rng: random.Random) -> bytes:
    return several(rng, seeds.model_file(), (seeds.model_file(),), GENERAL)


def _read_predictions(data: bytes, folder: Path) -> None:
    from myosono.evaluation.table import read_predictions

    path = folder / "predictions.csv"
    path.write_bytes(data)
    read_predictions(path)


@cache
def _predictions() -> tuple[bytes, ...]:
    import io

    import pandas as pd

    buffer = io.BytesIO()
    pd.read_csv(io.BytesIO(seeds.PREDICTIONS)).to_parquet(buffer)
    return (seeds.PREDICTIONS, seeds.PREDICTIONS.replace(b",", b";"), buffer.getvalue())


def _import_manifest(data: bytes, folder: Path) -> None:
    from myosono.cohort.importing import import_cohort
    from myosono.cohort.readers.base import ReadOptions

    source = folder / "source"
    (source / "images").mkdir(parents=True)
    for number in range(3):
        (source / f"images/{number}.png").write_bytes(seeds.stills("PNG")[number])
    (source / "manifest.csv").write_bytes(data)
    import_cohort(source, folder / "cohort", options=ReadOptions(), quiet=True)


def _open_reference(data: bytes, folder: Path) -> None:
    from myosono.quantification import Reference

    path = folder / "reference.json"
    path.write_bytes(data)
    reference = Reference.open(path)
    reference.z_score(70.0, muscle="D", side="L", age=50.0, sex="F", device="GE")


def _load_settings(data: bytes, folder: Path) -> None:
    from myosono.clinic.settings import load_settings

    (folder / "clinic.toml").write_bytes(data)
    load_settings(folder)


TARGETS: tuple[Target, ...] = (
    Target("png", 0.16, lambda rng: make_png(rng, seeds.stills("PNG")), _read_image(".png")),
    _still("JPEG", 0.08),
    _still("TIFF", 0.12),
    _still("BMP", 0.08, bmp_header),
    _still("GIF", 0.08),
    Target("dicom", 0.12, _mutated(seeds.dicom_files, (*GENERAL, *[dicom_header] * 4)), _read_image(".dcm")),
    Target("bombs", 0.0005, make_bomb, _read_image(".bin")),
    Target("cine", 0.04, _mutated(seeds.cines, GENERAL), _read_image(".avi")),
    Target("model", 0.02, _make_sealed, _open_model),
    Target("predictions", 0.05, _mutated(_predictions, (*TEXT, *GENERAL)), _read_predictions),
    Target("manifest", 0.01, _mutated(lambda: (seeds.MANIFEST,), TEXT), _import_manifest),
    Target("reference", 0.08, _mutated(lambda: (seeds.reference_file(),), TEXT), _open_reference),
    Target("upload", 0.02, make_archive, clinic.receive_upload),
    Target("receive", 0.03, _mutated(seeds.dicom_files, (*GENERAL, *[dicom_header] * 4)), clinic.receive_dicom),
    Target("maps", 0.04, _mutated(clinic.packed_maps, GENERAL), clinic.unpack_maps),
    Target("reports", 0.01, clinic.make_view, clinic.write_reports),
    Target("settings", 0.06, _mutated(lambda: (seeds.SETTINGS,), TEXT), _load_settings),
)
_PROBES = [Target(f"probe: {name}", 0.0, no_bytes, run) for name, run in PROBES.items()]
BY_NAME = {target.name: target for target in (*TARGETS, *_PROBES)}


def case(target: Target, seed: int, number: int) -> bytes:
    """The bytes of a case; the same for the same numbers on every machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return target.make(random.Random(f"{seed}/{target.name}/{number}"))
