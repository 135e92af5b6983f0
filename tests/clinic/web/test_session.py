"""First run, signing in and out, one's own account."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from myosono.clinic.accounts.login import FREE_BY_BOTH
from myosono.clinic.database.engine import Database
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.web.app import create_app

WORDS = "several unrelated words"
OTHER = "other unrelated words"


def cookie_of(answer: Any, name: str) -> str:
    return next(value for value in answer.headers.get_list("set-cookie") if value.startswith(f"{name}="))


def test_the_first_visitor_makes_the_administrator(visitor: Any) -> None:
    page = visitor.get("/")
    assert page.url.path == "/setup"
    assert 'name="token"' not in page.text  # this computer only: no code is needed
    answer = visitor.send_form("/setup", name="Anna", full_name="Anna Arzt", password=WORDS, again=WORDS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Anna Arzt" in visitor.get("/admin").text
    # Nobody can do it again.
    assert visitor.get("/setup", follow_redirects=False).headers["location"] == "/login"
    assert visitor.send_form("/setup", name="eve", password=WORDS, again=WORDS).status_code == 404


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"again": "something else here"}, "The two passwords differ."),
        ({"password": "short", "again": "short"}, "The password is too short"),
        ({"name": "a b"}, "A user name has 2 to 100 letters"),
    ],
)
def test_a_set_up_that_fails_says_why_and_keeps_what_was_typed(
    visitor: Any, change: dict[str, str], reason: str
) -> None:
    secret = {"password": "correct battery staple", "again": "correct battery staple"}
    said = {"name": "anna", "full_name": 'Anna "A" <b>', **secret} | change
    answer = visitor.send_form("/setup", **said)
    assert answer.status_code == 400
    assert reason in answer.text
    assert "Anna &#34;A&#34; &lt;b&gt;" in answer.text
    assert "correct battery staple" not in answer.text


def test_on_the_network_the_set_up_needs_the_printed_code(settings: ClinicSettings, database: Database) -> None:
    app = create_app(settings.model_copy(update={"host": "0.0.0.0"}), database)
    client = TestClient(app, base_url="http://192.168.0.5:8080", headers={"accept": "text/html"})
    page = client.get("/setup")
    assert 'name="token"' in page.text
    assert app.state.setup_token not in page.text
    found = re.search(r'csrf-token" content="([^"]+)"', page.text)
    assert found is not None
    said = {"csrf_token": found[1], "name": "anna", "password": WORDS, "again": WORDS}
    assert client.post("/setup", data=said).status_code == 403
    assert "set-up code is wrong" in client.post("/setup", data={**said, "token": "x"}).text
    answer = client.post("/setup", data={**said, "token": f" {app.state.setup_token} "}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_behind_a_proxy_the_set_up_needs_the_code_too(settings: ClinicSettings, database: Database) -> None:
    app = create_app(settings.model_copy(update={"trusted_proxies": ("127.0.0.1",)}), database)
    assert app.state.setup_token is not None


def test_a_wrong_password_is_not_told_from_a_wrong_name(visitor: Any, people: None) -> None:
    pages = [visitor.send_form("/login", name=name, password="wrong") for name in ("ben", "nobody")]
    assert [page.status_code for page in pages] == [401, 401]
    assert all("The user name or the password is wrong." in page.text for page in pages)


def test_who_guesses_has_to_wait(visitor: Any, people: None) -> None:
    for _ in range(FREE_BY_BOTH):
        assert visitor.send_form("/login", name="ben", password="wrong").status_code == 401
    answer = visitor.send_form("/login", name="ben", password=WORDS)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 2
    assert "Try again in" in answer.text


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app: FastAPI, people: None, browse: Any) -> None:
    answer = browse().send_form("/login", name="ben", password=WORDS)
    cookie = cookie_of(answer, "myosono_session")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    secure = TestClient(app, base_url="https://127.0.0.1:8443", headers={"accept": "text/html"})
    assert cookie_of(secure.get("/login"), "myosono_csrf").endswith("; Secure")
    token = secure.cookies["myosono_csrf"]
    said = {"name": "ben", "password": WORDS, "csrf_token": token}
    answer = secure.post("/login", data=said, follow_redirects=False)
    assert cookie_of(answer, "myosono_session").endswith("; Secure")


def test_signing_out_ends_the_session_on_the_server(reader: Any, app: FastAPI) -> None:
    stolen = reader.cookies["myosono_session"]
    assert reader.send_form("/logout").headers["location"] == "/login"
    thief = TestClient(app, base_url="http://127.0.0.1:8080", cookies={"myosono_session": stolen})
    assert thief.get("/account", follow_redirects=False).status_code == 401


def test_signing_out_everywhere_else(browse: Callable[[], Any], people: None) -> None:
    here, there = browse().sign_in("ben"), browse().sign_in("ben")
    assert here.send_form("/account/sessions/end").status_code == 303
    assert here.get("/account").status_code == 200
    assert there.get("/account").url.path == "/login"


def test_a_changed_password_keeps_this_browser_and_ends_others(browse: Callable[[], Any], people: None) -> None:
    here, there = browse().sign_in("ben"), browse().sign_in("ben")
    wrong = here.send_form("/account/password", old="wrong", password=OTHER, again=OTHER)
    assert wrong.status_code == 401
    assert here.send_form("/account/password", old=WORDS, password=OTHER, again="x").status_code == 400
    answer = here.send_form("/account/password", old=WORDS, password=OTHER, again=OTHER)
    assert "The password was changed." in here.get(answer.headers["location"]).text
    assert there.get("/account").url.path == "/login"
    assert browse().send_form("/login", name="ben", password=WORDS).status_code == 401
    assert browse().sign_in("ben", OTHER)


def test_a_changed_password_revokes_tokens_and_the_page_says_so(reader: Any, program: Any) -> None:
    assert program.get("/api/v1/studies").status_code == 200
    assert "revokes your API tokens" in reader.get("/account").text
    answer = reader.send_form("/account/password", old=WORDS, password=OTHER, again=OTHER)
    assert "your API tokens are revoked" in reader.get(answer.headers["location"]).text
    assert program.get("/api/v1/studies").status_code == 401


def test_guessing_the_old_password_is_slowed_down_too(reader: Any) -> None:
    said = {"old": "wrong", "password": OTHER, "again": OTHER}
    codes = [reader.send_form("/account/password", **said).status_code for _ in range(FREE_BY_BOTH + 1)]
    assert codes == [401] * FREE_BY_BOTH + [429]


def test_a_token_is_shown_once_works_and_ends(reader: Any, app: FastAPI) -> None:
    page = reader.send_form("/account/tokens", name="Export <script>")
    found = re.search(r"myo_[\w-]{40,}", page.text)
    assert found is not None
    assert "<script>" not in page.text.split("<body>")[1]
    listed = reader.get("/account").text
    assert found[0] not in listed
    program = TestClient(app, base_url="http://127.0.0.1:8080", headers={"authorization": f"Bearer {found[0]}"})
    assert program.get("/api/openapi.json").status_code == 200
    assert program.get("/admin").status_code == 403  # ben's rights, no more
    number = re.search(r"/account/tokens/(\d+)/revoke", listed)
    assert number is not None
    assert reader.send_form(number[0]).status_code == 303
    assert program.get("/api/openapi.json").status_code == 401


def test_nobody_revokes_anothers_token(reader: Any, admin: Any) -> None:
    reader.send_form("/account/tokens", name="mine")
    assert admin.send_form("/account/tokens/1/revoke").status_code == 404


def test_language_and_light_are_remembered(reader: Any, browse: Callable[[], Any]) -> None:
    answer = reader.send_form("/preferences", language="zh-CN", next="/account")
    page = reader.get(answer.headers["location"])
    assert '<html lang="zh-CN"' in page.text
    assert "退出登录" in page.text
    reader.send_form("/preferences", theme="dark")
    assert 'data-theme="dark"' in reader.get("/account").text
    assert '<html lang="zh-CN"' in browse().sign_in("ben").get("/account").text  # another browser, the same user
    assert reader.send_form("/preferences", language="xx").status_code == 400
    assert reader.send_form("/preferences", theme="<b>").status_code == 400


def test_the_browsers_language_is_the_first_choice(visitor: Any, people: None) -> None:
    page = visitor.get("/login", headers={"accept-language": "fr, zh-TW;q=0.8, en;q=0.5"})
    assert '<html lang="zh-CN"' in page.text
    assert '<html lang="en"' in visitor.get("/login", headers={"accept-language": "fr"}).text
