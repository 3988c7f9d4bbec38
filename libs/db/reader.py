"""Reads that stand alone, and a short way for the frequent ones; see ``constants``."""

import asyncio
import select
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import Executable
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from libs.db.constants import Connection, Constants, DirectRows
from libs.errors import Unavailable


class DirectReader:
    """Up to ``size`` driver connections in autocommit for constant statements.

    ``connect_args`` are those of every connection of this database.
    """

    def __init__(
        self, constants: Constants, url: str, connect_args: Mapping[str, Any], size: int
    ) -> None:
        self._constants = constants
        plain = make_url(url).set(drivername="postgresql")
        self._dsn = plain.render_as_string(hide_password=False)
        self._connect_args = connect_args
        self._room = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    async def execute(self, statement: Executable, parameters: Mapping[str, Any]) -> DirectRows:
        """The rows of ``statement``, a module's constant, with its ``parameters``.

        A connection may be ending although that is not yet to be seen when it is taken. The server
        then refuses the statement, which is sent once more, on a new connection.
        """
        try:
            return await self._try(statement, parameters)
        except psycopg.errors.AdminShutdown:
            await self.close()
            return await self._try(statement, parameters)

    async def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            await self._idle.pop().close()

    async def _try(self, statement: Executable, parameters: Mapping[str, Any]) -> DirectRows:
        async with self._connection() as connection:
            return await self._constants.execute(connection, statement, parameters)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        async with self._room:
            connection = await self._take()
            try:
                yield connection
            except BaseException:
                # Whatever it is in the middle of, nobody else should be.
                await connection.close()
                raise
            self._idle.append(connection)

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if is_usable(connection):
                return connection
            await connection.close()
        return await self._open()

    async def _open(self) -> Connection:
        try:
            return await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, **self._connect_args
            )
        except psycopg.OperationalError as error:
            raise Unavailable("the database does not answer; try again shortly") from error


class ReadConnection:
    """What ``Database.reading()`` gives: ``execute``, by the short way or through SQLAlchemy.

    A statement with ``parameters`` takes the short way and must be a constant of its module.
    """

    def __init__(self, engine: AsyncEngine, direct: DirectReader) -> None:
        self._engine = engine
        self._direct = direct
        self._connection: AsyncConnection | None = None

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Any:
        """The rows of ``statement``."""
        if parameters is not None:
            return await self._direct.execute(statement, parameters)
        if self._connection is not None:
            return await self._connection.execute(statement)
        try:
            self._connection = await self._engine.connect()
            return await self._connection.execute(statement)
        except DBAPIError as error:
            # As with ``DirectReader``: it was ending already when it was taken.
            if not isinstance(error.orig, psycopg.errors.AdminShutdown):
                raise
        await self.close()
        self._connection = await self._engine.connect()
        return await self._connection.execute(statement)

    async def close(self) -> None:
        """Gives back what it took."""
        if self._connection is not None:
            await self._connection.close()


def is_usable(connection: Any) -> bool:
    """Whether the server has neither closed an idle connection nor written to it.

    Looking costs about a microsecond where a ping would cost a round trip on every request.
    """
    if connection.closed:
        return False
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return not poller.poll(0)
