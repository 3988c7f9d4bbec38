"""Reads that stand alone, and a short way for the frequent ones.

SQLAlchemy's asynchronous path costs about 0.4 ms of processor time a statement (measured), most of
a unary read. A statement that is a constant of its module and gets its values as parameters needs
none of that: it is compiled once and goes straight to the driver.
"""

import asyncio
import select
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.string import TextLoader
from sqlalchemy import Engine, Executable
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from libs.errors import Unavailable

_DIALECT = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
_MOST_STATEMENTS = 500
Connection = psycopg.AsyncConnection[Any]


class DirectRows:
    """The rows of a constant statement; the part of SQLAlchemy's result that reads need."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def one_or_none(self) -> Any:
        """The row, or None if there is none. Raises ValueError if there are several."""
        if len(self._rows) > 1:
            raise ValueError(f"{len(self._rows)} rows where at most one was expected")
        return self._rows[0] if self._rows else None

    def all(self) -> Sequence[Any]:
        """Every row."""
        return self._rows


class DirectReader:
    """Up to ``size`` driver connections in autocommit for constant statements.

    Whoever listens for ``before_cursor_execute`` of ``engine`` hears of these statements too.
    """

    def __init__(
        self, engine: Engine, url: str, options: str, application_name: str, size: int
    ) -> None:
        self._listeners = engine.dispatch.before_cursor_execute
        plain = make_url(url).set(drivername="postgresql")
        self._dsn = plain.render_as_string(hide_password=False)
        self._options = options
        self._application_name = application_name
        self._room = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._compiled: dict[Executable, str] = {}

    async def execute(self, statement: Executable, parameters: Mapping[str, Any]) -> DirectRows:
        """The rows of ``statement``, a module's constant, with its ``parameters``."""
        text = self._text(statement)
        for listener in self._listeners:
            listener(None, None, text, parameters, None, False)
        async with self._connection() as connection:
            cursor = connection.cursor(row_factory=namedtuple_row)
            await cursor.execute(text, parameters)
            return DirectRows(await cursor.fetchall())

    async def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            await self._idle.pop().close()

    def _text(self, statement: Executable) -> str:
        text = self._compiled.get(statement)
        if text is None:
            if len(self._compiled) >= _MOST_STATEMENTS:
                raise RuntimeError("statements with parameters must be constants of their module")
            text = str(statement.compile(dialect=_DIALECT))  # type: ignore[attr-defined]
            self._compiled[statement] = text
        return text

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
            connection = await psycopg.AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=5,
                application_name=self._application_name,
                options=self._options,
            )
        except psycopg.OperationalError as error:
            raise Unavailable("the database does not answer; try again shortly") from error
        # Ids are text everywhere above, as SQLAlchemy's ``Uuid(as_uuid=False)`` gives them.
        connection.adapters.register_loader("uuid", TextLoader)
        return connection


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
        if self._connection is None:
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
