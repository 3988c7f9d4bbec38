"""The lock of a migration: free again before its connection ends, which the server sees later."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import event, make_url

from services.catalog.legacy.account import Account
from tests.integration.catalog.legacy.conftest import Move

_HELD = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database" + (
    " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
)


class Locks:
    """How many locks were held, now and whenever a connection was about to be ended."""

    def __init__(self, move: Move) -> None:
        engine = move.lib.database.engine.sync_engine
        url = make_url(move.lib.database.url).set(drivername="postgresql")
        self.url = url.render_as_string(hide_password=False)
        self.at_ends: list[int] = []
        event.listen(engine, "invalidate", self._note)

    def held(self) -> int:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(_HELD).fetchone()
        assert row is not None
        return int(row[0])

    def _note(self, *_event: Any) -> None:
        self.at_ends.append(self.held())


async def test_the_lock_is_given_back_before_the_connection_ends(move: Move) -> None:
    account, locks = Account(move.lib.database, move.lib.clock), Locks(move)
    async with account.exclusive():
        assert locks.held() == 1
    assert locks.at_ends == [0]


async def test_a_step_that_fails_gives_the_lock_back_too(move: Move) -> None:
    account, locks = Account(move.lib.database, move.lib.clock), Locks(move)
    with pytest.raises(ValueError, match="no such pillar"):
        async with account.exclusive():
            raise ValueError("no such pillar")
    assert locks.at_ends == [0]


async def test_a_step_whose_connection_was_lost_ends_as_it_would(move: Move) -> None:
    account, locks = Account(move.lib.database, move.lib.clock), Locks(move)
    with psycopg.connect(locks.url) as connection:
        async with account.exclusive():
            connection.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
    assert locks.held() == 0
    async with account.exclusive():
        assert locks.held() == 1
