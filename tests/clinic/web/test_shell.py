"""Headers, hosts, errors, health: what holds for every answer."""

from __future__ import annotations

import errno
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from packaging.requirements import Requirement
from sqlalchemy.exc import TimeoutError as PoolTimeout

import myosono
from myosono.clinic.database.engine import Database
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.web import server
from myosono.clinic.web.app import check_exposure, create_app
from myosono.clinic.web.errors import status_of
from myosono.clinic.web.hosts import host_name, is_loopback
from myosono.errors import (
    ArtefactError,
    ClinicError,
    ConflictError,
    DiskFullError,
    ForbiddenError,
    NotFoundError,
    PeerError,
    UnavailableError,
    UploadError,
)


def test_health_is_told_to_anyone(visitor: Any) -> None:
    answer = visitor.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "model": "stanet_s-simulated", "version": myosono.__version__}


def test_health_tells_of_a_database_that_has_gone(visitor: Any, database: Database, settings: ClinicSettings) -> None:
    database.engine.dispose()
    for file in settings.data.glob("clinic.db*"):
        file.unlink()
    answer = visitor.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "database"


def test_health_tells_of_a_full_disk(settings: ClinicSettings, database: Database) -> None:
    full = settings.model_copy(update={"uploads": settings.uploads.model_copy(update={"free_bytes": 2**62})})
    answer = TestClient(create_app(full, database), base_url="http://127.0.0.1").get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "disk")


def test_health_tells_of_a_reading_process_that_is_missing(app: FastAPI, visitor: Any, database: Database) -> None:
    app.state.reading_missing = lambda: True
    answer = visitor.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "reading", "model": "stanet_s-simulated", "version": myosono.__version__}


def test_the_server_has_its_reading_process_watched(settings: ClinicSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        missing = True

        def __init__(self, _: ClinicSettings) -> None: ...
        def start(self) -> None: ...
        def stop(self) -> None: ...

    monkeypatch.setattr(server, "WorkerProcess", Missing)
    served = server.ClinicServer(settings)
    with ExitStack() as parts:
        parts.callback(served.database.close)
        served._start_parts(parts)
        answer = TestClient(served.app, base_url="http://127.0.0.1").get("/healthz")
    assert answer.json()["status"] == "reading"


def test_pages_say_when_the_database_has_gone(reader: Any, database: Database, settings: ClinicSettings) -> None:
    database.engine.dispose()
    for file in settings.data.glob("clinic.db*"):
        file.unlink()
    answer = reader.get("/account")
    assert answer.status_code == 503
    assert "The clinic is not ready" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "path", ["/login", "/healthz", "/nothing", "/static/base.css", "/account", "/api/openapi.json"]
)
def test_every_answer_has_the_headers(reader: Any, path: str) -> None:
    headers = reader.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "geolocation=()" in headers["permissions-policy"]
    kept = headers["cache-control"]
    assert kept == ("no-cache" if path.startswith("/static") else "no-store")


def test_hashed_files_are_kept_for_good(reader: Any) -> None:
    assert "immutable" in reader.get("/static/base.css?v=0").headers["cache-control"]
    assert reader.get("/static/../app.py").status_code == 404
    assert reader.get("/static/%2e%2e/app.py").status_code == 404


def test_no_page_has_an_inline_script_or_style(admin: Any) -> None:
    for path in ("/login", "/account", "/admin", "/admin/users", "/admin/audit", "/nothing", "/"):
        page = admin.get(path).text
        assert "<style" not in page, path
        assert " style=" not in page, path
        assert " onclick=" not in page, path
        assert all(" src=" in tag.split(">")[0] for tag in page.split("<script")[1:]), path
        assert "http://" not in page.replace('xmlns="http://www.w3.org/2000/svg"', ""), path
        assert "https://" not in page, path


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("127.0.0.1:8080", True),
        ("localhost", True),
        ("[::1]:8080", True),
        ("192.168.1.20", True),
        ("[fe80::1]:80", True),
        ("clinic.example.org", True),
        ("CLINIC.example.org.:443", True),
        ("evil.example", False),
        ("clinic.example.org.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1:80/static/x?", False),
        ("localhost:1#", False),
        ("[::1]/static/", False),
        ("anna@127.0.0.1", False),
        ("", False),
    ],
)
def test_foreign_names_are_refused(settings: ClinicSettings, database: Database, header: str, known: bool) -> None:
    app = create_app(settings.model_copy(update={"trusted_hosts": ("clinic.example.org",)}), database)
    answer = TestClient(app, base_url="http://127.0.0.1").get("/healthz", headers={"host": header})
    assert answer.status_code == (200 if known else 400)


def test_names_of_hosts() -> None:
    assert host_name("[::1]:80") == "::1"
    assert host_name("A.b:1") == "a.b"
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "")))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "clinic.example.org"])
def test_without_accounts_the_network_stays_out(settings: ClinicSettings, host: str) -> None:
    with pytest.raises(ClinicError, match="cannot be open to the network"):
        create_app(settings.model_copy(update={"accounts": False, "host": host}))


def test_without_accounts_no_proxy_may_open_it_either(settings: ClinicSettings) -> None:
    with pytest.raises(ClinicError, match="cannot be open to the network"):
        check_exposure(settings.model_copy(update={"accounts": False, "trusted_proxies": ("127.0.0.1",)}))


def test_half_a_certificate_is_refused(settings: ClinicSettings, tmp_path: Path) -> None:
    with pytest.raises(ClinicError, match="needs both"):
        check_exposure(settings.model_copy(update={"tls_key": tmp_path / "key.pem"}))
    both = {"tls_key": tmp_path / "key.pem", "tls_certificate": tmp_path / "certificate.pem"}
    with pytest.raises(ClinicError, match=r"certificate\.pem: no such file"):
        check_exposure(settings.model_copy(update=both))


def test_what_is_no_certificate_is_refused(settings: ClinicSettings, tmp_path: Path) -> None:
    for name in ("key.pem", "certificate.pem"):
        (tmp_path / name).write_text("not PEM")
    both = {"tls_key": tmp_path / "key.pem", "tls_certificate": tmp_path / "certificate.pem"}
    with pytest.raises(ClinicError, match=r"certificate\.pem: the certificate cannot be used"):
        check_exposure(settings.model_copy(update=both))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("x"), 404),
        (ForbiddenError("x"), 403),
        (ConflictError("x"), 409),
        (UploadError("x"), 422),
        (DiskFullError("x"), 507),
        (UnavailableError("x"), 503),
        (PeerError("x"), 502),
        (ClinicError("x"), 400),
        (ArtefactError("x"), 500),
    ],
)
def test_each_error_has_its_status(app: FastAPI, error: ClinicError, status: int) -> None:
    assert status_of(error) == status


@pytest.fixture
def failing(app: FastAPI, admin: Any) -> Any:
    """A page that raises what the test puts there."""
    raised: list[Exception] = []

    def fail() -> None:
        raise raised[0]

    app.get("/api/fail")(fail)
    app.get("/fail")(fail)
    admin.raised = raised
    return admin


def test_an_error_is_a_page_for_people_and_json_for_programs(failing: Any) -> None:
    failing.raised.append(ConflictError("it is signed", path="/srv/secret/path", remedy="Amend it."))
    page = failing.get("/fail")
    assert page.status_code == 409
    assert "It is signed." in page.text
    assert "Amend it." in page.text
    answer = failing.get("/api/fail")
    assert answer.status_code == 409
    assert answer.json() == {"detail": "it is signed. Amend it."}
    assert "/srv/secret" not in page.text + answer.text


def test_the_unexpected_says_nothing_of_the_inside(failing: Any) -> None:
    failing.raised.append(RuntimeError("password=hunter2"))
    for path in ("/fail", "/api/fail"):
        answer = failing.get(path)
        assert answer.status_code == 500
        assert "hunter2" not in answer.text
        assert "Traceback" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_full_disk_is_said(failing: Any) -> None:
    failing.raised.append(OSError(errno.ENOSPC, "No space left on device"))
    assert failing.get("/fail").status_code == 507
    failing.raised[0] = OSError(errno.EACCES, "Permission denied")
    assert failing.get("/fail").status_code == 500


@pytest.mark.parametrize("number", ["9" * 30, str(2**63), "-1", "x"])
def test_impossible_numbers_are_no_breakdown(admin: Any, number: str) -> None:
    assert admin.send_form(f"/admin/users/{number}", action="disable").status_code in (404, 422)
    assert admin.get(f"/studies/{number}").status_code in (404, 422)
    assert admin.get(f"/admin/audit?page={number}").status_code == 422


def test_a_busy_database_is_said(database: Database) -> None:
    def busy() -> None:
        raise PoolTimeout("QueuePool limit reached")

    with pytest.raises(UnavailableError, match="busy"), database.session():
        busy()


def test_errors_are_told_in_chinese_too(failing: Any) -> None:
    failing.raised.append(NotFoundError("no user 7"))
    failing.send_form("/preferences", language="zh-CN")
    page = failing.get("/fail").text
    assert "此处没有内容" in page
    assert "没有用户 7。" in page
    assert failing.get("/api/fail").json() == {"detail": "no user 7", "message": "没有用户 7。"}


def test_a_bad_form_names_the_field(admin: Any) -> None:
    answer = admin.send_form("/admin/users", name="x")
    assert answer.status_code == 422
    assert "Password: Field required." in answer.text
    detail = admin.fetch("POST", "/admin/users", data={"name": "x"}).json()["detail"]
    assert detail[0]["loc"] == ["body", "password"]
    assert "input" not in detail[0]


def test_the_least_fastapi_that_may_be_installed_starts() -> None:
    """Up to 0.116.2 it refuses a route of status 204 whose function returns None (seen with 0.115.6 to 0.117.0)."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [Requirement(line) for line in project["project"]["optional-dependencies"]["clinic"]]
    (fastapi,) = [one.specifier for one in wanted if one.name == "fastapi"]
    assert not list(fastapi.filter(["0.115.6", "0.115.12", "0.116.1", "0.116.2"]))
    assert "0.117.0" in fastapi
