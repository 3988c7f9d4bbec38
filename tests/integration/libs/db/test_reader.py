"""The short way of constant statements reads what the long way does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from libs.db.engine import Database
from libs.errors import Unavailable
from tests.support.engines import Databases
from tests.support.wait import eventually

METADATA = sa.MetaData()
THINGS = sa.Table(
    "things",
    METADATA,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("document", sa.JSON),
    sa.Column("time", sa.DateTime(timezone=True), server_default=sa.func.now()),
)
ID = "0192aaaa-1111-7222-8333-444444444444"
BY_ID = THINGS.select().where(THINGS.c.id == sa.bindparam("thing"))
BY_NAME = THINGS.select().where(THINGS.c.name == sa.bindparam("name"))
TRIES = sa.bindparam("tries", type_=sa.Text)
# A sequence counts on when its statement fails, so only the first connection ends.
ENDS_ONCE = sa.select(
    sa.case(
        (sa.func.nextval(TRIES) == 1, sa.func.pg_terminate_backend(sa.func.pg_backend_pid())),
        else_=False,
    ).label("ended")
)
# What a statement that takes too long ends with, but at once.
GIVEN_UP = sa.select(
    sa.func.pg_cancel_backend(sa.func.pg_backend_pid()),
    sa.func.pg_sleep(sa.bindparam("seconds", type_=sa.Float)),
)
# Others may use the same server, and connections of the test before may still be ending.
OURS = "application_name = 'reader test' AND datname = current_database()"
SLOW = sa.select(sa.func.pg_sleep(sa.bindparam("seconds", type_=sa.Float)))


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    made = Database(
        databases.fresh(), application_name="reader test", pool_timeout=60, statement_timeout=60
    )
    async with made.transaction() as connection:
        await connection.run_sync(METADATA.create_all)
        await connection.execute(
            THINGS.insert().values(id=ID, name="one", document={"a": [1, None]})
        )
    yield made
    await made.close()


async def test_both_ways_read_the_same(database: Database) -> None:
    async with database.reading() as reading:
        short = (await reading.execute(BY_ID, {"thing": ID})).one_or_none()
        long = (await reading.execute(THINGS.select())).one()
    assert (short.id, short.name, short.document, short.time) == tuple(long)
    assert isinstance(short.id, str)


async def test_no_row_and_too_many(database: Database) -> None:
    async with database.reading() as reading:
        other = ID.replace("4444", "5555")
        assert (await reading.execute(BY_ID, {"thing": other})).one_or_none() is None
    async with database.transaction() as connection:
        await connection.execute(THINGS.insert().values(id=other, name="one"))
    async with database.reading() as reading:
        found = await reading.execute(BY_NAME, {"name": "one"})
        assert len(found.all()) == 2
        with pytest.raises(ValueError, match="2 rows"):
            found.one_or_none()


async def test_who_listens_to_statements_hears_of_the_short_way(database: Database) -> None:
    heard: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        heard.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        async with database.reading() as reading:
            await reading.execute(BY_ID, {"thing": ID})
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)
    assert len(heard) == 1 and "FROM things" in heard[0]


async def test_a_connection_that_the_server_closed_is_replaced(database: Database) -> None:
    async with database.reading() as reading:
        await reading.execute(BY_ID, {"thing": ID})
    kill = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE {OURS} AND pid <> pg_backend_pid()"
    )
    async with database.transaction() as connection:
        await connection.execute(kill)
    async with database.reading() as reading:
        assert (await reading.execute(BY_ID, {"thing": ID})).one_or_none() is not None


async def test_a_connection_that_ends_as_it_is_used_costs_no_answer(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(sa.text("CREATE SEQUENCE tries"))
    async with database.reading() as reading:
        found = (await reading.execute(ENDS_ONCE, {"tries": "tries"})).one_or_none()
    assert found is not None and found.ended is False


async def test_it_costs_none_on_the_long_way_either(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(sa.text("CREATE SEQUENCE tries"))
    async with database.reading() as reading:
        assert (await reading.execute(ENDS_ONCE.params(tries="tries"))).scalar_one() is False
        # It is the first statement that a connection may fail; the others do belong together.
        await reading.execute(sa.text("SELECT setval('tries', 1, false)"))
        with pytest.raises(DBAPIError):
            await reading.execute(ENDS_ONCE.params(tries="tries"))


async def test_a_statement_that_takes_too_long_is_unavailable(database: Database) -> None:
    hasty = Database(
        database.url, application_name="reader test", pool_timeout=60, statement_timeout=0.1
    )
    with pytest.raises(Unavailable, match="took too long"):
        async with hasty.reading() as reading:
            await reading.execute(SLOW, {"seconds": 600.0})
    await hasty.close()


async def test_a_statement_that_is_given_up_leaves_no_wreck(database: Database) -> None:
    with pytest.raises(Unavailable, match="took too long"):
        async with database.reading() as reading:
            await reading.execute(GIVEN_UP, {"seconds": 600.0})
    async with database.reading() as reading:
        assert (await reading.execute(BY_ID, {"thing": ID})).one_or_none().name == "one"


async def test_a_cancelled_read_leaves_no_wreck(database: Database) -> None:
    async def read() -> None:
        async with database.reading() as reading:
            await reading.execute(SLOW, {"seconds": 600.0})

    task = asyncio.create_task(read())
    await eventually(lambda: is_asleep(database))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.reading() as reading:
        assert (await reading.execute(BY_ID, {"thing": ID})).one_or_none().name == "one"


async def is_asleep(database: Database) -> bool:
    """Whether a connection of it sleeps."""
    sleeping = sa.text(f"SELECT FROM pg_stat_activity WHERE {OURS} AND wait_event = 'PgSleep'")
    async with database.reading() as reading:
        return bool((await reading.execute(sleeping)).all())


async def test_many_reads_at_once(database: Database) -> None:
    async def read() -> str:
        async with database.reading() as reading:
            return str((await reading.execute(BY_ID, {"thing": ID})).one_or_none().name)

    assert await asyncio.gather(*(read() for _ in range(50))) == ["one"] * 50


async def test_the_connections_are_as_few_as_was_planned(database: Database) -> None:
    nap = sa.text("SELECT pg_sleep(0.3)")

    async def short() -> None:
        async with database.reading() as reading:
            await reading.execute(SLOW, {"seconds": 0.05})

    async def long() -> None:
        async with database.reading() as reading:
            await reading.execute(nap)

    async def transaction() -> None:
        async with database.transaction() as connection:
            await connection.execute(nap)

    count = sa.text(f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}")
    await asyncio.gather(*(use() for use in (short, long, transaction) for _ in range(12)))
    async with database.reading() as reading:
        there = (await reading.execute(count)).scalar_one()
    # pool_size 4 + 2 for transactions, 2 + 1 and 4 for reads; those on top of the size are closed.
    assert 4 + 2 + 4 <= there <= 13
