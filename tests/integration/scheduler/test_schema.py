"""What the database itself refuses, and that it agrees with the code."""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from itertools import permutations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from libs.db.errors import violated
from libs.db.migrate import current, downgrade, upgrade
from services.scheduler.deps import MIGRATIONS
from services.scheduler.domain import post, publication
from services.scheduler.tables import METADATA, SCHEMA
from tests.support.engines import Databases
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize(
    ("table", "allowed"),
    [("post_moves", post.ALLOWED_MOVES), ("publication_moves", publication.ALLOWED_MOVES)],
)
async def test_the_moves_in_the_database_are_those_of_the_code(
    world: World, table: str, allowed: Mapping[StrEnum, frozenset[StrEnum]]
) -> None:
    rows = await world.sql(f"SELECT from_state, to_state FROM {SCHEMA}.{table}")
    moves = {(str(state), str(to)) for state, tos in allowed.items() for to in tos}
    assert {tuple(row) for row in rows} == moves


@pytest.mark.parametrize(
    ("table", "others", "allowed"),
    [
        ("posts", "posted_time = now()", post.ALLOWED_MOVES),
        (
            "publications",
            "posted_time = now(), provider_post_id = 'p'",
            publication.ALLOWED_MOVES,
        ),
    ],
)
async def test_the_database_takes_the_allowed_moves_and_refuses_all_others(
    world: World, table: str, others: str, allowed: Mapping[StrEnum, frozenset[StrEnum]]
) -> None:
    await world.connect()
    await world.schedule()
    place = f"{SCHEMA}.{table}"
    for state, to in permutations(allowed, 2):
        await world.sql(f"ALTER TABLE {place} DISABLE TRIGGER check_move")
        await world.sql(f"UPDATE {place} SET state = :state, {others}", state=state)
        await world.sql(f"ALTER TABLE {place} ENABLE TRIGGER check_move")
        if to in allowed[state]:
            await world.sql(f"UPDATE {place} SET state = :to", to=to)
            continue
        with pytest.raises(IntegrityError) as caught:
            await world.sql(f"UPDATE {place} SET state = :to", to=to)
        assert violated(caught.value) == f"{table}_move_check"


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE scheduler.posts SET state = 'posted'", "posts_move_check"),
        ("UPDATE scheduler.posts SET state = 'sent'", "posts_move_check"),
        (
            "INSERT INTO scheduler.channels SELECT 'nora', 'x', 'X', 'fax', '', 'a', '', '', 't',"
            " 'b', 'connected', '', NULL, now(), now(), 1",
            "channels_provider_check",
        ),
        (
            "UPDATE scheduler.publications SET state = 'submitting';"
            "UPDATE scheduler.publications SET state = 'posted'",
            "publications_posted_check",
        ),
        (
            "UPDATE scheduler.publications SET state = 'submitting';"
            "UPDATE scheduler.publications SET state = 'scheduled'",
            "publications_scheduled_check",
        ),
        (
            "UPDATE scheduler.posts SET state = 'posting';"
            "UPDATE scheduler.posts SET state = 'posted'",
            "posts_posted_time_check",
        ),
    ],
)
async def test_rows_that_contradict_themselves_are_refused(
    world: World, statement: str, constraint: str
) -> None:
    await world.connect()
    await world.schedule()
    with pytest.raises(IntegrityError) as caught:
        for part in statement.split(";"):
            await world.sql(part)
    assert violated(caught.value) == constraint


async def test_the_migrations_give_what_the_code_expects_and_can_be_undone(
    databases: Databases,
) -> None:
    def check() -> None:
        url = databases.fresh()
        assert upgrade(url, SCHEMA, MIGRATIONS)
        engine = create_engine(url)
        with engine.connect() as connection:
            options = {
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "include_object": lambda _item, name, *_: name != "schema_version",
                "compare_server_default": True,
            }
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, METADATA) == []
        engine.dispose()
        assert downgrade(url, SCHEMA, MIGRATIONS)
        assert current(url, SCHEMA) is None
        assert upgrade(url, SCHEMA, MIGRATIONS)

    await asyncio.to_thread(check)
