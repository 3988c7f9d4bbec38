import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, text

from libs.backoff import Backoff
from libs.db.engine import Database
from libs.db.relay import Relay
from libs.embedded.redis import RedisServer
from libs.errors import Unavailable
from libs.events.connection import open_redis
from libs.events.publisher import RedisPublisher
from libs.events.stream import Event
from libs.events.wire import from_fields
from tests.support.clock import NOON
from tests.support.notes import SUPPORT, NotesTransaction
from tests.support.wait import eventually

Begin = Callable[[], NotesTransaction]
STREAM = "colonnade:test:notes:events"


class Shelf:
    """A publisher that keeps what it gets, and fails or hangs when told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches: list[int] = []
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, events: Sequence[Event]) -> None:
        if self.down:
            raise Unavailable("the shelf is away")
        self.events += events
        self.batches.append(len(events))
        await self.gate.wait()

    def numbers(self) -> list[int]:
        return [int(event.payload) for event in self.events]

    def has(self, count: int) -> Callable[[], "asyncio.Future[bool]"]:
        async def probe() -> bool:
            return len({event.id for event in self.events}) >= count

        return lambda: asyncio.ensure_future(probe())


@pytest.fixture
def relay(notes_url: str) -> Callable[..., Relay]:
    def make(publisher: object, **options: object) -> Relay:
        backoff = Backoff(first=0.02, limit=0.1)
        return Relay(notes_url, SUPPORT.outbox, publisher, backoff=backoff, **options)  # type: ignore[arg-type]

    return make


@asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    yield
    for task in tasks:
        task.cancel()
    for answer in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(answer, asyncio.CancelledError)


async def write(transaction: Begin, *numbers: int, key: str = "k") -> None:
    async with transaction() as tx:
        for number in numbers:
            tx.events.append("n.n.n", f"notes/{number}", b"%d" % number, ordering_key=key)
        await tx.commit()


async def waiting(database: Database) -> int:
    async with database.reading() as connection:
        found = await connection.execute(select(func.count()).select_from(SUPPORT.outbox))
        return int(found.scalar_one())


async def empty(database: Database) -> bool:
    return await waiting(database) == 0


async def test_events_leave_whole_and_in_order(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    shelf = Shelf()
    async with transaction() as tx:
        id = tx.events.append("n.n.n", "notes/1", b"\x00\xff", ordering_key="k")
        await tx.commit()
    async with running(relay(shelf)):
        await eventually(shelf.has(1))
        await eventually(lambda: empty(database))
    assert shelf.events == [Event(id, "n.n.n", "notes/1", "k", b"\x00\xff", NOON)]


async def test_a_commit_wakes_the_relay_at_once(
    transaction: Begin, relay: Callable[..., Relay]
) -> None:
    shelf = Shelf()
    async with running(relay(shelf, poll=3600.0)):
        await write(transaction, 0)
        await eventually(shelf.has(1))
        for number in range(1, 6):
            await write(transaction, number)
            await eventually(shelf.has(number + 1))


async def test_a_lost_notification_costs_no_more_than_a_poll(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("ALTER TABLE notes.outbox DISABLE TRIGGER wake_relay"))
    shelf = Shelf()
    async with running(relay(shelf, poll=0.1)):
        await asyncio.sleep(0.2)
        await write(transaction, 1)
        await eventually(shelf.has(1))


async def test_large_backlogs_leave_in_batches_and_in_order(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    shelf = Shelf()
    for start in range(0, 250, 50):
        await write(transaction, *range(start, start + 50))
    async with running(relay(shelf, batch=100)):
        await eventually(lambda: empty(database))
    assert shelf.numbers() == list(range(250))
    assert shelf.batches == [100, 100, 50]


async def test_what_is_rolled_back_never_leaves(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    shelf = Shelf()
    async with running(relay(shelf)):
        async with transaction() as tx:
            tx.events.append("n.n.n", "notes/1", b"1")
            await tx.events.flush()
        await write(transaction, 2)
        await eventually(lambda: empty(database))
    assert shelf.numbers() == [2]


async def test_killed_in_the_middle_of_a_batch_nothing_is_lost(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    shelf = Shelf()
    await write(transaction, *range(30))
    for _ in range(3):
        shelf.gate.clear()
        before = len(shelf.events)

        async def published(before: int = before) -> bool:
            return len(shelf.events) > before

        async with running(relay(shelf, batch=10)):
            # Published, but not yet removed from the outbox.
            await eventually(published)
    shelf.gate.set()
    async with running(relay(shelf, batch=10)):
        await eventually(lambda: empty(database))
    assert shelf.numbers() == [*range(10)] * 3 + [*range(30)]
    assert len({event.id for event in shelf.events}) == 30


async def test_only_one_relay_at_a_time_sends(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    class Busy(Shelf):
        in_work = 0
        most = 0

        async def publish(self, events: Sequence[Event]) -> None:
            self.in_work += 1
            self.most = max(self.most, self.in_work)
            await asyncio.sleep(0.01)
            await super().publish(events)
            self.in_work -= 1

    shelf = Busy()
    async with running(*(relay(shelf, batch=5, poll=0.05) for _ in range(3))):
        for start in range(0, 100, 10):
            await write(transaction, *range(start, start + 10))
        await eventually(lambda: empty(database))
    assert shelf.most == 1
    assert shelf.numbers() == list(range(100))


async def test_another_takes_over_when_one_is_gone(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    stuck, shelf = Shelf(), Shelf()
    stuck.gate.clear()
    await write(transaction, 1)
    async with running(relay(stuck)):
        await eventually(stuck.has(1))
        async with running(relay(shelf, poll=0.05)):
            await asyncio.sleep(0.2)
            assert shelf.events == []
    async with running(relay(shelf, poll=0.05)):
        await eventually(lambda: empty(database))
    assert shelf.numbers() == [1]


async def test_an_absent_stream_is_waited_for(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    shelf = Shelf()
    shelf.down = True
    async with running(relay(shelf)):
        await write(transaction, *range(5))
        await asyncio.sleep(0.1)
        assert await waiting(database) == 5
        shelf.down = False
        await eventually(lambda: empty(database))
    assert shelf.numbers() == [*range(5)]


async def test_a_restarted_redis_loses_nothing_and_keeps_the_order(
    database: Database, transaction: Begin, relay: Callable[..., Relay], own_redis: RedisServer
) -> None:
    redis: Redis = open_redis(own_redis.url)
    async with running(relay(RedisPublisher(redis, STREAM), batch=7)):
        for number in range(20):
            await write(transaction, number)
        own_redis.stop()
        for number in range(20, 40):
            await write(transaction, number)
        own_redis.start()
        for number in range(40, 60):
            await write(transaction, number)
        await eventually(lambda: empty(database))
    events = [from_fields(fields) for _, fields in await redis.xrange(STREAM)]  # type: ignore[union-attr,arg-type]
    first_seen = list(dict.fromkeys(int(event.payload) for event in events))
    assert first_seen == list(range(60))
    await redis.aclose()


async def test_a_lost_database_connection_is_replaced(
    database: Database, transaction: Begin, relay: Callable[..., Relay]
) -> None:
    shelf = Shelf()
    async with running(relay(shelf)):
        await write(transaction, 1)
        await eventually(lambda: empty(database))
        async with database.reading() as connection:
            killed = await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'relay notes_outbox'"
                    " AND datname = current_database()"
                )
            )
            assert killed.scalars().all() == [True]
        await write(transaction, 2)
        await eventually(lambda: empty(database))
    assert shelf.numbers() == [1, 2]
