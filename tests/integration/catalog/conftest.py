"""The catalog service on a real database, one for each module."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.blobs.objects import ObjectBlobs, open_blobs
from libs.db.engine import Database
from libs.db.migrate import upgrade
from services.catalog.deps import MIGRATIONS
from services.catalog.settings import CatalogSettings
from services.catalog.tables import SCHEMA
from tests.integration.catalog.library import Library, library
from tests.support.clock import FakeClock
from tests.support.engines import Databases, patient


@pytest.fixture(scope="module")
def catalog_url(databases: Databases) -> str:
    def prepare(url: str) -> None:
        upgrade(url, SCHEMA, MIGRATIONS)

    return databases.fresh(SCHEMA, prepare)


@pytest.fixture
async def database(catalog_url: str) -> AsyncIterator[Database]:
    database = patient(catalog_url, pool_size=5, max_overflow=25)
    yield database
    await database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def blobs(tmp_path: Path) -> ObjectBlobs:
    return open_blobs(f"file://{tmp_path / 'blobs'}")


@pytest.fixture
def settings() -> CatalogSettings:
    return CatalogSettings.model_validate({"max_bytes": 2_000_000, "spool_bytes": 100_000})


@pytest.fixture
async def lib(
    database: Database, blobs: ObjectBlobs, clock: FakeClock, settings: CatalogSettings
) -> AsyncIterator[Library]:
    async with library(database, blobs, clock, settings) as running:
        yield running
