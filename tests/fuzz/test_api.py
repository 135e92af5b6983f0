"""The JSON API against its own OpenAPI description (schemathesis): whatever is asked, no answer is a server's error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytest.importorskip("fastapi", reason="the extra 'clinic' is not installed")

import schemathesis
from fastapi.testclient import TestClient
from fuzzing import seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from myosono.clinic.accounts.tokens import create_token
from myosono.clinic.accounts.users import create_user, find_user
from myosono.clinic.database.engine import Database
from myosono.clinic.files.intake import Origin, accept
from myosono.clinic.settings import ClinicSettings, UploadLimits
from myosono.clinic.web.app import create_app
from myosono.clinic.work.worker import Worker

ORIGIN = "http://127.0.0.1:8080"
_SETTINGS = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
_IDS = ("study_id", "image_id", "opinion_id")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A program with a reader's token, in a clinic that has one study, read, with an image that cannot be read."""
    folder: Path = tmp_path_factory.mktemp("clinic")
    chosen = ClinicSettings(data=folder, uploads=UploadLimits(free_bytes=0))
    database = Database(chosen)
    app = create_app(chosen, database)
    with database.session() as session:
        create_user(session, "ben", "several unrelated words", full_name="Ben Lee")
        user = find_user(session, "ben")
        assert user is not None
        token = create_token(session, user, "fuzz")
        for number, data in enumerate((seeds.ultrasound(2), seeds.stills("PNG")[0], seeds.stills("JPEG")[0][:300])):
            origin = Origin("upload", "ben", name=f"{number}.bin", study_uid="2.25.7")
            accept(session, app.state.files, data, origin)
    worker = Worker(chosen, database=database)
    while worker.run_once():
        pass
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    with TestClient(app, base_url=ORIGIN, headers=headers) as opened:
        yield opened
    database.close()


def _operations(client: TestClient) -> list[Any]:
    description = schemathesis.openapi.from_dict(client.app.openapi())  # type: ignore[attr-defined]
    return [found.ok() for found in description.get_all_operations()]


@pytest.mark.slow
def test_no_request_makes_the_server_fail(client: TestClient) -> None:
    operations = _operations(client)
    assert len(operations) >= 10
    asked = {mode: sum(_asked(client, operation, mode) for operation in operations) for mode in GenerationMode}
    assert asked[GenerationMode.POSITIVE] == len(operations)
    # What takes no parameter can be asked in no wrong way.
    assert asked[GenerationMode.NEGATIVE] >= len(operations) / 2


def _asked(client: TestClient, operation: Any, mode: GenerationMode) -> bool:
    """Ask for it in many ways; False if there is none."""

    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    @_SETTINGS
    def ask(case: Any, real: bool) -> None:
        if real:  # of what is there, since numbers by chance hardly ever are
            for name in _IDS:
                if name in (case.path_parameters or {}):
                    case.path_parameters[name] = 1
        wanted = case.as_transport_kwargs(base_url=ORIGIN)
        wanted["headers"] = {**(wanted.get("headers") or {}), **client.headers}
        known = ("method", "url", "params", "headers", "json", "data", "files", "content", "cookies")
        answer = client.request(**{key: value for key, value in wanted.items() if key in known})
        assert answer.status_code < 500, (operation.label, answer.status_code, answer.text[:300])

    try:
        ask()
    except Unsatisfiable:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", bytes(100_000)])
@pytest.mark.parametrize("name", ["../../x.png", "", "\0", "a" * 5000, "/etc/passwd", "x.zip", "%2e%2e/x"])
def test_hostile_uploads_are_refused_in_words(client: TestClient, data: bytes, name: str) -> None:
    begun = client.post("/api/v1/uploads")
    assert begun.status_code == 201, begun.text
    upload = begun.json()["upload"]
    answer = client.post(f"/api/v1/uploads/{upload}/files", params={"name": name}, content=data)
    assert answer.status_code < 500, answer.text
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.slow
@pytest.mark.parametrize("text", [r"\ud83d", r"\u0000", "[" * 50_000, "9" * 5000, r"\u202e", "NaN", "1e999"])
def test_hostile_json_is_refused_in_words(client: TestClient, text: str) -> None:
    """What no JSON writer sends, so that schemathesis does not either."""
    bodies = [f'{{"notes": "{text}"}}', f'{{"diagnosis": "{text}"}}', f'{{"heckmatt": {{"RD": {text}}}}}', text]
    for body in bodies:
        headers = {"content-type": "application/json"}
        answer = client.put("/api/v1/studies/1/opinion", content=body.encode(), headers=headers)
        assert answer.status_code < 500, (body[:60], answer.text[:300])
        assert client.get("/api/v1/studies/1/opinion").status_code < 500
        assert client.get("/api/v1/studies/1/report.fhir.json").status_code < 500
