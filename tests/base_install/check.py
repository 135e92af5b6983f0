"""Proof of the base install, run by its own interpreter: no torch, no pandas, the model inside, fast.

Plain Python, since pytest belongs to the development extra. Fails with a traceback that names the line.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

MYOSONO = Path(sys.executable).with_name("myosono")
SIMULATED = Path(__file__).with_name("simulated.png")
"""``images/P001_LB_1.png`` of ``myosono simulate --out sim --patients 24 --images-per-patient 4``."""
COLD_SECONDS, FURTHER_MS, IMPORT_SECONDS = 1.5, 40.0, 0.3
"""Guards, wide enough for a busy machine: opening the model for each image anew would cost far more than 40 ms."""
checks = 0


def check(holds: bool, what: str) -> None:
    global checks
    assert holds, what
    checks += 1
    sys.stdout.write(f"ok  {what}\n")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(MYOSONO), *arguments], capture_output=True, text=True, check=False)


def best_seconds(*command: str, tries: int = 5) -> float:
    times = []
    for _ in range(tries):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=False)
        times.append(time.perf_counter() - started)
    return min(times)


def picture(path: Path, seed: int) -> Path:
    """A simulated muscle (the gate refuses noise), shifted sideways so that every seed is another image."""
    with Image.open(SIMULATED) as image:
        Image.fromarray(np.roll(np.asarray(image), 3 * seed, axis=1)).save(path)
    return path


def check_installation() -> None:
    for package in ("torch", "pandas", "sklearn", "scipy"):
        check(importlib.util.find_spec(package) is None, f"{package} is not installed")
    code = "import time; t=time.perf_counter(); import myosono; print(time.perf_counter()-t)"
    seconds = min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5))
    check(seconds < IMPORT_SECONDS, f"import myosono takes {seconds:.3f} s, at most {IMPORT_SECONDS}")


def check_reading(folder: Path) -> None:
    image = picture(folder / "P001_RD_1.png", 0)
    found = run("read", str(image), "--json")
    check(found.returncode == 0, f"myosono read exits 0 {found.stderr}")
    reading = json.loads(found.stdout)
    check("simulation-trained, not for clinical use" in reading["model"]["warnings"], "the JSON says what it is")
    check(not reading["images"][0]["abstained"], "a simulated muscle passes the gate")
    check(abs(sum(reading["images"][0]["probabilities"].values()) - 1) < 1e-5, "probabilities sum to 1")
    shown = run("read", str(image), "--out", str(folder / "out"))
    check("simulation-trained, not for clinical use" in shown.stdout, "the table says what it is")
    check(len(list((folder / "out").glob("*.png"))) == 1, "an overlay is written")
    measured = json.loads(run("read", str(image), "--quantify", "--json").stdout)
    note = measured["images"][0]["quantities"]["region"]["note"]
    check("proposed" in note, "a proposed muscle region says what it is")
    seconds = best_seconds(str(MYOSONO), "read", str(image))
    check(seconds < COLD_SECONDS, f"myosono read of one PNG takes {seconds:.2f} s cold, at most {COLD_SECONDS}")
    for number in range(40):
        picture(folder / f"P001_LD_{number + 1}.png", number)
    more = best_seconds(str(MYOSONO), "read", str(folder / "P001_*.png"), "--json", tries=3)
    one = best_seconds(str(MYOSONO), "read", str(image), "--json", tries=3)
    further = (more - one) / 40 * 1e3
    check(further < FURTHER_MS, f"a further image takes {further:.1f} ms, at most {FURTHER_MS}")


def check_errors(folder: Path) -> None:
    good = picture(folder / "P002_RD_1.png", 1)
    bad = folder / "P002_RD_2.png"
    bad.write_bytes(good.read_bytes()[:1000])
    found = run("read", str(good), str(bad))
    check(found.returncode == 1, "one unreadable file of two: exit code 1")
    check("P002_RD_2.png" in found.stdout and "Traceback" not in found.stderr, "it is named, without a traceback")
    check(run("read").returncode == 2, "no path: exit code 2")
    check(run("read", "--colour", str(good)).returncode == 2, "unknown option: exit code 2")
    missing = run("read", str(folder / "absent.png"))
    check(missing.returncode == 1 and missing.stderr.count("\n") == 1, "a missing file: one line")
    for verb in (
        ["train", "c", "--out", "r"],
        ["simulate", "--out", "c"],
        ["audit", "c"],
        ["evaluate", "c.csv"],
        ["demo"],
    ):
        found = run(*verb)
        told = found.returncode == 1 and "pip install 'myosono[train]'" in found.stderr
        check(told, f"{verb[0]} says which extra it needs {found.stderr if not told else ''}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        check_installation()
        check_reading(Path(name))
        check_errors(Path(name))
    sys.stdout.write(f"{checks} passed, 0 failed\n")


if __name__ == "__main__":
    main()
