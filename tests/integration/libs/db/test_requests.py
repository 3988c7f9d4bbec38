import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from libs.blobs.store import sha256
from libs.db.engine import Database
from libs.db.support import prune
from libs.errors import AlreadyExists
from tests.support.engines import patient
from tests.support.notes import NOTES, SUPPORT, NotesTransaction

Begin = Callable[[], NotesTransaction]


class Caller:
    """Adds one note a request, as a use case would."""

    def __init__(self, transaction: Begin) -> None:
        self._transaction = transaction
        self.ran = 0

    async def add(self, request_id: str, body: bytes, name: str) -> str:
        async with self._transaction() as tx:
            done = await tx.requests.claim(request_id, "AddNote", sha256(body))
            if done is not None:
                return done
            self.ran += 1
            await asyncio.sleep(0.05)
            await tx.notes.add(name)
            await tx.requests.record(request_id, name)
            await tx.commit()
            return name


async def notes(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(NOTES))).scalar_one())


async def test_twenty_at_once_run_once_and_all_get_the_answer(
    database: Database, transaction: Begin
) -> None:
    caller = Caller(transaction)
    answers = await asyncio.gather(*(caller.add("r1", b"body", f"note {n}") for n in range(8)))
    assert caller.ran == 1
    assert len(set(answers)) == 1
    assert await notes(database) == 1


async def test_twenty_at_once_in_a_wide_pool(notes_url: str) -> None:
    database = patient(notes_url, pool_size=20)
    caller = Caller(lambda: NotesTransaction(database, SUPPORT))
    answers = await asyncio.gather(*(caller.add("r1", b"body", f"note {n}") for n in range(20)))
    assert caller.ran == 1
    assert len(set(answers)) == 1
    assert await notes(database) == 1
    await database.close()


async def test_a_later_twin_gets_the_recorded_answer(transaction: Begin) -> None:
    caller = Caller(transaction)
    assert await caller.add("r1", b"body", "a") == "a"
    assert await caller.add("r1", b"body", "b") == "a"
    assert await caller.add("r2", b"body", "b") == "b"


async def test_another_body_or_method_is_refused(transaction: Begin) -> None:
    caller = Caller(transaction)
    await caller.add("r1", b"body", "a")
    with pytest.raises(AlreadyExists) as other_body:
        await caller.add("r1", b"another body", "b")
    assert other_body.value.reason == "REQUEST_ID_REUSED"
    with pytest.raises(AlreadyExists):
        async with transaction() as tx:
            await tx.requests.claim("r1", "DropNote", sha256(b"body"))


async def test_after_a_rollback_the_next_is_the_first(transaction: Begin) -> None:
    async def fails() -> None:
        async with transaction() as tx:
            assert await tx.requests.claim("r1", "AddNote", "f") is None
            await asyncio.sleep(0.1)
            raise RuntimeError("boom")

    async def follows() -> str | None:
        await asyncio.sleep(0.05)
        async with transaction() as tx:
            return await tx.requests.claim("r1", "AddNote", "f")

    _, answer = await asyncio.gather(fails(), follows(), return_exceptions=True)
    assert answer is None


async def test_without_an_id_nothing_is_kept(database: Database, transaction: Begin) -> None:
    caller = Caller(transaction)
    await caller.add("", b"body", "a")
    await caller.add("", b"body", "b")
    assert await notes(database) == 2


async def test_an_answer_without_a_name_is_an_answer(transaction: Begin) -> None:
    async with transaction() as tx:
        assert await tx.requests.claim("r1", "Touch", "f") is None
        await tx.commit()
    async with transaction() as tx:
        assert await tx.requests.claim("r1", "Touch", "f") == ""


async def test_an_event_is_new_once_for_each_consumer(transaction: Begin) -> None:
    async with transaction() as tx:
        assert await tx.inbox.first_time("e1", "embedding")
        await tx.commit()
    async with transaction() as tx:
        assert not await tx.inbox.first_time("e1", "embedding")
        assert await tx.inbox.first_time("e1", "clustering")
        assert await tx.inbox.first_time("e2", "embedding")
    async with transaction() as tx:
        assert await tx.inbox.first_time("e2", "embedding")


async def test_twenty_deliveries_at_once_have_one_effect(notes_url: str) -> None:
    database = patient(notes_url, pool_size=20)

    async def deliver() -> bool:
        async with NotesTransaction(database, SUPPORT) as tx:
            first = await tx.inbox.first_time("e1", "embedding")
            await asyncio.sleep(0.02)
            await tx.commit()
            return first

    assert sum(await asyncio.gather(*(deliver() for _ in range(20)))) == 1
    await database.close()


async def test_pruning_forgets_the_old_only(database: Database, transaction: Begin) -> None:
    async with transaction() as tx:
        for id in ("old", "new"):
            await tx.requests.claim(id, "AddNote", "f")
            await tx.inbox.first_time(id, "embedding")
        for table in (SUPPORT.request_log, SUPPORT.inbox):
            id_column = table.c[0]
            age = timedelta(hours=25) if table is SUPPORT.request_log else timedelta(days=8)
            await tx.connection.execute(
                update(table).where(id_column == "old").values(create_time=func.now() - age)
            )
        await tx.commit()
    assert await prune(database, SUPPORT) == 2
    assert await prune(database, SUPPORT) == 0
    async with transaction() as tx:
        assert await tx.requests.claim("old", "AddNote", "f") is None
        assert await tx.requests.claim("new", "AddNote", "f") is not None
        assert await tx.inbox.first_time("old", "embedding")
        assert not await tx.inbox.first_time("new", "embedding")
