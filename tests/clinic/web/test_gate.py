"""The gate: every page is closed unless listed, and a changing request must come from our own page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.datastructures import URL

from myosono.clinic.database.engine import Database
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.web.app import create_app
from myosono.clinic.web.gate import PUBLIC

OPEN = {"/healthz", "/login", "/setup", "/preferences", "/locale/{language}.js"}


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every page and every part of the API."""
    described = [(route.path, sorted(route.methods)) for route in all_routes(app.routes)]
    return sorted((method, path) for path, methods in described for method in methods if method != "HEAD")


def all_routes(routes: Any) -> list[APIRoute]:
    found = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "original_router"):
            found += all_routes(route.original_router.routes)
    return found


def fill(path: str) -> str:
    return "/".join("1" if part.startswith("{") else part for part in path.split("/"))


def test_every_route_is_closed_to_strangers(app: FastAPI, people: None) -> None:
    closed = [one for one in routes_of(app) if one[1] not in OPEN]
    assert len(closed) > 10
    stranger = TestClient(app, base_url="http://127.0.0.1:8080", headers={"accept": "application/json"})
    for method, path in closed:
        answer = stranger.request(method, fill(path), follow_redirects=False)
        assert answer.status_code == 401, (method, path)


def test_every_changing_route_needs_the_token_of_the_page(app: FastAPI, admin: Any) -> None:
    changing = [one for one in routes_of(app) if one[0] != "GET"]
    assert len(changing) > 5
    for method, path in changing:
        answer = admin.request(method, fill(path), follow_redirects=False)
        assert answer.status_code == 403, (method, path)
        wrong = admin.request(method, fill(path), headers={"x-csrf-token": "wrong"}, follow_redirects=False)
        assert wrong.status_code == 403, (method, path)


def test_a_reader_sees_no_administration(app: FastAPI, reader: Any) -> None:
    closed = [(method, path) for method, path in routes_of(app) if path.startswith("/admin")]
    assert len(closed) >= 6
    for method, path in closed:
        assert reader.fetch(method, fill(path), data={}).status_code in (403, 422), (method, path)
    assert reader.get("/admin").status_code == 403
    assert "Administration</a>" not in reader.get("/account").text


def test_public_paths_are_exact() -> None:
    assert set(PUBLIC) == {"/healthz", "/login", "/setup", "/preferences"}


def test_strangers_are_led_to_the_login_and_back(visitor: Any, people: None) -> None:
    answer = visitor.get("/account?done=password", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/account%3Fdone%3Dpassword"
    page = visitor.get(answer.headers["location"])
    assert 'name="next" value="/account?done=password"' in page.text


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/a\nb", "/\\/x"]
)
def test_login_never_leads_to_another_site(visitor: Any, people: None, target: str) -> None:
    answer = visitor.send_form("/login", name="ben", password="several unrelated words", next=target)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


def test_another_site_cannot_send_even_with_the_token(reader: Any) -> None:
    headers = {"x-csrf-token": reader.csrf(), "sec-fetch-site": "cross-site"}
    assert reader.post("/account/sessions/end", headers=headers).status_code == 403
    headers["sec-fetch-site"] = "same-origin"
    assert reader.post("/account/sessions/end", headers=headers, follow_redirects=False).status_code == 303


def test_the_token_of_one_session_does_not_fit_another(browse: Callable[[], Any], people: None) -> None:
    ben, anna = browse().sign_in("ben"), browse().sign_in("anna")
    stolen = anna.csrf()
    assert ben.post("/account/sessions/end", headers={"x-csrf-token": stolen}).status_code == 403


def test_a_program_needs_no_csrf_token_but_a_valid_api_token(program: TestClient, app: FastAPI) -> None:
    assert program.get("/api/openapi.json").status_code == 200
    bad = TestClient(app, base_url="http://127.0.0.1:8080", headers={"authorization": "Bearer myo_wrong"})
    answer = bad.get("/api/openapi.json")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "token" in answer.json()["detail"]


def test_a_program_cannot_make_tokens_or_change_the_password(program: TestClient) -> None:
    assert program.post("/account/tokens", data={"name": "more"}).status_code == 403
    words = {"old": "several unrelated words", "password": "other unrelated words", "again": "other unrelated words"}
    assert program.post("/account/password", data=words).status_code == 403


def test_a_large_form_is_refused_before_it_is_read(visitor: Any) -> None:
    visitor.csrf()
    answer = visitor.post("/login", data={"csrf_token": "x" * 100_000})
    assert answer.status_code == 403
    assert "too large" in answer.text


def test_without_accounts_everyone_is_admin_but_other_sites_are_not(
    settings: ClinicSettings, database: Database
) -> None:
    app = create_app(settings.model_copy(update={"accounts": False}), database)
    client = TestClient(app, base_url="http://localhost:8080", headers={"accept": "text/html"})
    page = client.get("/admin")
    assert page.status_code == 200
    assert "without accounts" in page.text
    assert client.post("/preferences", data={"theme": "dark"}).status_code == 403
    token = client.cookies["myosono_csrf"]
    sent = client.post("/preferences", data={"theme": "dark", "csrf_token": token}, follow_redirects=False)
    assert sent.status_code == 303
    assert client.post("/admin/users", data={"csrf_token": token, "name": "x", "password": "y"}).status_code == 403
    rebound = client.get("/admin", headers={"host": "evil.example:8080"})
    assert rebound.status_code == 400
    assert "trusted_hosts" in rebound.text
    assert client.get("/admin", headers={"host": "192.168.0.9"}).status_code == 400


def test_the_host_header_opens_nothing(app: FastAPI, people: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starlette 0.50 puts the header before the path as it came; newer versions look at it first."""
    told = URL("http://127.0.0.1:80/static/x?/api/v1/studies")
    monkeypatch.setattr(Request, "url", property(lambda request: told))
    stranger = TestClient(app, base_url="http://127.0.0.1:8080", headers={"accept": "application/json"})
    assert stranger.get("/api/v1/studies").status_code == 401
