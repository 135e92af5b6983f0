"""The queue on both databases: leases, attempts, one result an image, also with several workers at once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from myosono.clinic import audit
from myosono.clinic.database.models import FrameReading, StoredImage, Study, utc_now
from myosono.clinic.settings import ClinicSettings, UploadLimits
from myosono.clinic.work import queue
from myosono.clinic.work.worker import Worker
from myosono.errors import ConflictError


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path) -> ClinicSettings:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    return ClinicSettings(data=tmp_path / "clinic", database_url=url, uploads=UploadLimits(free_bytes=0))


def row(**given: object) -> FrameReading:
    said = {
        "frame": 0, "muscle": "D", "side": "R", "probabilities": {"Normal": 1.0}, "label": "Normal", "abstained": False,
        "reasons": [], "area": [0, 0, 9, 9], "width": 9, "height": 9, "regions": [], "shrinkage_fraction": 0.1,
        "model_sha256": "0" * 64,
    }  # fmt: skip
    return FrameReading(**{**said, **given})


def let_leases_end(database) -> None:  # type: ignore[no-untyped-def]
    with database.session() as session:
        past = utc_now() - timedelta(seconds=1)
        session.execute(update(StoredImage).where(StoredImage.status == "reading").values(lease_until=past))


def claim(database, owner: str):  # type: ignore[no-untyped-def]
    with database.session() as session:
        return queue.claim(session, owner, 60)


def test_the_oldest_comes_first_and_is_hidden_from_others(database, take, make_muscle) -> None:
    ids = [take(make_muscle(seed)).image.id for seed in range(2)]
    first, second, third = (claim(database, owner) for owner in ("a", "b", "c"))
    assert [first.id, second.id, third] == [*ids, None]
    assert (first.status, first.attempts, first.lease_owner) == ("reading", 1, "a")


def test_an_ended_lease_passes_on_and_the_late_result_is_dropped(database, take, make_muscle) -> None:
    image = take(make_muscle(1)).image
    claim(database, "slow")
    let_leases_end(database)
    assert claim(database, "quick").attempts == 2
    with pytest.raises(ConflictError, match="no longer leased to slow"), database.session() as session:
        queue.finish(session, image.id, [row()], owner="slow")
    with database.session() as session:
        queue.finish(session, image.id, [row()], owner="quick")
    with pytest.raises(ConflictError), database.session() as session:
        queue.finish(session, image.id, [row()], owner="quick")
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count(FrameReading.id))) == 1
        assert session.get(StoredImage, image.id).status == "read"


def test_a_renewed_lease_holds(database, take, make_muscle) -> None:
    image = take(make_muscle(1)).image
    claim(database, "a")
    let_leases_end(database)
    with database.session() as session:
        queue.renew(session, image.id, "a", 60)
    assert claim(database, "b") is None
    with pytest.raises(ConflictError), database.session() as session:
        queue.renew(session, image.id, "b", 60)


def test_a_passing_fault_is_tried_three_times(database, take, make_muscle) -> None:
    image = take(make_muscle(1)).image
    seen = []
    for _ in range(queue.MAX_ATTEMPTS):
        claim(database, "a")
        with database.session() as session:
            seen.append(queue.fail(session, image.id, owner="a", error="no memory", retry=True).status)
    assert seen == ["pending", "pending", "failed"]
    assert claim(database, "a") is None


def test_a_lasting_fault_is_final(database, take, make_muscle) -> None:
    image = take(make_muscle(1)).image
    claim(database, "a")
    with database.session() as session:
        failed = queue.fail(session, image.id, owner="a", error="damaged", retry=False)
    assert (failed.status, failed.error, failed.lease_owner) == ("failed", "damaged", None)
    assert failed.read_at is not None


def test_what_kills_its_reader_is_given_up(database, take, make_muscle) -> None:
    image = take(make_muscle(1)).image
    for attempt in range(1, queue.MAX_ATTEMPTS + 1):
        assert claim(database, f"killed {attempt}").attempts == attempt
        let_leases_end(database)
    assert claim(database, "next") is None
    with database.session() as session:
        assert [one.id for one in queue.give_up(session)] == [image.id]
    with database.session(writes=False) as session:
        assert "stopped the reading process 3 times" in session.get(StoredImage, image.id).error


def test_what_was_tried_before_comes_last(database, take, make_muscle) -> None:
    first, second = (take(make_muscle(seed)).image.id for seed in range(2))
    assert claim(database, "killed").id == first
    let_leases_end(database)
    assert [claim(database, "next").id for _ in range(2)] == [second, first]


def test_a_dead_workers_images_are_released_at_once(database, take, make_muscle) -> None:
    for seed in range(2):
        take(make_muscle(seed))
    claim(database, "dead")
    claim(database, "alive")
    with database.session() as session:
        assert queue.release(session, "dead") == 1
        assert queue.unread(session) == 2
    assert claim(database, "next").id == 1


def test_workers_side_by_side_read_each_image_once(settings, database, take, make_muscle, study_reader) -> None:
    for seed in range(24):
        take(make_muscle(seed), f"P001_RD_{seed}.png")
    faults: list[BaseException] = []

    def work() -> None:
        try:
            worker = Worker(settings, database=database, reader=study_reader)
            while worker.run_once():
                pass
        except BaseException as error:  # noqa: BLE001  told by the test, below
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert faults == []
    with database.session(writes=False) as session:
        per_image = session.execute(
            select(StoredImage.status, StoredImage.attempts, func.count(FrameReading.id))
            .join(FrameReading, FrameReading.image_id == StoredImage.id)
            .group_by(StoredImage.id)
        ).all()
        assert per_image == [("read", 1, 1)] * 24
        study = session.scalars(select(Study)).one()
        assert (study.status, study.result["images"]) == ("read", 24)


def test_a_site_that_a_person_cleared_is_not_guessed_again(database, take, make_muscle) -> None:
    """Read again, an image had got back the muscle that a person had taken away."""
    image = take(make_muscle(1), "P001_RD_1.png").image
    with database.session() as session:
        kept = session.get(StoredImage, image.id)
        kept.muscle = kept.side = None
        audit.record(session, "ann", audit.SITE_CORRECTED, study_id=kept.study_id, image=kept.id, before="RD", after="")
    claim(database, "a")
    with database.session() as session:
        assert queue.finish(session, image.id, [row()], owner="a").muscle is None
    other = take(make_muscle(2), "shot.png").image
    claim(database, "a")
    with database.session() as session:
        assert queue.finish(session, other.id, [row()], owner="a").muscle == "D"
