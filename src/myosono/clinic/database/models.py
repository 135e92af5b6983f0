"""The tables. Times are UTC; JSON columns hold parts of the reading contract (docs/architecture.md)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, LargeBinary, MetaData, String, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def utc_now() -> datetime:
    """The present, aware of its zone."""
    return datetime.now(UTC)


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC times on every database: SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse naive times: they would be read back as another moment."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """As UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Declarative base of all tables."""

    metadata = MetaData(naming_convention=_NAMING)
    type_annotation_map = {datetime: UtcTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class User(Base):
    """Who may enter. Never deleted, since audit and readings refer to it; ``disabled`` keeps it out."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    full_name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str] = mapped_column(String(300))
    role: Mapped[str] = mapped_column(String(20))  # reader, admin
    language: Mapped[str | None] = mapped_column(String(10))
    disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(default=utc_now)


class LoginSession(Base):
    """A browser that has logged in; only the hash of its token is kept."""

    __tablename__ = "login_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(default=utc_now)
    expires: Mapped[datetime]
    user: Mapped[User] = relationship()


class ApiToken(Base):
    """A program that may enter in a user's name."""

    __tablename__ = "api_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(default=utc_now)
    last_used: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    user: Mapped[User] = relationship()


class LoginAttempt(Base):
    """A failed login, kept to slow down the next ones from the same name or address."""

    __tablename__ = "login_attempts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class Study(Base):
    """One examination of one patient.

    ``status``: ``receiving`` (images still unread), ``read``, ``failed`` (no image could be read), ``signed``.
    ``priority`` is 1 - P(Normal) of the patient, None where nothing could be said. ``result`` is the patient's entry of
    the reading contract.
    """

    __tablename__ = "studies"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(String(64), unique=True)
    source: Mapped[str] = mapped_column(String(20))  # dicom, upload, demo
    sender: Mapped[str] = mapped_column(String(200), default="")  # calling AE title, or the user who uploaded
    patient_id: Mapped[str] = mapped_column(String(64), default="", index=True)
    patient_name: Mapped[str] = mapped_column(String(200), default="")
    patient_sex: Mapped[str] = mapped_column(String(1), default="")
    patient_birth_date: Mapped[date | None]
    patient_age: Mapped[float | None]  # years
    accession: Mapped[str] = mapped_column(String(64), default="")
    description: Mapped[str] = mapped_column(String(200), default="")
    study_date: Mapped[date | None]
    device: Mapped[str] = mapped_column(String(200), default="")
    arrived: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    updated: Mapped[datetime] = mapped_column(default=utc_now)
    status: Mapped[str] = mapped_column(String(20), default="receiving", index=True)
    priority: Mapped[float | None] = mapped_column(index=True)
    result: Mapped[dict[str, Any] | None]
    quantification: Mapped[dict[str, Any] | None]
    model: Mapped[dict[str, Any] | None]  # the reading contract's ``model``
    images: Mapped[list[StoredImage]] = relationship(back_populates="study", order_by="StoredImage.id")


class StoredImage(Base):
    """One file of a study: an image, a cine loop, a DICOM object. ``status``: ``pending, reading, read, failed``."""

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("study_id", "sha256", name="uq_images_study_sha256"),
        Index("ix_images_queue", "status", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    file: Mapped[str] = mapped_column(String(300))  # below the folder of files, posix
    name: Mapped[str] = mapped_column(String(300), default="")  # as it was called when it came
    size: Mapped[int]
    sop_instance_uid: Mapped[str | None] = mapped_column(String(64), index=True)
    sop_class_uid: Mapped[str | None] = mapped_column(String(64))
    series_uid: Mapped[str | None] = mapped_column(String(64))
    muscle: Mapped[str | None] = mapped_column(String(10))
    side: Mapped[str | None] = mapped_column(String(1))
    status: Mapped[str] = mapped_column(String(20), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    lease_until: Mapped[datetime | None]
    error: Mapped[str | None]
    received: Mapped[datetime] = mapped_column(default=utc_now)
    read_at: Mapped[datetime | None]
    study: Mapped[Study] = relationship(back_populates="images")
    frames: Mapped[list[FrameReading]] = relationship(order_by="FrameReading.frame", back_populates="image")


class FrameReading(Base):
    """What the network said of one frame; columns as in the reading contract. ``maps`` is `work.maps.pack`'s bytes."""

    __tablename__ = "frame_readings"
    __table_args__ = (UniqueConstraint("image_id", "frame", name="uq_frame_readings_image_frame"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    frame: Mapped[int]
    muscle: Mapped[str | None] = mapped_column(String(10))
    side: Mapped[str | None] = mapped_column(String(1))
    probabilities: Mapped[dict[str, Any]]
    label: Mapped[str | None] = mapped_column(String(100))
    abstained: Mapped[bool]
    reasons: Mapped[list[Any]]
    area: Mapped[list[Any]]  # top, left, bottom, right
    width: Mapped[int]
    height: Mapped[int]
    regions: Mapped[list[Any]]  # millimetre scale by region: see studies.view.ScaleRegion
    device: Mapped[str | None] = mapped_column(String(200))
    shrinkage_fraction: Mapped[float]
    quantities: Mapped[dict[str, Any] | None]
    maps: Mapped[bytes | None] = mapped_column(LargeBinary)
    model_sha256: Mapped[str] = mapped_column(String(64))
    image: Mapped[StoredImage] = relationship(back_populates="frames")


class PhysicianReading(Base):
    """A physician's reading. A draft (``signed_at`` None) may change; a signed row never does, a new one amends it."""

    __tablename__ = "physician_readings"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    amends_id: Mapped[int | None] = mapped_column(ForeignKey("physician_readings.id"))
    amend_reason: Mapped[str] = mapped_column(default="")
    agrees: Mapped[bool | None]  # with the model's answer; None: not stated
    diagnosis: Mapped[str] = mapped_column(String(100), default="")
    heckmatt: Mapped[dict[str, Any]] = mapped_column(default=dict)  # site code such as RD -> grade 1 to 4
    notes: Mapped[str] = mapped_column(default="")
    model_answer: Mapped[str] = mapped_column(String(200), default="")
    model_sha256: Mapped[str] = mapped_column(String(64), default="")
    created: Mapped[datetime] = mapped_column(default=utc_now)
    updated: Mapped[datetime] = mapped_column(default=utc_now)
    signed_at: Mapped[datetime | None]
    user: Mapped[User] = relationship()


class AuditEntry(Base):
    """One line of the append-only log. ``hash`` covers the line and the hash of the one before."""

    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    user: Mapped[str] = mapped_column(String(100))  # a name, or "system", or "dicom:AETITLE"
    action: Mapped[str] = mapped_column(String(50), index=True)
    study_id: Mapped[int | None] = mapped_column(index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    model_sha256: Mapped[str] = mapped_column(String(64), default="")
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class Event(Base):
    """Something changed that a live page shows. Old ones are dropped, and their numbers are never given again."""

    __tablename__ = "events"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    kind: Mapped[str] = mapped_column(String(30))  # study, image, signed, outbox
    study_id: Mapped[int | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class OutboxItem(Base):
    """An object to be sent to a peer; tried again until it arrives. ``status``: ``waiting, sending, sent, failed``."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))  # sr, capture, pdf, images
    peer: Mapped[str] = mapped_column(String(100))
    via: Mapped[str] = mapped_column(String(20))  # dimse, dicomweb
    file: Mapped[str | None] = mapped_column(String(300))  # made once, so that a retry sends the same object
    reason: Mapped[str] = mapped_column(String(100), default="")  # the rule, or the user who asked
    status: Mapped[str] = mapped_column(String(20), default="waiting", index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    next_try: Mapped[datetime] = mapped_column(default=utc_now)
    error: Mapped[str | None]
    created: Mapped[datetime] = mapped_column(default=utc_now)
    sent_at: Mapped[datetime | None]
