"""Several senders at once, on both databases: one study, each image once, an unbroken audit log."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from myosono.clinic import audit
from myosono.clinic.database.models import StoredImage, Study
from myosono.clinic.files.intake import Origin, enqueue, stage
from myosono.clinic.settings import ClinicSettings, UploadLimits

SENDERS = 4


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path) -> ClinicSettings:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    return ClinicSettings(data=tmp_path / "clinic", database_url=url, uploads=UploadLimits(free_bytes=0))


def at_once(work: Callable[[int], None]) -> None:
    """Run ``work(number)`` in several threads that begin together; what one raises is raised here."""
    gate, faults = threading.Barrier(SENDERS), []

    def run(number: int) -> None:
        try:
            gate.wait(30)
            work(number)
        except BaseException as error:  # noqa: BLE001  raised again below
            faults.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if faults:
        raise faults[0]


@pytest.mark.parametrize("shared", [True, False], ids=["the same images", "other images"])
def test_senders_do_not_get_in_each_others_way(database, store, make_muscle, shared: bool) -> None:
    new: list[bool] = []

    def send(number: int) -> None:
        for seed in range(5):
            data = make_muscle(seed if shared else 10 * number + seed)
            staged = stage(
                store, data, Origin("upload", f"sender {number}", name=f"P001_RD_{seed}.png", study_uid="1.2.3")
            )
            with database.session() as session:
                new.append(enqueue(session, staged).new)

    at_once(send)
    expected = 5 if shared else 5 * SENDERS
    assert (sum(new), len(new)) == (expected, 5 * SENDERS)
    with database.session(writes=False) as session:
        assert len(session.scalars(select(Study)).all()) == 1
        images = session.scalars(select(StoredImage)).all()
        assert audit.check_chain(session) == expected
    assert len(images) == expected
    assert all(store.path(image.file).is_file() for image in images)
