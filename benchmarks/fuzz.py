"""Fuzz every decoder and every table: at least 100,000 damaged or hostile files, each read or refused by a typed error.

    nice -n 10 python benchmarks/fuzz.py                    # goes on where it stopped; 100,000 cases
    python benchmarks/fuzz.py --cases 2000 --target dicom   # a part of it
    python benchmarks/fuzz.py --show dicom 1234 > case.dcm  # the bytes of one case

Each case runs in a process that may use 5 s of processor time and 1 GB of memory, and may write only into its own
folder. It passes if the file is read, or refused by a `MyosonoError`. Anything else is a failure: another exception, a
crash of the process, too much time or memory, a file written elsewhere. Counts go to ``benchmarks/results/fuzz.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from fuzzing.campaign import Tally, run_target
from fuzzing.targets import BY_NAME, TARGETS, case

RESULTS = Path(__file__).parent / "results" / "fuzz.json"
_LIBRARIES = (
    "pillow",
    "pydicom",
    "pyjpegls",
    "python-gdcm",
    "opencv-python-headless",
    "onnxruntime",
    "pandas",
    "numpy",
)


def main() -> int:
    options = _options()
    if options.show:
        name, number = options.show
        sys.stdout.buffer.write(case(BY_NAME[name], options.seed, int(number)))
        return 0
    found = json.loads(options.out.read_text()) if options.out.is_file() else {}
    if found and found["seed"] != options.seed:
        print(f"{options.out} holds another seed; give another --out")
        return 2
    tallies = {name: Tally(**values) for name, values in found.get("targets", {}).items()}
    deadline = time.monotonic() + options.budget_minutes * 60

    def keep() -> None:
        _write(options.out, options.seed, tallies)

    for target in TARGETS:
        if options.target and target.name not in options.target:
            continue
        tally = tallies.setdefault(target.name, Tally())
        until = options.cases if options.target else round(options.cases * target.share)
        started, before = time.monotonic(), tally.cases
        run_target(target.name, options.seed, tally, until, keep=keep, stop=lambda: time.monotonic() > deadline)
        spent = max(time.monotonic() - started, 1e-9)
        print(
            f"{target.name:12} {tally.cases:7} cases, {tally.valid} read, {sum(tally.refused.values())} refused, "
            f"{sum(tally.failed.values())} failed {tally.failed or ''} ({(tally.cases - before) / spent:.0f} a second)",
            flush=True,
        )
    return 1 if any(tally.failed for tally in tallies.values()) else 0


def _write(out: Path, seed: int, tallies: dict[str, Tally]) -> None:
    total = {
        "cases": sum(tally.cases for tally in tallies.values()),
        "read": sum(tally.valid for tally in tallies.values()),
        "refused": sum(sum(tally.refused.values()) for tally in tallies.values()),
        "failed": sum(sum(tally.failed.values()) for tally in tallies.values()),
    }
    whole = {
        "command": "python benchmarks/fuzz.py",
        "seed": seed,
        "limits": {"processor_seconds": 5, "memory_megabytes": 1024},
        "libraries": {name: version(name) for name in _LIBRARIES},
        "total": total,
        "targets": {name: asdict(tally) for name, tally in tallies.items()},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(whole, indent=1, sort_keys=False) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000, help="in all, or of each --target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=[target.name for target in TARGETS])
    parser.add_argument("--budget-minutes", type=float, default=1e6)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", nargs=2, metavar=("TARGET", "CASE"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
