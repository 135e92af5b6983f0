from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import OutboxItem, PhysicianReading, StoredImage, Study, User, utc_now
from myosono.clinic.network.peers import check_rules, find_peer
from myosono.clinic.network.rules import HORIZON, Rules
from myosono.clinic.settings import ClinicSettings, Peer, SendRule
from myosono.errors import NotFoundError

from .conftest import make_settings

RESULT = {"probabilities": {"Normal": 0.2, "IBM": 0.8}, "answer": "IBM"}


def add_study(database: Database, *, dicom: bool = True, **columns: Any) -> int:
    given: dict[str, Any] = {"source": "dicom", "sender": "CART1", "device": "GE Logiq E", "status": "read"}
    given |= {"priority": 0.8, "result": RESULT, "model": {"sha256": "m1"}, **columns}
    with database.session() as session:
        study = Study(study_uid=generate_uid(), **given)
        session.add(study)
        session.flush()
        session.add(image_of(study.id, 1, dicom=dicom))
        return study.id


def image_of(study_id: int, number: int, *, dicom: bool = True, status: str = "read", age: float = 60.0) -> StoredImage:
    return StoredImage(
        study_id=study_id, sha256=f"{number:064d}", file=f"{number}.dcm", size=1, status=status,
        sop_instance_uid=generate_uid() if dicom else None, received=utc_now() - timedelta(seconds=age),
    )  # fmt: skip


def sign(database: Database, study_id: int) -> int:
    with database.session() as session:
        user = session.scalar(select(User))
        if user is None:
            user = User(name="doctor", password_hash="-", role="reader")
            session.add(user)
            session.flush()
        reading = PhysicianReading(study_id=study_id, user_id=user.id, diagnosis="IBM", signed_at=utc_now())
        session.add(reading)
        study = session.get_one(Study, study_id)
        study.status, study.updated = "signed", utc_now()
        session.flush()
        return reading.id


def change(database: Database, study_id: int, **columns: Any) -> None:
    with database.session() as session:
        study = session.get_one(Study, study_id)
        for name, value in columns.items():
            setattr(study, name, value)
        study.updated = utc_now()


def apply(rules: Rules, database: Database) -> list[tuple[int, str, str, str]]:
    """What was entered, as (study, kind, peer, when)."""
    with database.session() as session:
        made = rules.apply(session)
        return [(item.study_id, item.kind, item.peer, item.reason.split()[0]) for item in made]


def with_rules(tmp_path: Path, *rules: SendRule, **pacs: Any) -> ClinicSettings:
    return make_settings(tmp_path / "clinic", peers=(Peer(name="pacs"), Peer(name="other")), rules=rules, **pacs)


def test_a_read_study_is_sent_once_however_often_rules_run(tmp_path: Path, database: Database) -> None:
    settings = with_rules(tmp_path, SendRule(to="pacs", objects=("sr", "pdf")))
    study = add_study(database)
    rules = Rules(settings)
    assert apply(rules, database) == [(study, "sr", "pacs", "read"), (study, "pdf", "pacs", "read")]
    assert apply(rules, database) == []
    assert apply(Rules(settings), database) == []  # another process, or this one after a restart


def test_two_processes_at_once_enter_it_once(tmp_path: Path, database: Database) -> None:
    settings = with_rules(tmp_path, SendRule(to="pacs"))
    add_study(database)
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        apply(Rules(settings), database)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session(writes=False) as session:
        assert len(session.scalars(select(OutboxItem)).all()) == 1


def test_a_late_image_or_another_model_makes_a_new_version(tmp_path: Path, database: Database) -> None:
    rules = Rules(with_rules(tmp_path, SendRule(to="pacs")))
    study = add_study(database)
    assert len(apply(rules, database)) == 1
    with database.session() as session:
        session.add(image_of(study, 2))
    change(database, study, result={**RESULT, "answer": "PM"})
    assert len(apply(rules, database)) == 1
    change(database, study, model={"sha256": "m2"})
    assert len(apply(rules, database)) == 1
    change(database, study, description="corrected")
    assert apply(rules, database) == []


def test_nothing_is_sent_while_images_are_unread_or_still_come(tmp_path: Path, database: Database) -> None:
    rules = Rules(with_rules(tmp_path, SendRule(to="pacs"), quiet_seconds=30.0))
    study = add_study(database)
    with database.session() as session:
        session.add(image_of(study, 2, status="reading"))
    assert apply(rules, database) == []
    with database.session() as session:
        for image in session.scalars(select(StoredImage)):
            image.status, image.received = "read", utc_now()
    assert apply(rules, database) == []
    with database.session() as session:
        for image in session.scalars(select(StoredImage)):
            image.received = utc_now() - timedelta(seconds=31)
    assert apply(rules, database) == [(study, "sr", "pacs", "read")]


def test_each_signature_is_sent(tmp_path: Path, database: Database) -> None:
    rules = Rules(with_rules(tmp_path, SendRule(to="pacs", when="signed")))
    study = add_study(database)
    assert apply(rules, database) == []
    sign(database, study)
    assert apply(rules, database) == [(study, "sr", "pacs", "signed")]
    assert apply(rules, database) == []
    sign(database, study)  # an amendment
    assert apply(rules, database) == [(study, "sr", "pacs", "signed")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (SendRule(to="pacs", calling_ae="CART1"), True),
        (SendRule(to="pacs", calling_ae="CART2"), False),
        (SendRule(to="pacs", device="logiq"), True),
        (SendRule(to="pacs", device="Mindray"), False),
        (SendRule(to="pacs", only_abnormal=True), True),
    ],
)
def test_conditions(tmp_path: Path, database: Database, rule: SendRule, expected: bool) -> None:
    add_study(database)
    assert bool(apply(Rules(with_rules(tmp_path, rule)), database)) is expected


@pytest.mark.parametrize("columns", [{"priority": 0.4}, {"priority": None}])
def test_only_abnormal_needs_a_priority(tmp_path: Path, database: Database, columns: dict[str, Any]) -> None:
    add_study(database, **columns)
    assert apply(Rules(with_rules(tmp_path, SendRule(to="pacs", only_abnormal=True))), database) == []


def test_uploads_old_studies_and_failed_ones_are_left_alone(tmp_path: Path, database: Database) -> None:
    add_study(database, dicom=False, source="upload")
    add_study(database, updated=utc_now() - HORIZON - timedelta(days=1))
    add_study(database, status="failed", result=None)
    assert apply(Rules(with_rules(tmp_path, SendRule(to="pacs"))), database) == []


def test_looking_is_cheap_when_nothing_changed(tmp_path: Path, database: Database) -> None:
    rules = Rules(with_rules(tmp_path, SendRule(to="pacs")))
    study = add_study(database)
    for expected in (True, False):
        with database.session(writes=False) as session:
            assert rules.is_due(session) is expected
        apply(rules, database)
    change(database, study, description="touched")
    with database.session(writes=False) as session:
        assert rules.is_due(session)


def test_rules_for_peers_that_there_are_not(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no PACS is called 'nowhere'.*Known: pacs, other"):
        check_rules(with_rules(tmp_path, SendRule(to="nowhere")))
    with pytest.raises(NotFoundError, match="has no DICOMweb address"):
        check_rules(with_rules(tmp_path, SendRule(to="pacs", via="dicomweb")))
    check_rules(with_rules(tmp_path, SendRule(to="pacs")))


def test_peer_by_address(tmp_path: Path) -> None:
    peer = find_peer(with_rules(tmp_path), "STORE@pacs.example:11112")
    assert (peer.ae_title, peer.host, peer.port) == ("STORE", "pacs.example", 11112)
    assert find_peer(with_rules(tmp_path), "STORE@[::1]:104").host == "::1"
    for wrong in ("STORE@pacs", "STORE@pacs:0", "STORE@pacs:99999", "@pacs:104", "A" * 17 + "@pacs:104"):
        with pytest.raises(NotFoundError):
            find_peer(with_rules(tmp_path), wrong)
