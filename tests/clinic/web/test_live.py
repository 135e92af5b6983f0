"""Live news: one thread for all pages, nothing lost in between, a word when a page has been away for too long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from myosono.clinic import events
from myosono.clinic.database.models import Event, utc_now
from myosono.clinic.web.hub import EventHub, News
from myosono.clinic.web.routes import live
from myosono.clinic.web.routes.live import _lines, _message


@pytest.fixture
def hub(database):
    opened = EventHub(database, poll_seconds=0.02)
    yield opened
    opened.close()


def publish(database, kind: str, study: int | None = None) -> int:
    with database.session() as session:
        events.publish(session, kind, study)
        session.flush()
        return events.latest(session)


async def first(news: AsyncIterator[News | None], count: int) -> list[News]:
    return [await asyncio.wait_for(anext(news), 5) for _ in range(count)]


def test_news_reach_every_page_by_one_thread(hub, database):
    async def main() -> list[list[News]]:
        pages = [hub.listen() for _ in range(20)]
        waiting = [asyncio.create_task(first(page, 2)) for page in pages]
        await asyncio.sleep(0.3)
        assert hub.listeners == 20
        assert sum(thread.name == "events" for thread in threading.enumerate()) == 1
        await asyncio.to_thread(publish, database, "study", 1)
        await asyncio.to_thread(publish, database, "image", 1)
        return await asyncio.gather(*waiting)

    for news in asyncio.run(main()):
        assert [one.kind for one in news] == ["study", "image"]


def test_what_was_missed_comes_first_and_once(hub, database):
    numbers = [publish(database, "study", study) for study in range(1, 5)]

    async def main() -> list[News]:
        page = hub.listen(after=numbers[1])
        missed = await first(page, 2)
        await asyncio.sleep(0.1)
        await asyncio.to_thread(publish, database, "image", 9)
        return missed + await first(page, 1)

    found = asyncio.run(main())
    assert [one.study_id for one in found] == [3, 4, 9]


def test_the_stream_of_a_user_who_is_let_in_no_longer_ends(hub, database, monkeypatch):
    """A page that was open when its user was disabled had heard news for good."""
    monkeypatch.setattr(live, "KEEP_ALIVE_SECONDS", 0.0)
    allowed = [True, False]

    async def main() -> list[str]:
        publish(database, "study", 1)
        numbers = [publish(database, "study", study) for study in (2, 3)]
        return [line async for line in _lines(hub, numbers[0] - 1, lambda: allowed.pop(0))]

    told = asyncio.run(asyncio.wait_for(main(), 5))
    assert ["event: study" in line for line in told] == [False, True]
    assert '"study": 2' in told[1]


def test_a_page_that_was_away_too_long_is_told_to_load_anew(hub, database):
    old = publish(database, "study", 1)
    for study in range(2, 5):
        publish(database, "study", study)
    with database.session() as session:
        session.execute(update(Event).values(at=utc_now() - timedelta(hours=2)))
        events.forget_old(session)

    async def main() -> list[News]:
        return await first(hub.listen(after=old), 1)

    assert [one.kind for one in asyncio.run(main())] == ["reload"]


def test_numbers_are_never_given_twice(database):
    before = publish(database, "study", 1)
    with database.session() as session:
        session.execute(update(Event).values(at=utc_now() - timedelta(hours=2)))
        events.forget_old(session)
    assert publish(database, "study", 2) > before


def test_a_number_from_the_future_means_another_database(hub, database):
    publish(database, "study", 1)

    async def main() -> list[News]:
        return await first(hub.listen(after=10_000), 1)

    assert asyncio.run(main())[0].kind == "reload"


def test_closing_ends_every_stream(hub):
    async def main() -> list[News | None]:
        page = hub.listen()
        rest = asyncio.create_task(collect(page))
        await asyncio.sleep(0.2)
        hub.close()
        return await asyncio.wait_for(rest, 5)

    async def collect(page: AsyncIterator[News | None]) -> list[News | None]:
        return [one async for one in page]

    assert asyncio.run(main()) == []


def test_the_thread_ends_with_the_last_page(hub, database):
    async def main() -> None:
        page = hub.listen()
        task = asyncio.create_task(anext(page))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await page.aclose()
        assert hub.listeners == 0
        await asyncio.sleep(0.3)

    asyncio.run(main())
    assert not any(thread.name == "events" for thread in threading.enumerate())


def test_a_message_is_one_event_of_the_stream():
    said = _message(News(7, "study", 3, {"status": "a\nb"}))
    assert said == 'id: 7\nevent: study\ndata: {"study": 3, "status": "a\\nb"}\n\n'
