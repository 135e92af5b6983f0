from __future__ import annotations

import argon2
import pytest
from sqlalchemy import select

from myosono.clinic import audit
from myosono.clinic.accounts.login import log_in
from myosono.clinic.accounts.sessions import close_all_sessions, close_session, find_session, open_session
from myosono.clinic.accounts.tokens import create_token, find_token, is_use_due, list_tokens, note_use, revoke_token
from myosono.clinic.accounts.users import (
    create_first_admin,
    create_user,
    find_user,
    get_user,
    has_users,
    list_users,
    local_user,
    set_disabled,
    set_password,
    set_role,
)
from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import ApiToken, AuditEntry, LoginSession
from myosono.errors import ClinicError, ConflictError, ForbiddenError, NotFoundError

WORDS = "several unrelated words"


def test_names_are_kept_in_lower_case_and_given_once(database: Database) -> None:
    with database.session() as session:
        create_user(session, " Anna.Arzt ", WORDS)
        assert find_user(session, "ANNA.arzt") is not None
        with pytest.raises(ConflictError, match=r"anna\.arzt is taken"):
            create_user(session, "anna.ARZT", WORDS)


@pytest.mark.parametrize("name", ["", "a", "-x", "a b", "a\n", "x" * 101, "<b>", "local", "System"])
def test_impossible_names_are_refused(database: Database, name: str) -> None:
    with database.session() as session, pytest.raises(ClinicError, match="user name"):
        create_user(session, name, WORDS)


def test_impossible_roles_and_passwords_are_refused(database: Database) -> None:
    with database.session() as session:
        with pytest.raises(ClinicError, match="no role 'owner'"):
            create_user(session, "anna", WORDS, role="owner")
        with pytest.raises(ClinicError, match="too short"):
            create_user(session, "anna", "short")
        assert find_user(session, "anna") is None


def test_the_first_admin_is_made_once(database: Database) -> None:
    with database.session() as session:
        local_user(session)
        assert not has_users(session)  # nobody can sign in as the local user
        assert create_first_admin(session, "anna", WORDS).role == "admin"
        with pytest.raises(ConflictError, match="already"):
            create_first_admin(session, "eve", WORDS)
        assert [user.name for user in list_users(session)] == ["anna"]


def test_an_admin_remains(database: Database) -> None:
    with database.session() as session:
        anna = create_user(session, "anna", WORDS, role="admin")
        ben = create_user(session, "ben", WORDS, role="admin")
        local_user(session)
        set_role(session, ben, "reader", by="anna")
        for change in (
            lambda: set_role(session, anna, "reader", by="x"),
            lambda: set_disabled(session, anna, True, by="x"),
        ):
            with pytest.raises(ForbiddenError, match="no administrator left"):
                change()
        set_role(session, ben, "admin", by="anna")
        set_disabled(session, anna, True, by="ben")
        with pytest.raises(ForbiddenError):
            set_role(session, ben, "reader", by="ben")  # a disabled admin does not count


def test_disabling_ends_sessions_and_tokens_for_good(database: Database) -> None:
    with database.session() as session:
        create_user(session, "anna", WORDS, role="admin")
        ben = create_user(session, "ben", WORDS)
        opened, token = open_session(session, ben, hours=1), create_token(session, ben, "export")
        assert find_session(session, opened.token) is not None
        assert find_token(session, token) is not None
        set_disabled(session, ben, True, by="anna")
        assert find_session(session, opened.token) is None
        set_disabled(session, ben, False, by="anna")
        assert find_session(session, opened.token) is None
        assert find_token(session, token) is None


@pytest.mark.parametrize("by", ["ben", "anna"])
def test_a_new_password_ends_all_sessions_and_tokens(database: Database, by: str) -> None:
    with database.session() as session:
        eve, ben = create_user(session, "eve", WORDS), create_user(session, "ben", WORDS)
        opened, token = open_session(session, ben, hours=1), create_token(session, ben, "export")
        kept = create_token(session, eve, "export")
        set_password(session, ben, "other unrelated words", by=by)
        assert find_session(session, opened.token) is None
        assert find_token(session, token) is None
        assert find_token(session, kept) is not None
    assert log_in(database, "ben", "other unrelated words", address="::1", hours=1).user.name == "ben"


def test_tokens_are_kept_as_hashes_only(database: Database) -> None:
    with database.session() as session:
        ben = create_user(session, "ben", WORDS)
        opened, token = open_session(session, ben, hours=1), create_token(session, ben, "export")
    with database.session(writes=False) as session:
        kept = [*session.scalars(select(LoginSession.token_hash)), *session.scalars(select(ApiToken.token_hash))]
        said = [str(entry.detail) for entry in session.scalars(select(AuditEntry))]
    assert len(kept) == 2
    assert opened.token not in kept
    assert token not in kept
    assert not any(token in text or opened.token in text or WORDS in text for text in said)


def test_a_session_expires_and_expired_ones_are_dropped(database: Database) -> None:
    with database.session() as session:
        ben = create_user(session, "ben", WORDS)
        old = open_session(session, ben, hours=-1)
        assert find_session(session, old.token) is None
        open_session(session, ben, hours=1)
        assert len(session.scalars(select(LoginSession)).all()) == 1


def test_sessions_are_closed_one_by_one_or_all_but_one(database: Database) -> None:
    with database.session() as session:
        ben = create_user(session, "ben", WORDS)
        here, there, elsewhere = (open_session(session, ben, hours=1) for _ in range(3))
        close_session(session, elsewhere.token)
        assert find_session(session, elsewhere.token) is None
        assert close_all_sessions(session, ben.id, but=here.token) == 1
        assert find_session(session, there.token) is None
        assert find_session(session, here.token) is not None


def test_tokens_belong_to_one_user(database: Database) -> None:
    with database.session() as session:
        ben, eve = create_user(session, "ben", WORDS), create_user(session, "eve", WORDS)
        token = create_token(session, ben, "export")
        (row,) = list_tokens(session, ben.id)
        with pytest.raises(NotFoundError):
            revoke_token(session, eve, row.id)
        assert find_token(session, token) is row
        assert find_token(session, token.removeprefix("myo_")) is None
        revoke_token(session, ben, row.id)
        assert find_token(session, token) is None
        with pytest.raises(NotFoundError):
            revoke_token(session, ben, row.id)
        for name in ("", " ", "x" * 101):
            with pytest.raises(ClinicError, match="needs a name"):
                create_token(session, ben, name)


def test_the_use_of_a_token_is_noted_once_a_minute(database: Database) -> None:
    with database.session() as session:
        ben = create_user(session, "ben", WORDS)
        token = create_token(session, ben, "export")
        row = find_token(session, token)
        assert row is not None
        assert is_use_due(row)
        note_use(session, row.id)
        session.refresh(row)
        assert not is_use_due(row)


def test_a_weak_hash_is_made_anew_at_the_login(database: Database) -> None:
    with database.session() as session:
        ben = create_user(session, "ben", WORDS)
        ben.password_hash = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(WORDS)
        weak = ben.password_hash
    log_in(database, "ben", WORDS, address="::1", hours=1)
    log_in(database, "ben", WORDS, address="::1", hours=1)
    with database.session(writes=False) as session:
        assert get_user(session, 1).password_hash != weak


def test_who_changed_which_account_is_in_the_log(database: Database) -> None:
    with database.session() as session:
        create_user(session, "anna", WORDS, role="admin")
        ben = create_user(session, "ben", WORDS, by="anna")
        set_role(session, ben, "admin", by="anna")
        set_role(session, ben, "admin", by="anna")  # nothing changed, nothing to log
        set_password(session, ben, "other unrelated words", by="ben")
        set_disabled(session, ben, True, by="anna")
    with database.session(writes=False) as session:
        said = [(entry.user, entry.action, entry.detail.get("name")) for entry in session.scalars(select(AuditEntry))]
        assert said[1:] == [
            ("anna", "user-created", "ben"),
            ("anna", "role-changed", "ben"),
            ("ben", "password-changed", "ben"),
            ("anna", "user-disabled", "ben"),
        ]
        assert audit.check_chain(session) == 5
