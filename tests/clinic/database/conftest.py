"""Both databases: what holds for one must hold for the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from myosono.clinic.database.engine import Database
from myosono.clinic.settings import ClinicSettings


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_settings(request: pytest.FixtureRequest, settings: ClinicSettings) -> ClinicSettings:
    """Settings that lead to an empty database, without any table."""
    if request.param == "sqlite":
        return settings
    return settings.model_copy(update={"database_url": request.getfixturevalue("postgresql_url")})


@pytest.fixture
def bare(bare_settings: ClinicSettings) -> Iterator[Database]:
    """An empty database, without any table."""
    opened = Database(bare_settings)
    yield opened
    opened.close()
