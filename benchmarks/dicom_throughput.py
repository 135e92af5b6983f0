"""How many images a second the DICOM node acknowledges and reads, and whether it loses any.

``myosono pacs listen`` runs in a process of its own, as in a clinic. Several senders store studies to it and repeat
what was not acknowledged; then the queue is watched until everything is read. The pictures are the simulated ones of
the demonstration, each with noise of its own so that no two files are alike.

    python benchmarks/dicom_throughput.py --images 2000
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid
from sqlalchemy import func, select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import FrameReading, StoredImage
from myosono.clinic.files.store import FileStore
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, PacsSettings, Peer, load_settings
from myosono.errors import PeerError
from myosono.hashing import sha256_file
from myosono.provenance import machine, now, versions
from myosono.quantification import MYOSITIS_PROTOCOL, site_name

RESULT = Path(__file__).parent / "results" / "dicom_throughput.json"
STUDY_IMAGES = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = make_images(folder / "sent", options.images)
        result = measure(folder / "clinic", files, options.senders)
    result = {
        "command": shlex.join(["python", "benchmarks/dicom_throughput.py", *sys.argv[1:]]),
        "commit": subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip(),
        "written": now(),
        "machine": {**machine(), "cores": len(os.sched_getaffinity(0))},
        "versions": versions(),
        **result,
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def make_images(folder: Path, count: int) -> list[Path]:
    """Simulated pictures as DICOM ultrasound, `STUDY_IMAGES` a study."""
    folder.mkdir(parents=True)
    pictures = [np.asarray(Image.open(path).convert("L")) for path in demo_pictures()]
    rng = np.random.default_rng(0)
    files, study = [], ""
    for number in range(count):
        if number % STUDY_IMAGES == 0:
            study = generate_uid()
        picture = pictures[number % len(pictures)]
        noisy = np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        files.append(write_image(folder / f"{number:05d}.dcm", noisy, study, number))
    return files


def demo_pictures() -> list[Path]:
    import myosono.clinic.demo

    found = sorted(Path(myosono.clinic.demo.__file__).parent.rglob("*.jpg"))
    if not found:
        raise SystemExit("the demonstration's pictures are not in the package")
    return found


def write_image(path: Path, pixels: np.ndarray, study: str, number: int) -> Path:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[study])
    dataset.PatientID = f"SIM-{number // STUDY_IMAGES:03d}"
    dataset.Modality, dataset.Manufacturer, dataset.InstanceNumber = "US", "Simulated", number
    dataset.SeriesDescription = site_name(MYOSITIS_PROTOCOL[number % len(MYOSITIS_PROTOCOL)])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    dataset.save_as(path, enforce_file_format=True)
    return path


def measure(data: Path, files: list[Path], senders: int) -> dict[str, object]:
    data.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (data / "clinic.toml").write_text(f"[uploads]\nfree_bytes = 0\n[pacs]\nport = {port}\n")
    command = [sys.executable, "-m", "myosono.cli", "pacs", "listen", "--data", str(data)]
    log = (data.parent / "node.log").open("wb")
    node = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_port(port)
        load_before = os.getloadavg()[0]
        begun = time.monotonic()
        seconds, repeats = send_all(port, files, senders)
        acknowledged = time.monotonic() - begun
        database = Database(load_settings(data))
        while unread(database):
            time.sleep(0.5)
        read = time.monotonic() - begun
    finally:
        os.killpg(node.pid, signal.SIGTERM)
        node.wait(60)
        log.close()
    lost = count_lost(database, load_settings(data), files)
    database.close()
    seconds.sort()
    return {
        "images": len(files),
        "bytes_each": int(statistics.median(path.stat().st_size for path in files)),
        "senders": senders,
        "acknowledged_seconds": round(acknowledged, 2),
        "acknowledged_per_second": round(len(files) / acknowledged, 2),
        "store_milliseconds_median": round(1000 * statistics.median(seconds), 1),
        "store_milliseconds_p95": round(1000 * seconds[int(0.95 * len(seconds))], 1),
        "read_seconds": round(read, 2),
        "read_per_second": round(len(files) / read, 2),
        "sent_again": repeats,
        **lost,
        "load_average_before": round(load_before, 1),
        "load_average_after": round(os.getloadavg()[0], 1),
    }


def send_all(port: int, files: list[Path], senders: int) -> tuple[list[float], int]:
    """Seconds for each acknowledged image, and how many had to be sent again."""
    settings = ClinicSettings(pacs=PacsSettings(ae_title="BENCHMARK", timeout_seconds=60))
    peer = Peer(name="node", port=port, ae_title="MYOSONO")
    seconds: list[float] = []
    again = [0]

    def send(part: list[Path]) -> None:
        left = list(part)
        while left:
            try:
                last = time.monotonic()
                for outcome in store(settings, peer, list(left)):
                    if outcome.error is None:
                        seconds.append(time.monotonic() - last)
                        left.remove(outcome.file)
                    last = time.monotonic()
            except PeerError as error:
                print(error, file=sys.stderr)
            again[0] += len(left)

    threads = [threading.Thread(target=send, args=(files[start::senders],)) for start in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds, again[0]


def unread(database: Database) -> int:
    with database.session(writes=False) as session:
        waiting = StoredImage.status.in_(("pending", "reading"))
        return session.scalar(select(func.count()).select_from(StoredImage).where(waiting)) or 0


def count_lost(database: Database, settings: ClinicSettings, files: list[Path]) -> dict[str, int]:
    """Images without a row, a file with their bytes, or exactly one reading."""
    files_store = FileStore(settings)
    with database.session(writes=False) as session:
        images = session.scalars(select(StoredImage)).all()
        readings = dict(
            session.execute(select(FrameReading.image_id, func.count()).group_by(FrameReading.image_id)).all()
        )
    return {
        "lost": len(files) - len({image.sop_instance_uid for image in images}),
        "damaged": sum(sha256_file(files_store.path(image.file)) != image.sha256 for image in images),
        "failed": sum(image.status == "failed" for image in images),
        "not_read_exactly_once": sum(readings.get(image.id, 0) != 1 for image in images),
    }


def wait_for_port(port: int) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the node did not start")


if __name__ == "__main__":
    main()
