import asyncio
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from libs.db.migrate import (
    VERSION_TABLE,
    SchemaOutdated,
    current,
    downgrade,
    head,
    require_current,
    upgrade,
)
from libs.embedded.postgres import PostgresServer
from libs.errors import Unavailable
from tests.integration.libs.db.conftest import MIGRATIONS
from tests.support.engines import Databases
from tests.support.notes import METADATA


@pytest.fixture
def url(databases: Databases) -> str:
    return databases.fresh()


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def tables(url: str) -> set[str]:
    with connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'notes'")
        return {name for (name,) in found}


def test_up_and_down_again(url: str) -> None:
    assert current(url, "notes") is None
    assert upgrade(url, "notes", MIGRATIONS)
    assert current(url, "notes") == "0002" == head(MIGRATIONS)
    assert tables(url) == {"notes", "outbox", "inbox", "request_log", VERSION_TABLE}
    assert not upgrade(url, "notes", MIGRATIONS)

    assert downgrade(url, "notes", MIGRATIONS)
    assert tables(url) == {VERSION_TABLE}
    assert upgrade(url, "notes", MIGRATIONS)


def test_tables_in_code_and_in_the_database_agree(url: str) -> None:
    upgrade(url, "notes", MIGRATIONS)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "version_table": VERSION_TABLE,
                "version_table_schema": "notes",
                "include_name": lambda name, kind, _: kind != "schema" or name == "notes",
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


async def test_five_at_once_migrate_once(url: str) -> None:
    ran = await asyncio.gather(
        *(asyncio.to_thread(upgrade, url, "notes", MIGRATIONS) for _ in range(5))
    )
    assert sorted(ran) == [False, False, False, False, True]


async def test_another_process_is_waited_for(url: str) -> None:
    with connect(url) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('migrate notes', 0))")
        waiting = asyncio.create_task(asyncio.to_thread(upgrade, url, "notes", MIGRATIONS))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        assert current(url, "notes") is None
    assert await waiting


def test_with_nothing_to_do_nobody_is_waited_for(url: str) -> None:
    upgrade(url, "notes", MIGRATIONS)
    with connect(url) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('migrate notes', 0))")
        assert not upgrade(url, "notes", MIGRATIONS)


def test_an_old_schema_is_refused(url: str) -> None:
    with pytest.raises(SchemaOutdated, match=r"revision none .* needs 0002.*--target=migrate"):
        require_current(url, "notes", MIGRATIONS)
    upgrade(url, "notes", MIGRATIONS, "0001")
    with pytest.raises(SchemaOutdated, match="revision 0001"):
        require_current(url, "notes", MIGRATIONS)
    upgrade(url, "notes", MIGRATIONS)
    require_current(url, "notes", MIGRATIONS)


def test_a_service_role_can_migrate_its_own_schema_only(
    url: str, postgres: PostgresServer, databases: Databases
) -> None:
    postgres.ensure_service("notes", database=url.rsplit("/", 1)[1])
    role_url = databases.url_of("notes", url)
    assert upgrade(role_url, "notes", MIGRATIONS)
    with pytest.raises(Exception, match="permission denied"):
        upgrade(role_url, "other", MIGRATIONS)


def broken(tmp_path: Path, body: str) -> Path:
    """A folder with a second migration that does ``body`` after making a table."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text((MIGRATIONS / "env.py").read_text())
    first = (MIGRATIONS / "versions" / "0001_support.py").read_text()
    (folder / "versions" / "0001.py").write_text(first)
    (folder / "versions" / "0002.py").write_text(
        "from alembic import op\n"
        'revision: str = "0002"\n'
        'down_revision: str | None = "0001"\n'
        "def upgrade() -> None:\n"
        "    op.execute('CREATE TABLE notes.half (id int)')\n"
        f"    op.execute({body!r})\n"
    )
    return folder


def test_a_failed_migration_leaves_the_one_before(url: str, tmp_path: Path) -> None:
    folder = broken(tmp_path, "SELECT 1/0")
    with pytest.raises(Exception, match="division by zero"):
        upgrade(url, "notes", folder)
    assert current(url, "notes") == "0001"
    assert "half" not in tables(url)


def test_a_migration_does_not_wait_long_for_a_lock(url: str, tmp_path: Path) -> None:
    upgrade(url, "notes", MIGRATIONS, "0001")
    folder = broken(tmp_path, "ALTER TABLE notes.outbox ADD COLUMN extra int")
    with connect(url) as reader, reader.transaction():
        reader.execute("SELECT * FROM notes.outbox")
        with pytest.raises(Exception, match="lock timeout"):
            upgrade(url, "notes", folder)


def test_two_newest_migrations_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    for name in ("a", "b"):
        script = f'revision = "{name}"\ndown_revision = None\n'
        (tmp_path / "versions" / f"{name}.py").write_text(script)
    with pytest.raises(ValueError, match=r"expected one newest migration, found \['a', 'b'\]"):
        head(tmp_path)


def test_no_database_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot reach"):
        upgrade("postgresql+psycopg://nobody@127.0.0.1:1/none", "notes", MIGRATIONS)
