"""The short way of constant statements reads what the long way does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from libs.db.engine import Database
from libs.errors import Unavailable
from tests.support.engines import Databases

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
# A sequence counts on when its statement fails, so only the first connection ends.
ENDS_ONCE = sa.select(
    sa.case(
        (
            sa.func.nextval(sa.bindparam("tries", type_=sa.Text)) == 1,
            sa.func.pg_terminate_backend(sa.func.pg_backend_pid()),
        ),
        else_=False,
    ).label("ended")
)
SLOW = sa.select(sa.func.pg_sleep(sa.bindparam("seconds", type_=sa.Float)))


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    made = Database(databases.fresh(), application_name="reader test", statement_timeout=1)
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
        "WHERE application_name = 'reader test' AND pid <> pg_backend_pid()"
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


async def test_a_statement_that_takes_too_long_is_unavailable_and_leaves_no_wreck(
    database: Database,
) -> None:
    with pytest.raises(Unavailable, match="took too long"):
        async with database.reading() as reading:
            await reading.execute(SLOW, {"seconds": 3.0})
    async with database.reading() as reading:
        assert (await reading.execute(BY_ID, {"thing": ID})).one_or_none().name == "one"


async def test_a_cancelled_read_leaves_no_wreck(database: Database) -> None:
    async def read() -> None:
        async with database.reading() as reading:
            await reading.execute(SLOW, {"seconds": 0.9})

    task = asyncio.create_task(read())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.reading() as reading:
        assert (await reading.execute(BY_ID, {"thing": ID})).one_or_none().name == "one"


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

    count = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reader test'")
    await asyncio.gather(*(use() for use in (short, long, transaction) for _ in range(12)))
    async with database.reading() as reading:
        there = (await reading.execute(count)).scalar_one()
    # pool_size 4 + 2 for transactions, 2 + 1 and 4 for reads; those on top of the size are closed.
    assert 4 + 2 + 4 <= there <= 13
