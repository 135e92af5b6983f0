"""A few thousand cases of `benchmarks/fuzz.py`: each is read, or refused by a typed error, within its limits."""

from __future__ import annotations

import random
import sys
import zlib

import pytest

pytest.importorskip("pandas", reason="the extra 'train' is not installed")
pytest.importorskip("cv2", reason="the extra 'cine' is not installed")
pytest.importorskip("sqlalchemy", reason="the extra 'clinic' is not installed")

from fuzzing import mutations, seeds
from fuzzing.campaign import Tally, run_target
from fuzzing.probes import PROBES
from fuzzing.targets import BY_NAME, TARGETS, case

SEED = 20_261_123
CASES = 3000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and peaks are read from /proc")


@pytest.mark.slow
@pytest.mark.parametrize("name", [target.name for target in TARGETS])
def test_every_case_is_read_or_refused(name: str) -> None:
    tally = Tally()
    until = max(6, round(CASES * BY_NAME[name].share))
    run_target(name, SEED, tally, until, keep=lambda: None, stop=lambda: False)
    assert tally.failures == []
    assert tally.cases == until


def test_a_case_can_be_made_again() -> None:
    for target in TARGETS:
        if target.name != "bombs":
            assert case(target, SEED, 7) == case(target, SEED, 7)
    assert len({case(BY_NAME["jpeg"], SEED, number) for number in range(20)}) > 15


def test_damaged_pngs_have_checksums_that_agree() -> None:
    rng = random.Random(1)
    data = mutations.with_png_checksums(mutations.png_pixels(rng, seeds.stills("PNG")[0], ()))
    kind, body = next(part for part in mutations._png_chunks(data) if part[0] == b"IDAT")
    assert data[data.index(kind) + 4 + len(body) :][:4] == zlib.crc32(kind + body).to_bytes(4, "big")


@pytest.mark.slow
@pytest.mark.parametrize("probe", list(PROBES))
def test_the_harness_catches_what_it_must(probe: str) -> None:
    tally = Tally()
    run_target(f"probe: {probe}", SEED, tally, 2, keep=lambda: None, stop=lambda: False)
    assert tally.cases == 2
    assert tally.failed == ({} if probe == "valid" else {probe.split()[0]: 2})
