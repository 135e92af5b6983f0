"""The physician's reading and the sites of images: what people may change, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from myosono.clinic.database.models import PhysicianReading
from myosono.clinic.studies.opinions import (
    MAX_DIAGNOSIS,
    MAX_NOTES,
    Opinion,
    amend,
    discard_draft,
    draft_version,
    find_draft,
    save_draft,
    sign,
)
from myosono.clinic.studies.sites import correct_site
from myosono.clinic.web.parameters import Id, User, author_of
from myosono.clinic.web.repool import study_reader
from myosono.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["physician's readings"])


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character")  # PostgreSQL has no place for it
    return text


Text = Annotated[str, AfterValidator(_without_nul)]


class OpinionBody(BaseModel):
    """What a physician states; see `myosono.clinic.studies.opinions.Opinion`."""

    model_config = ConfigDict(extra="forbid")
    agrees: bool | None = None
    diagnosis: Text = Field("", max_length=MAX_DIAGNOSIS)
    heckmatt: dict[str, int] = Field(default_factory=dict, max_length=14)
    notes: Text = Field("", max_length=MAX_NOTES)

    def opinion(self) -> Opinion:
        """As the service takes it."""
        return Opinion(self.diagnosis, self.heckmatt, self.notes, self.agrees)


class DraftBody(OpinionBody):
    """``made_from`` is the ``version`` of the draft that this replaces, empty for none: another one refuses it."""

    made_from: str | None = Field(None, max_length=64)


class SeenBody(BaseModel):
    """``seen_answer`` is the model's answer as the page showed it: a changed one refuses the signature.

    ``seen`` is the fingerprint of all that the page showed of the model, images and sites, and does the same.
    """

    seen_answer: str | None = Field(None, max_length=200)
    seen: str | None = Field(None, max_length=64)


class SignBody(DraftBody, SeenBody):
    """The last values of a draft, and what the page showed."""


class AmendBody(OpinionBody, SeenBody):
    """An amendment needs its reason."""

    reason: Text = Field(min_length=1, max_length=1000)


class OpinionAnswer(BaseModel):
    """A kept reading."""

    id: int
    agrees: bool | None
    diagnosis: str
    heckmatt: dict[str, int]
    notes: str
    model_answer: str
    model_sha256: str
    updated: datetime
    signed_at: datetime | None
    amends_id: int | None
    amend_reason: str
    version: str


class SiteBody(BaseModel):
    """Side and muscle, such as ``RD``; empty for unknown."""

    model_config = ConfigDict(extra="forbid")
    site: str = Field(max_length=10)


class SiteAnswer(BaseModel):
    """The study's answer after it was pooled again."""

    study_id: int
    status: str
    priority: float | None


@router.get("/studies/{study_id}/opinion")
def read_draft(request: Request, study_id: Id, user: User) -> OpinionAnswer:
    """One's own draft."""
    with request.app.state.database.session(writes=False) as session:
        found = find_draft(session, study_id, author_of(user))
        if found is None:
            raise NotFoundError(f"{user.name} has no draft of study {study_id}")
        return _answer(found)


@router.put("/studies/{study_id}/opinion")
def put_draft(request: Request, study_id: Id, body: DraftBody, user: User) -> OpinionAnswer:
    """Save one's own draft."""
    with request.app.state.database.session() as session:
        return _answer(save_draft(session, study_id, author_of(user), body.opinion(), made_from=body.made_from))


@router.delete("/studies/{study_id}/opinion", status_code=204)
def delete_draft(request: Request, study_id: Id, user: User) -> None:
    """Discard one's own draft."""
    with request.app.state.database.session() as session:
        discard_draft(session, study_id, author_of(user))


@router.post("/studies/{study_id}/opinion/sign")
def post_signature(request: Request, study_id: Id, body: SignBody, user: User) -> OpinionAnswer:
    """Sign; what is signed is never changed."""
    with request.app.state.database.session() as session:
        signed = sign(
            session,
            study_id,
            author_of(user),
            body.opinion(),
            seen_answer=body.seen_answer,
            seen=body.seen,
            made_from=body.made_from,
        )
        return _answer(signed)


@router.post("/opinions/{opinion_id}/amend")
def post_amendment(request: Request, opinion_id: Id, body: AmendBody, user: User) -> OpinionAnswer:
    """Replace one's own signed reading by a new version."""
    with request.app.state.database.session() as session:
        new = amend(
            session,
            opinion_id,
            author_of(user),
            body.opinion(),
            body.reason,
            seen_answer=body.seen_answer,
            seen=body.seen,
        )
        return _answer(new)


@router.put("/images/{image_id}/site")
def put_site(request: Request, image_id: Id, body: SiteBody, user: User) -> SiteAnswer:
    """Say which muscle an image shows; the study is pooled again."""
    reader = study_reader(request.app)
    with request.app.state.database.session() as session:
        study = correct_site(session, image_id, body.site, user.name, reader)
        return SiteAnswer(study_id=study.id, status=study.status, priority=study.priority)


def _answer(row: PhysicianReading) -> OpinionAnswer:
    kept = {name: getattr(row, name) for name in OpinionAnswer.model_fields if name != "version"}
    return OpinionAnswer(**kept, version=draft_version(row))
