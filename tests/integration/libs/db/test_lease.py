import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from libs.db.engine import Database
from libs.db.lease import acquire, free, held, release, renew
from libs.errors import Unavailable
from libs.lease import Lease, LeaseLost, kept
from tests.support.engines import patient
from tests.support.notes import NOTES
from tests.support.wait import eventually

ROW = NOTES.c.id == "a"


@pytest.fixture(autouse=True)
async def note(database: Database) -> AsyncIterator[None]:
    async with database.transaction() as connection:
        await connection.execute(NOTES.insert().values(id="a", text=""))
    yield


async def take(database: Database, owner: str, duration: timedelta | None = None) -> Lease | None:
    options = {} if duration is None else {"duration": duration}
    async with database.transaction() as connection:
        return await acquire(connection, NOTES, ROW, owner, **options)


async def taken(database: Database, owner: str, duration: timedelta | None = None) -> Lease:
    lease = await take(database, owner, duration)
    assert lease is not None
    return lease


async def run_out(database: Database) -> None:
    """Lets the lease end, as time would."""
    ended = NOTES.c.lease_expire_time - timedelta(days=1)
    async with database.transaction() as connection:
        await connection.execute(update(NOTES).where(ROW).values(lease_expire_time=ended))


async def test_one_of_many_gets_it(notes_url: str) -> None:
    database = patient(notes_url, pool_size=10)
    leases = await asyncio.gather(*(take(database, f"worker {n}") for n in range(10)))
    assert len([lease for lease in leases if lease]) == 1
    await database.close()


async def test_the_holder_is_not_disturbed_and_does_not_get_it_twice(database: Database) -> None:
    await taken(database, "one")
    assert await take(database, "two") is None
    assert await take(database, "one") is None


async def test_no_such_row(database: Database) -> None:
    async with database.transaction() as connection:
        assert await acquire(connection, NOTES, NOTES.c.id == "missing", "one") is None


async def test_values_are_set_with_the_lease(database: Database) -> None:
    async with database.transaction() as connection:
        lease = await acquire(connection, NOTES, ROW, "one", text="running")
        assert lease is not None
        await renew(connection, NOTES, ROW, lease, text="half")
    assert await text_of(database) == "half"
    async with database.transaction() as connection:
        await release(connection, NOTES, ROW, lease, text="done")
    assert await text_of(database) == "done"


async def text_of(database: Database) -> str:
    async with database.reading() as connection:
        return str((await connection.execute(select(NOTES.c.text).where(ROW))).scalar_one())


async def test_an_expired_lease_goes_to_the_next_with_a_higher_token(database: Database) -> None:
    first = await taken(database, "one")
    async with database.reading() as connection:
        assert (await connection.execute(select(NOTES.c.id).where(free(NOTES)))).all() == []
    await run_out(database)
    async with database.reading() as connection:
        assert len((await connection.execute(select(NOTES.c.id).where(free(NOTES)))).all()) == 1
    second = await taken(database, "two")
    assert second.token == first.token + 1
    assert second.expire_time > first.expire_time


async def test_the_fence_stops_a_worker_that_was_too_slow(database: Database) -> None:
    slow = await taken(database, "one")
    await run_out(database)
    now = await taken(database, "two")
    async with database.transaction() as connection:
        write = update(NOTES).where(ROW)
        late = await connection.execute(write.where(held(NOTES, slow)).values(text="by one"))
        assert late.rowcount == 0
        done = await connection.execute(write.where(held(NOTES, now)).values(text="by two"))
        assert done.rowcount == 1
        with pytest.raises(LeaseLost):
            await renew(connection, NOTES, ROW, slow)
        with pytest.raises(LeaseLost):
            await release(connection, NOTES, ROW, slow)
    assert await text_of(database) == "by two"


async def test_the_same_owner_has_no_old_rights_either(database: Database) -> None:
    old = await taken(database, "one")
    await run_out(database)
    await taken(database, "one")
    async with database.transaction() as connection:
        with pytest.raises(LeaseLost):
            await renew(connection, NOTES, ROW, old)


async def test_released_is_free(database: Database) -> None:
    lease = await taken(database, "one")
    async with database.transaction() as connection:
        await release(connection, NOTES, ROW, lease)
    assert (await taken(database, "two")).token == lease.token + 1


async def test_kept_renews_while_the_block_runs(database: Database) -> None:
    lease = await taken(database, "one")
    renewals = 0

    async def once() -> None:
        nonlocal renewals
        async with database.transaction() as connection:
            await renew(connection, NOTES, ROW, lease, duration=timedelta(days=2))
        renewals += 1

    async def renewed_again() -> bool:
        return renewals > 1

    async with kept(once, every=timedelta(seconds=0.05)):
        await eventually(renewed_again)
    await run_out(database)  # as it was taken, but not as it is renewed
    assert await take(database, "two") is None


async def test_kept_stops_the_block_when_the_lease_is_lost() -> None:
    finished = False

    async def lost() -> None:
        raise LeaseLost("gone")

    with pytest.raises(LeaseLost, match="gone"):
        async with kept(lost, every=timedelta(seconds=0.01)):
            await asyncio.sleep(60)
            finished = True
    assert not finished
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_kept_survives_a_short_outage_but_not_a_long_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that only the tries move on: each comes a quarter of the lease after the last."""
    calls = 0
    monkeypatch.setattr("libs.lease.monotonic", lambda: calls * 25.0)

    async def away() -> None:
        nonlocal calls
        calls += 1
        if calls < 4 or calls > 6:
            raise Unavailable("away")

    with pytest.raises(LeaseLost, match="ran out"):
        async with kept(away, every=timedelta(0), duration=timedelta(seconds=100)):
            await asyncio.sleep(3600)
    # Up to the third it was away for 75 s, and after the sixth it is for more than 100 s.
    assert calls == 6 + 5


async def test_kept_passes_errors_and_cancellation_of_the_block() -> None:
    async def fine() -> None:
        return

    with pytest.raises(ZeroDivisionError):
        async with kept(fine):
            raise ZeroDivisionError

    async def work() -> None:
        async with kept(fine):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
