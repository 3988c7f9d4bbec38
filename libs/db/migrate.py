"""Brings one service's schema up to date with its Alembic folder.

A service has its own schema, its own folder and, inside the schema, its own version table. Two
processes cannot migrate one schema at once (advisory lock). Each migration is one transaction that
gives up after 4 s of waiting for a lock or 5 s in one statement, rather than stall the old code
that is still serving. When there is nothing to do, Alembic is not even imported.
"""

import re
import threading
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, MetaData, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from libs.errors import FailedPrecondition, Unavailable

VERSION_TABLE = "schema_version"
LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "5s"
WAIT_FOR_TWIN = "60s"

_REVISION = re.compile(r"""^(revision|down_revision)\b[^=]*=\s*(?:["']([^"']+)["']|None)""", re.M)
# Alembic's ``op`` and ``context`` are proxies of one environment a process.
_alembic_in_use = threading.Lock()


class SchemaOutdated(FailedPrecondition):
    """The database is at another revision than this program needs."""

    reason = "SCHEMA_OUTDATED"


def upgrade(url: str, schema: str, folder: Path, revision: str = "head") -> bool:
    """Runs the migrations that are missing; False if there were none. Blocks.

    ``url`` is ``postgresql+psycopg://...``; ``folder`` holds ``env.py`` and ``versions/``. The
    schema is made if it is not there. Raises Unavailable if the database does not answer or
    another process migrates for longer than a minute.
    """
    target = head(folder) if revision == "head" else revision
    if current(url, schema) == target:
        return False
    return _run(url, schema, folder, "upgrade", target)


def downgrade(url: str, schema: str, folder: Path, revision: str = "base") -> bool:
    """Takes migrations back to ``revision``. Blocks. For tests and for the brave."""
    return _run(url, schema, folder, "downgrade", revision)


def head(folder: Path) -> str:
    """The newest revision of a folder, read from the scripts without importing them."""
    revisions: set[str] = set()
    parents: set[str] = set()
    for script in (folder / "versions").glob("*.py"):
        found = dict(_REVISION.findall(script.read_text()))
        revisions.add(found["revision"])
        parents.add(found["down_revision"])
    heads = revisions - parents
    if len(heads) != 1:
        raise ValueError(f"{folder}: expected one newest migration, found {sorted(heads)}")
    return heads.pop()


def current(url: str, schema: str) -> str | None:
    """The revision a schema is at; None if it was never migrated. Blocks."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    table = sql.Identifier(schema, VERSION_TABLE)
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
            found = connection.execute(sql.SQL("SELECT version_num FROM {}").format(table))
            row = found.fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    except psycopg.OperationalError as error:
        raise Unavailable(f"cannot reach the database of {schema}: {error}") from error
    return str(row[0]) if row else None


def require_current(url: str, schema: str, folder: Path) -> None:
    """Returns if the schema is at the folder's newest revision. Blocks. Raises SchemaOutdated."""
    needed, present = head(folder), current(url, schema)
    if present != needed:
        raise SchemaOutdated(
            f"the schema {schema} is at revision {present or 'none'} but this program needs"
            f" {needed}; run it with --target=migrate first",
            metadata={"schema": schema, "present": present or "", "needed": needed},
        )


def run_env(metadata: MetaData) -> None:
    """The body of a service's ``migrations/env.py``: runs what the Alembic command asks for.

    ``metadata`` is the service's ``MetaData(schema=...)``; outside objects are left alone.
    """
    from alembic import context

    schema = metadata.schema
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        version_table_schema=schema,
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name == schema,
        include_object=lambda _item, name, _kind, _reflected, _other: name != VERSION_TABLE,
        transaction_per_migration=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _run(url: str, schema: str, folder: Path, command: str, revision: str) -> bool:
    from alembic import command as commands

    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    with _alembic_in_use, engine.connect() as connection:
        _prepare(connection, schema)
        before = _revision(connection, schema)
        getattr(commands, command)(_config(folder, connection), revision)
        return _revision(connection, schema) != before


def _config(folder: Path, connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _prepare(connection: Connection, schema: str) -> None:
    """Waits for the schema's turn, then sets the limits that hold for the rest of the session."""
    connection.execute(text(f"SET lock_timeout = '{WAIT_FOR_TWIN}'"))
    connection.execute(text("SET statement_timeout = 0"))
    lock = text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")
    connection.execute(lock, {"name": f"migrate {schema}"})
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    there = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
    # CREATE ... IF NOT EXISTS would ask for the right to create even where nothing is created.
    if connection.execute(there, {"name": schema}).scalar() is None:
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    connection.commit()


def _revision(connection: Connection, schema: str) -> str | None:
    there = connection.execute(
        text("SELECT to_regclass(:table)"), {"table": f"{schema}.{VERSION_TABLE}"}
    )
    if there.scalar() is None:
        connection.rollback()
        return None
    found = connection.execute(text(f'SELECT version_num FROM "{schema}".{VERSION_TABLE}'))
    revision = found.scalar()
    connection.rollback()
    return revision
