"""What the tests of the web pages share: an application, and clients that are signed in, are not, or are programs."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import argon2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from myosono.clinic.accounts import passwords
from myosono.clinic.accounts.tokens import create_token
from myosono.clinic.accounts.users import create_user, find_user
from myosono.clinic.database.engine import Database
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.web import app as web_app
from myosono.clinic.web.app import create_app

if TYPE_CHECKING:
    from httpx import Response

ORIGIN = "http://127.0.0.1:8080"
PASSWORD = "several unrelated words"


@pytest.fixture(autouse=True, scope="session")
def _quick() -> Iterator[None]:
    """The model's facts are read once, and hashes are made with little memory: both cost seconds on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web_app, "load", functools.cache(web_app.load))
        patch.setattr(passwords, "_HASHER", argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture
def app(settings: ClinicSettings, database: Database) -> FastAPI:
    """A clinic with accounts and no user yet."""
    return create_app(settings, database)


@pytest.fixture
def people(database: Database) -> None:
    """An administrator ``anna`` and a reader ``ben``."""
    with database.session() as session:
        create_user(session, "anna", PASSWORD, role="admin", full_name="Anna Arzt")
        create_user(session, "ben", PASSWORD, full_name="Ben Lee")


@pytest.fixture
def browse(app: FastAPI) -> Iterator[Callable[[], Browser]]:
    """Opens browsers on the clinic; they are closed at the end."""
    opened: list[Browser] = []

    def open_one() -> Browser:
        opened.append(Browser(app))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def visitor(browse: Callable[[], Browser]) -> Browser:
    """Nobody in particular."""
    return browse()


@pytest.fixture
def admin(browse: Callable[[], Browser], people: None) -> Browser:
    """Anna, signed in."""
    return browse().sign_in("anna")


@pytest.fixture
def reader(browse: Callable[[], Browser], people: None) -> Browser:
    """Ben, signed in."""
    return browse().sign_in("ben")


@pytest.fixture
def program(app: FastAPI, database: Database, people: None) -> Iterator[TestClient]:
    """A program with an API token of ben's."""
    with with_token(app, database, "ben") as client:
        yield client


@contextmanager
def with_token(app: FastAPI, database: Database, name: str) -> Iterator[TestClient]:
    with database.session() as session:
        user = find_user(session, name)
        assert user is not None
        token = create_token(session, user, "test")
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    with TestClient(app, base_url=ORIGIN, headers=headers) as client:
        yield client


@pytest.fixture
def admin_program(app: FastAPI, database: Database, people: None) -> Iterator[TestClient]:
    """A program with an API token of the administrator's."""
    with with_token(app, database, "anna") as client:
        yield client


class Browser(TestClient):
    """A client that asks for pages and keeps cookies. `send_form` adds the CSRF token, as pages do."""

    def __init__(self, app: FastAPI, origin: str = ORIGIN) -> None:
        headers = {"accept": "text/html,*/*;q=0.8", "accept-language": "en"}
        super().__init__(app, base_url=origin, headers=headers, raise_server_exceptions=False)

    def sign_in(self, name: str, password: str = PASSWORD) -> Browser:
        """Sign in, which must succeed."""
        answer = self.send_form("/login", name=name, password=password)
        assert answer.status_code == 303, answer.text
        return self

    def csrf(self, page: str = "/login") -> str:
        """The token that stands in the pages of this browser."""
        found = re.search(r'name="csrf-token" content="([^"]*)"', self.get(page).text)
        assert found is not None
        return found[1]

    def send_form(self, address: str, **fields: object) -> Response:
        """Post a form with its token; redirects are not followed."""
        data = {"csrf_token": self.csrf(), **fields}
        return self.post(address, data=data, follow_redirects=False)

    def fetch(self, method: str, address: str, **options: object) -> Response:
        """What a script sends: the token in the header, JSON wanted."""
        headers = {"x-csrf-token": self.csrf(), "accept": "application/json"}
        return self.request(method, address, headers=headers, **options)  # type: ignore[arg-type]
