"""What is to be sent: entered once, claimed with a lease, tried until it arrives. `Sender` works it off.

``waiting → sending → sent``, back to ``waiting`` with the error when a peer is gone, and ``failed`` only where trying
again cannot help. A sender that dies leaves its items ``sending`` until their lease (``next_try``) ends.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from myosono.clinic import audit, events
from myosono.clinic.database.models import OutboxItem, Study, utc_now
from myosono.errors import ConflictError, NotFoundError, UsageError

KINDS = ("sr", "capture", "pdf", "images")
WAYS = ("dimse", "dicomweb")
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
REFUSALS = 5
"""After so many refusals by a peer that does answer, an item counts as failed and waits for a person."""


def enqueue(session: Session, study_id: int, kind: str, peer: str, via: str, reason: str) -> OutboxItem:
    """Put an object into the outbox, because somebody asked.

    Parameters
    ----------
    session
        Opened for writing.
    kind
        ``sr``, ``capture``, ``pdf``, ``images``.
    peer
        Name of a peer in the settings.
    via
        ``dimse`` or ``dicomweb``.
    reason
        The user who asked, or the rule.

    Raises
    ------
    UsageError
        If kind or way is unknown.
    NotFoundError
        If there is no such study.
    """
    _check(kind, via)
    if session.get(Study, study_id) is None:
        raise NotFoundError(f"there is no study {study_id}")
    item = OutboxItem(study_id=study_id, kind=kind, peer=peer, via=via, reason=reason[:100])
    session.add(item)
    session.flush()
    events.publish(session, "outbox", study_id, item=item.id, status=item.status)
    return item


def enqueue_once(session: Session, study_id: int, kind: str, peer: str, via: str, reason: str) -> OutboxItem | None:
    """As `enqueue`, unless the same was entered before for the same reason: then None."""
    # The study's row is the lock: two processes that apply the same rule take turns here.
    session.scalar(select(Study.id).where(Study.id == study_id).with_for_update())
    same = select(OutboxItem.id).where(
        OutboxItem.study_id == study_id,
        OutboxItem.kind == kind,
        OutboxItem.peer == peer,
        OutboxItem.via == via,
        OutboxItem.reason == reason,
    )
    if session.scalar(same.limit(1)) is not None:
        return None
    return enqueue(session, study_id, kind, peer, via, reason)


def is_due(session: Session) -> bool:
    """Whether something should be sent now; a look that needs no write lock."""
    return session.scalar(_due().limit(1)) is not None


def claim(
    session: Session, lease_seconds: float, *, without: Collection[tuple[str, str]] = (), limit: int = 20
) -> list[OutboxItem]:
    """Take due items of one peer and way, oldest first, so that they can share an association.

    Parameters
    ----------
    session
        Opened for writing.
    lease_seconds
        How long they are hidden from other senders.
    without
        (peer, way) that are being served already.
    """
    now = utc_now()
    due = _due()
    for peer, via in without:
        due = due.where(or_(OutboxItem.peer != peer, OutboxItem.via != via))
    first = session.scalar(due.order_by(OutboxItem.next_try, OutboxItem.id).limit(1))
    if first is None:
        return []
    alike = due.where(and_(OutboxItem.peer == first.peer, OutboxItem.via == first.via))
    ordered = alike.order_by(OutboxItem.next_try, OutboxItem.id).limit(limit)
    items = list(session.scalars(ordered.with_for_update(skip_locked=True)))
    if items:  # else another sender was quicker
        items = sorted([*items, *_older(session, items, now)], key=lambda item: item.id)
    for item in items:
        item.status = "sending"
        item.next_try = now + timedelta(seconds=lease_seconds)
    session.flush()
    return items


def _older(session: Session, items: Sequence[OutboxItem], now: datetime) -> list[OutboxItem]:
    """Earlier objects of the same kind and study that still pause: a newer one must not arrive before them."""
    newest: dict[tuple[int, str], int] = {}
    for item in items:
        newest[item.study_id, item.kind] = max(item.id, newest.get((item.study_id, item.kind), 0))
    pausing = select(OutboxItem).where(
        OutboxItem.status == "waiting",
        OutboxItem.next_try > now,
        OutboxItem.peer == items[0].peer,
        OutboxItem.via == items[0].via,
        OutboxItem.study_id.in_({study for study, _ in newest}),
    )
    found = session.scalars(pausing.with_for_update(skip_locked=True))
    return [item for item in found if item.id < newest.get((item.study_id, item.kind), 0)]


def done(session: Session, item_id: int) -> None:
    """It arrived."""
    item = _item(session, item_id)
    item.status, item.error, item.sent_at, item.attempts = "sent", None, utc_now(), item.attempts + 1
    _note(session, item, "send")


def postpone(session: Session, item_id: int, error: str) -> None:
    """It did not arrive; nothing is lost. The pause doubles each time."""
    item = _item(session, item_id)
    item.attempts += 1
    item.status, item.error = "waiting", error
    item.next_try = utc_now() + pause(item.attempts)
    events.publish(session, "outbox", item.study_id, item=item.id, status=item.status)


def refuse(session: Session, item_id: int, error: str) -> None:
    """The peer answered, and does not want it: tried `REFUSALS` times, since somebody may be mending it there."""
    if _item(session, item_id).attempts + 1 < REFUSALS:
        postpone(session, item_id, error)
    else:
        fail(session, item_id, error)


def fail(session: Session, item_id: int, error: str) -> None:
    """Trying again cannot help: it waits for a person (`retry`)."""
    item = _item(session, item_id)
    item.status, item.error, item.attempts = "failed", error, item.attempts + 1
    _note(session, item, "send-failed", error=error[:200])


def retry(session: Session, item_id: int, user: str) -> OutboxItem:
    """Try a waiting or failed item again at once.

    Raises
    ------
    NotFoundError
        If there is no such item.
    ConflictError
        If it was sent already, or a newer one of its kind was.
    """
    item = _item(session, item_id)
    if item.status == "sent":
        raise ConflictError(f"object {item_id} was sent already", remedy="Ask for it anew.")
    newer = select(OutboxItem.id).where(
        OutboxItem.study_id == item.study_id,
        OutboxItem.kind == item.kind,
        OutboxItem.peer == item.peer,
        OutboxItem.via == item.via,
        OutboxItem.id > item.id,
        OutboxItem.status == "sent",
    )
    if session.scalar(newer.limit(1)) is not None:
        raise ConflictError(f"a newer object than {item_id} was sent already", remedy="Ask for it anew.")
    item.status, item.next_try, item.attempts = "waiting", utc_now(), 0
    audit.record(session, user, "send-again", study_id=item.study_id, item=item.id, peer=item.peer)
    return item


def of_study(session: Session, study_id: int) -> Sequence[OutboxItem]:
    """All items of a study, oldest first, for its page."""
    return session.scalars(select(OutboxItem).where(OutboxItem.study_id == study_id).order_by(OutboxItem.id)).all()


def pause(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts."""
    doublings = max(0, min(attempts - 1, 16))
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def _due() -> Select[OutboxItem]:
    waiting = OutboxItem.status.in_(("waiting", "sending"))
    return select(OutboxItem).where(waiting, OutboxItem.next_try <= utc_now())


def _check(kind: str, via: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"no such object: {kind!r}", remedy=f"One of {', '.join(KINDS)}.")
    if via not in WAYS:
        raise UsageError(f"no such way: {via!r}", remedy=f"One of {', '.join(WAYS)}.")


def _item(session: Session, item_id: int) -> OutboxItem:
    item = session.get(OutboxItem, item_id, with_for_update=True)
    if item is None:
        raise NotFoundError(f"there is no object {item_id} in the outbox")
    return item


def _note(session: Session, item: OutboxItem, action: str, **detail: str) -> None:
    events.publish(session, "outbox", item.study_id, item=item.id, status=item.status)
    said = {"item": item.id, "kind": item.kind, "peer": item.peer, "via": item.via, "reason": item.reason}
    audit.record(session, "system", action, study_id=item.study_id, **said, **detail)  # type: ignore[arg-type]
