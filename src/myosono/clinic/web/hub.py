"""`EventHub`: one thread asks the database for news; every open page gets them from it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from myosono.clinic import events
from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import Event
from myosono.errors import ClinicError

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
KEEP_ALIVE_SECONDS = 15.0
_QUEUE = 500
"""A page that is this many news behind is told to load anew."""
_OVERLAP = 100
"""On PostgreSQL a number may become visible after the next one: so many are looked at again."""


@dataclass(frozen=True)
class News:
    """An event as pages see it."""

    id: int
    kind: str
    study_id: int | None
    detail: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Listener:
    queue: asyncio.Queue[News | None]
    loop: asyncio.AbstractEventLoop


class EventHub:
    """News to all pages of this process, however many there are, for one query each half second.

    The thread starts with the first listener and ends when the last has gone, so that an idle clinic asks nothing.

    Parameters
    ----------
    database
        Asked for events.
    poll_seconds
        How often.
    """

    def __init__(self, database: Database, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._listeners: set[_Listener] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    @property
    def listeners(self) -> int:
        """How many pages listen."""
        return len(self._listeners)

    async def listen(self, after: int | None = None) -> AsyncIterator[News | None]:
        """News as they come; None now and then, to keep the connection open.

        Parameters
        ----------
        after
            Number of the last event that the page has seen: those since come first. None begins now. A page that was
            away for longer than events are kept gets one of kind ``reload``, and so does one that cannot keep up.
        """
        listener = _Listener(asyncio.Queue(_QUEUE), asyncio.get_running_loop())
        self._join(listener)  # before asking for the missed ones, so that nothing falls in between
        try:
            seen: set[int] = set()
            for news in await asyncio.to_thread(self._missed, after):
                seen.add(news.id)
                yield news
            while not self._closing.is_set():
                try:
                    found = await asyncio.wait_for(listener.queue.get(), KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield None
                    continue
                if found is None:
                    return
                if found.id not in seen:
                    yield found
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def close(self) -> None:
        """End all streams and the thread."""
        self._closing.set()
        with self._lock:
            waiting = list(self._listeners)
        for listener in waiting:
            _call(listener, _end, listener.queue)

    def _join(self, listener: _Listener) -> None:
        with self._lock:
            self._listeners.add(listener)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._poll, name="events", daemon=True)
                self._thread.start()

    def _missed(self, after: int | None) -> list[News]:
        if after is None:
            return []
        with self._database.session(writes=False) as session:
            found = [_news(event) for event in events.since(session, after, limit=_QUEUE)]
            newest = events.latest(session)
        # A gap right after the number means that what lay between was dropped, or that the database is another one.
        gap = (found[0].id > after + 1 if found else newest < after) or len(found) == _QUEUE
        return [News(newest, "reload", None, {})] if gap else found

    def _poll(self) -> None:
        told: set[int] | None = None
        pause = 0.0
        while not self._closing.wait(pause):
            pause = self._poll_seconds
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    return
            try:
                found = self._look(max(told) if told else None)
            except ClinicError as error:  # it answers again some day, and the page shows what it last knew
                _log.warning("no live news: %s", error)
                continue
            for news in found:
                if told is not None and news.id not in told:
                    self._tell(news)
            told = {news.id for news in found}

    def _look(self, newest: int | None) -> list[News]:
        with self._database.session(writes=False) as session:
            newest = events.latest(session) if newest is None else newest
            return [_news(event) for event in events.since(session, max(0, newest - _OVERLAP))]

    def _tell(self, news: News) -> None:
        with self._lock:
            waiting = list(self._listeners)
        for listener in waiting:
            _call(listener, _put, listener.queue, news)


def _call(listener: _Listener, function: Any, *values: Any) -> None:
    try:
        listener.loop.call_soon_threadsafe(function, *values)
    except RuntimeError:  # its loop has been closed: the page is gone
        _log.debug("a listener's loop is closed")


def _put(queue: asyncio.Queue[News | None], news: News) -> None:
    if queue.qsize() >= _QUEUE - 1:
        while not queue.empty():
            queue.get_nowait()
        news = News(news.id, "reload", None, {})
    queue.put_nowait(news)


def _end(queue: asyncio.Queue[News | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)


def _news(event: Event) -> News:
    return News(event.id, event.kind, event.study_id, dict(event.detail))
