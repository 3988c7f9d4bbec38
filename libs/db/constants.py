"""Statements that are constants of their modules, compiled once and sent straight to the driver.

SQLAlchemy's asynchronous path costs about 0.4 ms of processor time a statement (measured), most of
a unary read. A statement that is a constant of its module and gets its values as parameters needs
none of that. Lists go in whole (``= ANY(…)``); ``in_`` has another text for each length.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.string import TextLoader
from sqlalchemy import Executable
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECT = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
_MOST_STATEMENTS = 500

Connection = psycopg.AsyncConnection[Any]
Listeners = Iterable[Callable[..., Any]]


class DirectRows:
    """The rows of a constant statement; the part of SQLAlchemy's result that repositories need."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def one_or_none(self) -> Any:
        """The row, or None if there is none. Raises ValueError if there are several."""
        if len(self._rows) > 1:
            raise ValueError(f"{len(self._rows)} rows where at most one was expected")
        return self._rows[0] if self._rows else None

    def all(self) -> Sequence[Any]:
        """Every row."""
        return self._rows


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    literals: Mapping[str, Any]
    binders: Mapping[str, Callable[[Any], Any]]

    def bound(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters as the driver takes them, with the values in the statement itself."""
        values = {**self.literals, **parameters}
        for key, bind in self.binders.items():
            values[key] = bind(values[key])
        return values


class Constants:
    """The compiled statements of a database. Whoever is in ``listeners`` hears of each execution,
    as those of ``before_cursor_execute`` do."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        self._compiled: dict[Executable, _Compiled] = {}

    async def execute(
        self, connection: Connection, statement: Executable, parameters: Mapping[str, Any]
    ) -> DirectRows:
        """The rows of ``statement``, a module's constant, with its ``parameters``.

        Ids come as text, as SQLAlchemy's ``Uuid(as_uuid=False)`` gives them. Raises what the
        driver raises, but a broken constraint as SQLAlchemy's IntegrityError.
        """
        compiled = self._compiled.get(statement) or self._compile(statement)
        bound = compiled.bound(parameters)
        for listener in self._listeners:
            listener(None, None, compiled.text, bound, None, False)
        cursor = connection.cursor(row_factory=namedtuple_row)
        cursor.adapters.register_loader("uuid", TextLoader)
        try:
            await cursor.execute(compiled.text, bound)
        except psycopg.IntegrityError as error:
            raise IntegrityError(compiled.text, bound, error) from error
        return DirectRows(await cursor.fetchall() if cursor.description else ())

    def _compile(self, statement: Executable) -> _Compiled:
        if len(self._compiled) >= _MOST_STATEMENTS:
            raise RuntimeError("statements with parameters must be constants of their module")
        compiled = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        binds = compiled.binds
        literals = {name: bind.value for name, bind in binds.items() if not bind.required}
        processors = {
            name: bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
            for name, bind in binds.items()
        }
        binders = {name: processor for name, processor in processors.items() if processor}
        self._compiled[statement] = _Compiled(str(compiled), literals, binders)
        return self._compiled[statement]


class TransactionConnection:
    """What the repositories of a transaction get: ``execute``, by the short way or through
    SQLAlchemy.

    A statement with parameters by name takes the short way and must be a constant of its module.
    """

    def __init__(self, connection: AsyncConnection, constants: Constants) -> None:
        self._connection = connection
        self._constants = constants
        self._driver: Connection | None = None

    async def execute(self, statement: Executable, parameters: Any = None) -> Any:
        """The rows of ``statement``."""
        if not isinstance(parameters, Mapping):
            return await self._connection.execute(statement, parameters)
        if self._driver is None:
            raw = await self._connection.get_raw_connection()
            self._driver = cast(Connection, raw.driver_connection)
        try:
            return await self._constants.execute(self._driver, statement, parameters)
        except psycopg.Error:
            if self._driver.closed:
                # Or SQLAlchemy, which has not heard of it, would try to roll back on it.
                await self._connection.invalidate()
            raise
