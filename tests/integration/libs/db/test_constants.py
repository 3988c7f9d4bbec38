"""Constant statements: compiled once, in transactions and outside, with the driver's own errors."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from libs.db.constants import Constants
from libs.db.engine import Database
from libs.db.errors import violated
from libs.errors import Unavailable
from tests.support.notes import NOTES, NotesTransaction

Begin = Callable[[], NotesTransaction]
_ADDED = (
    insert(NOTES)
    .values(id=sa.bindparam("id"), text="by a constant", parent=sa.bindparam("parent"))
    .on_conflict_do_nothing(index_elements=["id"])
    .returning(NOTES.c.id)
)
_TEXT = sa.select(NOTES.c.text).where(NOTES.c.id == sa.bindparam("id"))
_VALUES = sa.select(
    sa.bindparam("document", type_=JSONB).label("document"),
    sa.bindparam("texts", type_=ARRAY(sa.Text)).label("texts"),
    sa.bindparam("id", type_=sa.Uuid(as_uuid=False)).label("id"),
)
ID = "0197a5a0-0000-7000-8000-000000000001"


def quick(tx: NotesTransaction) -> Any:
    """The connection that repositories get."""
    return tx.notes._connection


async def test_it_is_part_of_the_transaction(transaction: Begin) -> None:
    async with transaction() as tx:
        await tx.notes.add("before", "through SQLAlchemy")
        found = await quick(tx).execute(_TEXT, {"id": "before"})
        assert found.one_or_none().text == "through SQLAlchemy"
        added = await quick(tx).execute(_ADDED, {"id": "one", "parent": "before"})
        assert added.one_or_none().id == "one"
        assert (await quick(tx).execute(_ADDED, {"id": "one", "parent": None})).all() == []
        await tx.commit()
    async with transaction() as tx:
        await quick(tx).execute(_ADDED, {"id": "two", "parent": None})
    async with transaction() as tx:
        assert await tx.notes.ids() == ["before", "one"], "two was undone"


async def test_a_broken_constraint_is_named_as_ever(transaction: Begin) -> None:
    with pytest.raises(IntegrityError) as raised:
        async with transaction() as tx:
            await quick(tx).execute(_ADDED, {"id": "orphan", "parent": "nobody"})
    assert violated(raised.value) == "notes_parent_fkey"
    async with transaction() as tx:
        await tx.notes.add("a")
        await tx.commit()


async def test_values_are_bound_by_their_types(database: Database, transaction: Begin) -> None:
    values = {"document": {"a": [1, None]}, "texts": ["x", "y"], "id": ID}
    async with database.reading() as connection:
        read = (await connection.execute(_VALUES, values)).all()[0]
    async with transaction() as tx:
        changed = (await quick(tx).execute(_VALUES, values)).all()[0]
    assert tuple(read) == tuple(changed) == ({"a": [1, None]}, ["x", "y"], ID)


async def test_listeners_hear_of_it(transaction: Begin) -> None:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        async with transaction() as tx:
            await quick(tx).execute(_TEXT, {"id": "none"})
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(seen) == 1


async def test_a_lost_connection_is_unavailable_and_the_next_one_works(
    database: Database, transaction: Begin
) -> None:
    with pytest.raises(Unavailable):
        async with transaction() as tx:
            async with database.transaction() as other:
                await other.execute(
                    sa.text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                        "pg_backend_pid() AND datname = current_database()"
                    )
                )
            await quick(tx).execute(_TEXT, {"id": "none"})
    async with transaction() as tx:
        assert (await quick(tx).execute(_TEXT, {"id": "none"})).one_or_none() is None


async def test_a_cancelled_statement_leaves_no_connection_behind(transaction: Begin) -> None:
    slow = sa.select(sa.func.pg_sleep(sa.bindparam("seconds", type_=sa.Float)))

    async def work() -> None:
        async with transaction() as tx:
            await quick(tx).execute(slow, {"seconds": 30.0})

    tasks = [asyncio.ensure_future(work()) for _ in range(3)]
    await asyncio.wait(tasks, timeout=0.2)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    async with transaction() as tx:
        assert (await quick(tx).execute(_TEXT, {"id": "none"})).one_or_none() is None


async def test_statements_that_are_no_constants_are_noticed(transaction: Begin) -> None:
    constants = Constants(())
    async with transaction() as tx:
        driver = (await tx.connection.get_raw_connection()).driver_connection
        with pytest.raises(RuntimeError, match="constants"):
            for _ in range(1000):
                made = sa.select(sa.bindparam("n", type_=sa.Integer))
                await constants.execute(driver, made, {"n": 1})  # type: ignore[arg-type]
