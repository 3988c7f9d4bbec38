"""The small service schema of tests.support.notes, migrated."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import tests.support
from libs.db.engine import Database
from libs.db.migrate import upgrade
from tests.support.clock import FakeClock
from tests.support.engines import Databases, patient
from tests.support.notes import SUPPORT, NotesTransaction

MIGRATIONS = Path(tests.support.__path__[0]) / "notes_migrations"


@pytest.fixture
def notes_url(databases: Databases) -> str:
    def prepare(url: str) -> None:
        upgrade(url, "notes", MIGRATIONS)

    return databases.fresh("notes", prepare)


@pytest.fixture
async def database(notes_url: str) -> AsyncIterator[Database]:
    database = patient(notes_url, pool_size=5, max_overflow=25)
    yield database
    await database.close()


@pytest.fixture
def transaction(database: Database) -> Callable[[], NotesTransaction]:
    """Begins a transaction: ``async with transaction() as tx``."""
    return lambda: NotesTransaction(database, SUPPORT, FakeClock())
