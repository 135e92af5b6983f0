"""kill -9 at any moment: every acknowledged image is read exactly once, and what was promised is sent."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import func, select

from myosono.clinic.audit import check_chain
from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import FrameReading, OutboxItem, StoredImage, Study
from myosono.clinic.files.store import FileStore
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer, SendRule
from myosono.errors import PeerError
from myosono.hashing import sha256_file

from .conftest import make_settings, muscle_dicom, wait_until
from .peers import free_port, wait_for_port

IMAGES = 24
KILLS = 5


class Killable:
    """`myosono pacs listen` in a process group of its own, so that its reading process dies with it."""

    def __init__(self, settings: ClinicSettings) -> None:
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "myosono.cli", "pacs", "listen", "--data", str(self.settings.data)]
        with (self.settings.data.parent / "node.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        wait_for_port(self.settings.pacs.port, self.process, 60)

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def write_settings(settings: ClinicSettings) -> None:
    pacs = settings.pacs
    settings.data.mkdir(parents=True)
    lines = [
        "lease_seconds = 2.0",
        "[uploads]",
        "free_bytes = 0",
        "[pacs]",
        f"port = {pacs.port}",
        f"timeout_seconds = {pacs.timeout_seconds}",
        "quiet_seconds = 0.5",
        "[[pacs.peers]]",
        'name = "archive"',
        f"port = {free_port()}",
        "[[pacs.rules]]",
        'to = "archive"',
        'objects = ["sr"]',
    ]
    (settings.data / "clinic.toml").write_text("\n".join(lines))


@pytest.mark.end_to_end
@pytest.mark.slow
def test_every_acknowledged_image_is_read_exactly_once(tmp_path: Path) -> None:
    rng = random.Random(20261123)
    settings = make_settings(tmp_path / "clinic", port=free_port(), rules=(SendRule(to="archive"),))
    write_settings(settings)
    study = generate_uid()
    files = [muscle_dicom(tmp_path / f"{number}.dcm", study, number) for number in range(IMAGES)]
    peer = Peer(name="node", port=settings.pacs.port, ae_title="MYOSONO")
    acknowledged: set[Path] = set()
    node = Killable(settings)
    try:
        for _ in range(KILLS):
            node.start()
            victim = node.process
            assert victim is not None
            killer = subprocess.Popen(["sh", "-c", f"sleep {rng.uniform(0.05, 1.5)}; kill -9 -{victim.pid}"])
            left = [file for file in files if file not in acknowledged]
            try:
                # One at a time and with pauses, so that the kill falls between, in and after transfers.
                for file in left:
                    acknowledged |= {one.file for one in store(settings, peer, [file]) if one.error is None}
                    time.sleep(rng.uniform(0, 0.1))
            except PeerError:
                pass  # what was not acknowledged is sent again in the next round
            killer.wait()
            victim.wait()
        node.start()
        left = [file for file in files if file not in acknowledged]
        acknowledged |= {one.file for one in store(settings, peer, left) if one.error is None}
        assert acknowledged == set(files)
        database = Database(settings)
        assert wait_until(lambda: all_read(database), 120), (tmp_path / "node.log").read_text()[-3000:]
        assert wait_until(lambda: len(outbox_items(database)) >= 1, 20)
    finally:
        node.kill()
    check_everything(settings, database, study)
    database.close()


def all_read(database: Database) -> bool:
    with database.session(writes=False) as session:
        read = session.scalar(select(func.count()).select_from(StoredImage).where(StoredImage.status == "read"))
    return read == IMAGES


def outbox_items(database: Database) -> list[OutboxItem]:
    with database.session(writes=False) as session:
        return list(session.scalars(select(OutboxItem)))


def check_everything(settings: ClinicSettings, database: Database, study_uid: str) -> None:
    store_ = FileStore(settings)
    with database.session(writes=False) as session:
        images = session.scalars(select(StoredImage)).all()
        assert len(images) == IMAGES
        assert len({image.sop_instance_uid for image in images}) == IMAGES
        for image in images:
            assert sha256_file(store_.path(image.file)) == image.sha256
        frames = session.execute(select(FrameReading.image_id, func.count()).group_by(FrameReading.image_id)).all()
        assert [count for _, count in frames] == [1] * IMAGES
        study = session.scalars(select(Study)).one()
        assert (study.study_uid, study.status) == (study_uid, "read")
        versions = [(item.study_id, item.kind, item.reason) for item in session.scalars(select(OutboxItem))]
        assert len(versions) == len(set(versions))
        assert check_chain(session) > IMAGES
    leftovers = [path for path in settings.files.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert len(leftovers) == IMAGES
