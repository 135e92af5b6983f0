"""Fuzz by coverage: atheris keeps each input that reaches new code of ours or of pydicom and damages it further.

    nice -n 10 python benchmarks/fuzz_guided.py --minutes 3            # every target
    nice -n 10 python benchmarks/fuzz_guided.py --target dicom --minutes 20

Beside `benchmarks/fuzz.py`, whose mutations know the formats but not the code. Inputs that were found go to
``runs/fuzz/TARGET``, so that the next campaign starts there; counts go to ``benchmarks/results/fuzz_guided.json``. It
needs atheris (Apache-2.0, Google): ``pip install atheris``, which has no wheel for every system and is no dependency.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent
RESULTS = ROOT / "results" / "fuzz_guided.json"
CORPUS = ROOT.parent / "runs" / "fuzz"
# Tables and settings are parsed by pandas, pydantic and C code, where there is no coverage to follow.
TARGETS = ("dicom", "png", "tiff", "bmp", "gif", "jpeg", "receive", "reference")
INSTRUMENTED = ("myosono", "pydicom", "PIL")
LIMITS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=200000", "-print_final_stats=1")
_DONE = re.compile(r"cov: (?P<coverage>\d+) ft: (?P<features>\d+) corp: (?P<corpus>\d+)")
_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_PEAK = re.compile(r"stat::peak_rss_mb:\s*(\d+)")


def main() -> int:
    options = _options()
    if options.inside:
        return _inside(options.inside, options.rest)
    found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"targets": {}}
    for name in options.target or TARGETS:
        found["targets"][name] = _campaign(name, options.minutes)
        facts = {"command": "python benchmarks/fuzz_guided.py", "date": date.today().isoformat(), "limits": LIMITS}
        facts["libraries"] = {one: version(one) for one in ("atheris", "pydicom", "pillow", "numpy")}
        RESULTS.write_text(json.dumps(facts | {"targets": found["targets"]}, indent=1) + "\n")
        print(name, found["targets"][name], flush=True)
    return 1 if any(one["failures"] for one in found["targets"].values()) else 0


def _campaign(name: str, minutes: float) -> dict[str, object]:
    """One target for some minutes, in a process that may end by its own crash; begun again after each."""
    corpus, artefacts = CORPUS / name, CORPUS / f"{name}-failures"
    for folder in (corpus, artefacts):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--inside", name, "--", str(corpus), f"-artifact_prefix={artefacts}/", *LIMITS]
    done = subprocess.run(
        [*command, f"-max_total_time={round(60 * minutes)}"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    (CORPUS / f"{name}.log").write_text(done.stderr)
    seen = list(_DONE.finditer(done.stderr))
    last = {key: int(value) for key, value in seen[-1].groupdict().items()} if seen else {}
    runs, peak = _RUNS.search(done.stderr), _PEAK.search(done.stderr)
    return {
        "minutes": minutes,
        "runs": int(runs.group(1)) if runs else 0,
        **last,
        "peak_rss_mb": int(peak.group(1)) if peak else 0,
        "failures": sorted(path.name for path in artefacts.iterdir()),
    }


def _inside(name: str, arguments: list[str]) -> int:
    """The instrumented process: reads what libFuzzer gives it."""
    import atheris

    with tempfile.TemporaryDirectory() as scratch, atheris.instrument_imports(include=list(INSTRUMENTED)):
        from fuzzing.targets import BY_NAME, seeds

        from myosono.errors import MyosonoError

        target, corpus = BY_NAME[name], Path(arguments[0])

        def once(data: bytes) -> None:
            # A typed refusal is what a damaged file deserves; any other exception ends the process.
            with contextlib.suppress(MyosonoError):
                target.run(data, Path(scratch))

        for data in _intact(name, seeds):
            once(data)  # what a target imports when it first runs is instrumented, too
            (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
        atheris.Setup([sys.argv[0], *arguments], once)
        atheris.Fuzz()
    return 0


def _intact(name: str, seeds: object) -> tuple[bytes, ...]:
    """Files to start from."""
    if name in ("dicom", "receive"):
        return tuple(data for data in seeds.dicom_files() if len(data) < 100_000)
    if name in ("png", "tiff", "bmp", "gif", "jpeg"):
        return seeds.stills(name.upper())
    return (seeds.reference_file(),)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", action="append", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=3.0, help="of each target")
    parser.add_argument("--inside", choices=TARGETS, help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
