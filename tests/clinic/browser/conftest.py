"""A running clinic with two read studies, and a Chromium that looks at it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from myosono.clinic.database.engine import Database
from myosono.clinic.files.intake import Origin, accept
from myosono.clinic.files.store import FileStore
from myosono.clinic.settings import ClinicSettings, UploadLimits
from myosono.clinic.web.app import create_app
from myosono.clinic.work.reader import StudyReader
from myosono.clinic.work.worker import Worker

from ..conftest import muscle_png
from .cine import two_scales

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass(frozen=True)
class Clinic:
    """Where it answers, and the studies in it."""

    url: str
    study: int
    cine: int
    settings: ClinicSettings


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory, study_reader: StudyReader) -> Iterator[Clinic]:
    """Without accounts, on a free port; its worker runs in a thread."""
    data = tmp_path_factory.mktemp("browser")
    settings = ClinicSettings(data=data / "clinic", accounts=False, uploads=UploadLimits(free_bytes=0))
    app = create_app(settings)
    study, cine = _fill(settings, app.state.database, data, study_reader)
    stop = threading.Event()
    worker = Worker(settings, database=app.state.database, reader=study_reader)
    reading = threading.Thread(target=worker.run_forever, args=(stop,))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    serving = threading.Thread(target=server.run)
    serving.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    reading.start()
    yield Clinic(f"http://127.0.0.1:{port}", study, cine, settings)
    stop.set()
    app.state.events.close()
    server.should_exit = True
    serving.join()
    reading.join()


def _fill(settings: ClinicSettings, database: Database, folder: Path, reader: StudyReader) -> tuple[int, int]:
    store = FileStore(settings)
    path = two_scales(folder / "cine.dcm")
    with database.session() as session:
        for number, site in enumerate(("RD", "LD", "RB", "LB", "RG")):
            origin = Origin("upload", "tester", name=f"P001_{site}_1.png", study_uid="1.2.3")
            study = accept(session, store, muscle_png(number), origin).study.id
        accept(
            session,
            store,
            b"\x89PNG\r\n\x1a\n broken",
            Origin("upload", "tester", name="P001_LG_1.png", study_uid="1.2.3"),
        )
        cine = accept(session, store, path, Origin("upload", "tester", name="cine.dcm")).study.id
    worker = Worker(settings, database=database, reader=reader)
    while worker.run_once():
        pass
    return study, cine


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.Browser]:
    """Debian's Chromium; ended with each module, as its event loop stands in the way of other tests' own."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


OpenPage = Callable[..., "playwright.Page"]


@pytest.fixture
def open_page(chromium: playwright.Browser, clinic: Clinic) -> Iterator[OpenPage]:
    """``open_page("/", language=..., theme=..., size=..., touch=...)``; a fault in a page's scripts fails the test.

    ``refusals``: the clinic may refuse requests, which stands in the browser's console too.
    """
    contexts, wrong = [], []

    def open_one(
        path: str,
        *,
        language: str = "en",
        theme: str = "light",
        size: tuple[int, int] = (1280, 800),
        touch: bool = False,
        refusals: bool = False,
    ):
        view = {"width": size[0], "height": size[1]}
        context = chromium.new_context(viewport=view, locale=language, has_touch=touch)
        contexts.append(context)
        cookies = {"myosono_language": language, "myosono_theme": theme}
        context.add_cookies([{"name": name, "value": value, "url": clinic.url} for name, value in cookies.items()])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))

        def hear(said: playwright.ConsoleMessage) -> None:
            if said.type == "error" and not (refusals and said.text.startswith("Failed to load resource")):
                wrong.append(said.text)

        page.on("console", hear)
        page.goto(clinic.url + path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not wrong, wrong
