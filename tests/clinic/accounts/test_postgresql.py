"""Accounts on PostgreSQL, where two transactions run side by side."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import select

from myosono.clinic.accounts.users import create_user, find_user, set_disabled, set_role
from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import User
from myosono.errors import ForbiddenError

WORDS = "several unrelated words"
pytestmark = pytest.mark.slow


@pytest.fixture
def database(postgresql_database: Database) -> Database:
    return postgresql_database


@pytest.mark.parametrize("disable", [False, True])
def test_two_administrators_who_take_each_other_away_leave_one(database: Database, disable: bool) -> None:
    with database.session() as session:
        for name in ("anna", "ben"):
            create_user(session, name, WORDS, role="admin")

    def take_away(name: str, by: str) -> None:
        with database.session() as session:
            user = find_user(session, name)
            assert user is not None
            if disable:
                set_disabled(session, user, True, by=by)
            else:
                set_role(session, user, "reader", by=by)

    with ThreadPoolExecutor(1) as pool:
        with database.session() as session:
            ben = find_user(session, "ben")
            assert ben is not None
            set_role(session, ben, "reader", by="anna")
            session.flush()
            other: Future[None] = pool.submit(take_away, "anna", "ben")
            time.sleep(0.5)  # the other one asks who is left while this one has not ended
            assert not other.done()
        with pytest.raises(ForbiddenError, match="no administrator left"):
            other.result(timeout=20)
    with database.session(writes=False) as session:
        kept = select(User.name).where(User.role == "admin", User.disabled.is_(False))
        assert session.scalars(kept).all() == ["anna"]
