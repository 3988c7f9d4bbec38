import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from libs.db.engine import Database
from libs.db.errors import LOST_RACE, violated
from libs.db.uow import retry_lost_races
from libs.errors import Conflict, Unavailable
from tests.support.engines import patient
from tests.support.notes import NOTES, SUPPORT, NotesTransaction
from tests.support.wait import eventually

Begin = Callable[[], NotesTransaction]
_SLEEPING = text(
    "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
)


async def ids(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.execute(select(NOTES.c.id).order_by(NOTES.c.id))).scalars())


async def test_commit_keeps_everything_of_the_block(database: Database, transaction: Begin) -> None:
    async with transaction() as tx:
        await tx.notes.add("a")
        event_id = tx.events.append("notes.note.created", "notes/a", b"\x00payload")
        await tx.commit()

    assert await ids(database) == ["a"]
    async with database.reading() as connection:
        row = (await connection.execute(SUPPORT.outbox.select())).one()
    assert (row.event_id, row.type, row.subject, row.ordering_key, row.payload) == (
        event_id,
        "notes.note.created",
        "notes/a",
        "notes/a",
        b"\x00payload",
    )


@pytest.mark.parametrize("failure", [None, RuntimeError("boom")])
async def test_nothing_is_kept_without_commit(
    database: Database, transaction: Begin, failure: Exception | None
) -> None:
    async def work() -> None:
        async with transaction() as tx:
            await tx.notes.add("a")
            tx.events.append("notes.note.created", "notes/a")
            await tx.events.flush()
            if failure:
                raise failure

    if failure:
        with pytest.raises(RuntimeError, match="boom"):
            await work()
    else:
        await work()
    assert await ids(database) == []
    async with database.reading() as connection:
        assert (await connection.execute(SUPPORT.outbox.select())).all() == []


async def test_cancelled_block_gives_its_connection_back(notes_url: str) -> None:
    database = patient(notes_url, pool_size=1, max_overflow=0)

    async def work() -> None:
        async with NotesTransaction(database, SUPPORT) as tx:
            await tx.notes.add("a")
            await tx.connection.execute(text("SELECT pg_sleep(60)"))

    looking = patient(notes_url)

    async def asleep() -> bool:
        async with looking.reading() as connection:
            return bool((await connection.execute(_SLEEPING)).all())

    task = asyncio.create_task(work())
    await eventually(asleep)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await ids(database) == []
    await database.close()
    await looking.close()


async def test_violated_names_the_constraint(transaction: Begin) -> None:
    with pytest.raises(IntegrityError) as unique:
        async with transaction() as tx:
            await tx.notes.add("a")
            await tx.notes.add("a")
    with pytest.raises(IntegrityError) as foreign:
        async with transaction() as tx:
            await tx.notes.add("b", parent="missing")
    assert violated(unique.value) == "notes_pkey"
    assert violated(foreign.value) == "notes_parent_fkey"
    assert violated(ValueError()) is None


async def test_deadlock_is_a_conflict_and_can_be_retried(
    database: Database, transaction: Begin
) -> None:
    async with transaction() as tx:
        await tx.notes.add("a")
        await tx.notes.add("b")
        await tx.commit()
    meet = asyncio.Barrier(2)
    losses = 0

    async def work(first: str, second: str) -> None:
        nonlocal losses
        tries = 0

        async def once() -> None:
            nonlocal losses, tries
            tries += 1
            async with transaction() as tx:
                for note in (first, second):
                    change = update(NOTES).where(NOTES.c.id == note).values(text=f"by {first}")
                    try:
                        await tx.connection.execute(change)
                    except Exception:
                        losses += 1
                        raise
                    if tries == 1 and note == first:
                        await meet.wait()
                await tx.commit()

        await retry_lost_races(once)

    await asyncio.gather(work("a", "b"), work("b", "a"))
    assert losses == 1


async def test_lost_races_are_retried_three_times_then_raised() -> None:
    tries = 0

    async def loses() -> None:
        nonlocal tries
        tries += 1
        raise Conflict("lost", reason=LOST_RACE)

    with pytest.raises(Conflict):
        await retry_lost_races(loses)
    assert tries == 4


async def test_a_conflict_of_the_domain_is_not_retried() -> None:
    tries = 0

    async def stale() -> None:
        nonlocal tries
        tries += 1
        raise Conflict("stale etag")

    with pytest.raises(Conflict):
        await retry_lost_races(stale)
    assert tries == 1


async def test_a_killed_backend_is_unavailable_and_then_replaced(
    database: Database, transaction: Begin
) -> None:
    with pytest.raises(Unavailable):
        async with transaction() as tx:
            await tx.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    await database.ping()


async def test_idle_connections_that_the_server_closed_cost_no_error(
    database: Database, transaction: Begin
) -> None:
    async def write(id: str) -> None:
        async with transaction() as tx:
            await tx.notes.add(id)
            await tx.commit()

    await asyncio.gather(*map(write, "abc"), *(database.ping() for _ in range(3)))
    killer = Database(
        database.url, application_name="killer", pool_timeout=60, statement_timeout=60
    )
    async with killer.reading() as connection:
        # Each is waited for: of one that is ending the first statement of a transaction tells.
        ended = await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                " WHERE application_name = 'tests' AND datname = current_database()"
            )
        )
        assert sum(ended.scalars()) >= 3 + 2  # one for reads was over the size, and is ending
    await killer.close()
    await asyncio.gather(*map(write, "def"), *(database.ping() for _ in range(3)))
    assert await ids(database) == [*"abcdef"]


async def test_slow_statement_is_unavailable(notes_url: str) -> None:
    database = Database(notes_url, application_name="tests", pool_timeout=60, statement_timeout=0.1)
    with pytest.raises(Unavailable, match="too long"):
        async with database.reading() as connection:
            await connection.execute(text("SELECT pg_sleep(10)"))
    await database.close()


async def test_what_cannot_be_rolled_back_is_unavailable(transaction: Begin) -> None:
    """As when a call is given up while a statement of it is under way."""
    with pytest.raises(Unavailable):
        async with transaction() as tx:
            connection = await tx.connection.get_raw_connection()
            assert connection.driver_connection is not None
            connection.driver_connection.pgconn.send_query(b"SELECT pg_sleep(0.1)")
    async with transaction() as tx:
        await tx.notes.add("a")
        await tx.commit()


async def test_nobody_listens_is_unavailable() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", application_name="tests")
    with pytest.raises(Unavailable):
        await database.ping()
    with pytest.raises(Unavailable):
        async with NotesTransaction(database, SUPPORT):
            pass
    await database.close()


async def test_reading_sends_one_statement_and_no_transaction(database: Database) -> None:
    async with database.reading() as connection:
        first = await connection.execute(text("SELECT pg_current_xact_id_if_assigned(), now()"))
        second = await connection.execute(text("SELECT now()"))
    assert first.one()[1] < second.scalar_one()
