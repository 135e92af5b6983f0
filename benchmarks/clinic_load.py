"""Fifty people read for five minutes while two thousand images arrive over DICOM: how long do pages take, is one lost?

``myosono serve --pacs`` runs in a process of its own with its reading process, as in a clinic. Each reader keeps a live
connection open and goes from the worklist to a study, its thumbnails and a frame, with a second to look at each page.
The images are stored by several senders, spread over the same time; then the queue is watched until everything is read.

    python benchmarks/clinic_load.py --readers 50 --minutes 5 --images 2000
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import httpx
from dicom_throughput import count_lost, make_images, unread, wait_for_port

from myosono.clinic.database.engine import Database
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, PacsSettings, Peer, load_settings
from myosono.errors import PeerError
from myosono.provenance import machine, now, versions

RESULT = Path(__file__).parent / "results" / "clinic_load.json"
THINK_SECONDS = 1.0
BATCH = 10
READ_WITHIN_SECONDS = 1800.0
_STUDY = re.compile(r'href="/studies/(\d+)"')
_THUMBNAIL = re.compile(r'src="(/[^"]*thumbnail\.webp[^"]*)"')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = make_images(folder / "sent", options.images)
        result = measure(folder / "clinic", files, options)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    result = {
        "command": shlex.join(["python", "benchmarks/clinic_load.py", *sys.argv[1:]]),
        "commit": commit,
        "written": now(),
        "machine": {**machine(), "cores": len(os.sched_getaffinity(0))},
        "versions": versions(),
        **result,
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def measure(data: Path, files: list[Path], options: argparse.Namespace) -> dict[str, object]:
    data.mkdir(parents=True)
    web, dicom = free_port(), free_port()
    (data / "clinic.toml").write_text(f"[uploads]\nfree_bytes = 0\n[pacs]\nport = {dicom}\n", encoding="utf-8")
    command = [sys.executable, "-m", "myosono.cli", "serve", "--data", str(data), "--no-accounts", "--pacs"]
    log = (data.parent / "clinic.log").open("wb")
    clinic = subprocess.Popen([*command, "--port", str(web)], stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_port(web)
        wait_for_port(dicom)
        load_before = os.getloadavg()[0]
        seconds = 60 * options.minutes
        begun = time.monotonic()
        readers = Readers(f"http://127.0.0.1:{web}", options.readers, begun + seconds)
        acknowledged, again = send_spread(dicom, files, options.senders, begun, seconds)
        arrived = time.monotonic() - begun
        readers.join()
        load_while = os.getloadavg()[0]
        database = Database(load_settings(data))
        while unread(database) and time.monotonic() - begun < READ_WITHIN_SECONDS:
            time.sleep(0.5)
        read = time.monotonic() - begun
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(clinic.pid, signal.SIGTERM)
        clinic.wait(60)
        log.close()
    if readers.faults:
        kept = options.out.with_suffix(".log")
        kept.write_bytes((data.parent / "clinic.log").read_bytes())
        print(f"faults: see {kept}", file=sys.stderr)
    lost = count_lost(database, load_settings(data), files)
    database.close()
    return {
        "readers": options.readers,
        "seconds": seconds,
        "images": len(files),
        "acknowledged": acknowledged,
        "arrived_within_seconds": round(arrived, 1),
        "sent_again": again,
        "read_within_seconds": round(read, 1),
        "read_per_second": round(len(files) / read, 2),
        **lost,
        **readers.summary(),
        "load_average_before": round(load_before, 1),
        "load_average_at_the_end": round(load_while, 1),
    }


class Readers:
    """People at the reading room, each in a thread."""

    def __init__(self, address: str, count: int, until: float) -> None:
        self._address, self._until = address, until
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self.faults: dict[str, int] = defaultdict(int)
        self._news = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(count)]
        self._threads += [threading.Thread(target=self._listen) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def summary(self) -> dict[str, object]:
        pages = {kind: self._figures(values) for kind, values in sorted(self._seconds.items())}
        every = [value for kind in ("worklist", "study") for value in self._seconds[kind]]
        return {
            "page_milliseconds": self._figures(every),
            "milliseconds_by_kind": pages,
            "faults": dict(self.faults),
            "events_received": self._news,
        }

    @staticmethod
    def _figures(values: list[float]) -> dict[str, float]:
        if not values:
            return {"count": 0}
        ordered = sorted(values)
        return {
            "count": len(ordered),
            "median": round(1000 * statistics.median(ordered), 1),
            "p95": round(1000 * ordered[int(0.95 * len(ordered))], 1),
            "most": round(1000 * ordered[-1], 1),
        }

    def _read(self, number: int) -> None:
        rng = random.Random(number)
        with httpx.Client(base_url=self._address, timeout=60) as client:
            while time.monotonic() < self._until:
                page = self._get(client, "worklist", "/")
                time.sleep(THINK_SECONDS * rng.uniform(0.5, 1.5))
                studies = _STUDY.findall(page)
                if not studies:
                    continue
                study = self._get(client, "study", f"/studies/{rng.choice(studies)}")
                thumbnails = list(dict.fromkeys(_THUMBNAIL.findall(study)))
                for address in thumbnails[:6]:
                    self._get(client, "thumbnail", address)
                if thumbnails:
                    image = rng.choice(thumbnails).split("/thumbnail")[0]
                    self._get(client, "frame", f"{image}/frames/0.png")
                time.sleep(THINK_SECONDS * rng.uniform(0.5, 1.5))

    def _get(self, client: httpx.Client, kind: str, address: str) -> str:
        begun = time.monotonic()
        try:
            answer = client.get(address)
        except httpx.HTTPError as error:
            self._fault(f"{kind}: {type(error).__name__}")
            return ""
        with self._lock:
            self._seconds[kind].append(time.monotonic() - begun)
        if answer.status_code != 200:
            self._fault(f"{kind}: {answer.status_code}")
            return ""
        return answer.text if kind in ("worklist", "study") else ""

    def _listen(self) -> None:
        """A live page: takes what comes, as a browser does, until the time is over."""
        try:
            with httpx.Client(base_url=self._address, timeout=60) as client, client.stream("GET", "/events") as stream:
                for line in stream.iter_lines():
                    if line.startswith("event:"):
                        with self._lock:
                            self._news += 1
                    if time.monotonic() > self._until:
                        return
        except httpx.HTTPError as error:
            self._fault(f"events: {type(error).__name__}")

    def _fault(self, what: str) -> None:
        with self._lock:
            self.faults[what] += 1


def send_spread(port: int, files: list[Path], senders: int, begun: float, seconds: float) -> tuple[int, int]:
    """Store the files evenly over the time; how many were acknowledged, and how many had to be sent again."""
    settings = ClinicSettings(pacs=PacsSettings(ae_title="BENCHMARK", timeout_seconds=60))
    peer = Peer(name="clinic", port=port, ae_title="MYOSONO")
    counts = {"acknowledged": 0, "again": 0}
    lock = threading.Lock()

    def send(part: list[Path]) -> None:
        batches = [part[start : start + BATCH] for start in range(0, len(part), BATCH)]
        for number, batch in enumerate(batches):
            time.sleep(max(0.0, begun + seconds * number / len(batches) - time.monotonic()))
            left = list(batch)
            while left:
                done = []
                try:
                    done = [outcome.file for outcome in store(settings, peer, list(left)) if outcome.error is None]
                except PeerError as error:
                    print(error, file=sys.stderr)
                left = [file for file in left if file not in done]
                with lock:
                    counts["acknowledged"] += len(done)
                    counts["again"] += len(left)

    threads = [threading.Thread(target=send, args=(files[start::senders],)) for start in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts["acknowledged"], counts["again"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
