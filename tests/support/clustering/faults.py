"""What goes wrong between two steps: a process dies, something else happens, engines are away."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database
from services.clustering.repository.store import ClusteringTransaction, PostgresStore
from services.clustering.tables import support

Hook = Callable[[], Awaitable[object]]


class Died(BaseException):
    """The process is gone. Not an Exception, so that nothing handles it."""


class Fuse:
    """Lets so many steps be taken and dies at the next."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        if self.left == 0:
            raise Died
        self.left -= 1


class Mortal:
    """Does what ``target`` does; each awaited call is a step of ``fuse``."""

    def __init__(self, target: Any, fuse: Fuse) -> None:
        self._target = target
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if inspect.iscoroutinefunction(value):
            return self._stepping(value)
        if name in ("begin", "read"):
            return self._opening(value)
        return value if callable(value) else Mortal(value, self._fuse)

    def _stepping(self, call: Any) -> Any:
        async def stepping(*args: Any, **kwargs: Any) -> Any:
            self._fuse.step()
            return await call(*args, **kwargs)

        return stepping

    def _opening(self, call: Any) -> Any:
        @asynccontextmanager
        async def opening() -> AsyncIterator[Mortal]:
            self._fuse.step()
            async with call() as opened:
                yield Mortal(opened, self._fuse)

        return opening


class MortalStore(PostgresStore):
    """A store of which every statement is a step of ``fuse``, and so are each commit and what
    follows it."""

    def __init__(self, database: Database, clock: Clock, fuse: Fuse) -> None:
        super().__init__(database, clock)
        self._made = database, clock
        self._fuse = fuse

    def begin(self) -> ClusteringTransaction:
        database, clock = self._made
        return _MortalTransaction(database, clock, self._fuse)


class _MortalTransaction(ClusteringTransaction):
    def __init__(self, database: Database, clock: Clock, fuse: Fuse) -> None:
        super().__init__(database, support, clock)
        self._fuse = fuse

    def bind(self, connection: AsyncConnection) -> None:
        super().bind(cast(AsyncConnection, _MortalConnection(connection, self._fuse)))

    async def commit(self) -> None:
        self._fuse.step()
        await super().commit()
        self._fuse.step()


class _MortalConnection:
    def __init__(self, connection: AsyncConnection, fuse: Fuse) -> None:
        self._connection = connection
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        self._fuse.step()
        return await self._connection.execute(*args, **kwargs)


class Hooked:
    """Does what ``target`` does; before the call of ``method``, ``hook`` runs once."""

    def __init__(self, target: Any, method: str, hook: Hook) -> None:
        self._target = target
        self._method = method
        self._hook: Hook | None = hook

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if name != self._method:
            return value

        async def hooked(*args: Any) -> Any:
            if self._hook is not None:
                hook, self._hook = self._hook, None
                await hook()
            return await value(*args)

        return hooked


class Away:
    """Vectors that cannot be read, for the reason given."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def of_points(self, collection: str, ids: Any) -> Any:
        raise self._error

    async def of_scope(self, collection: str, scope: str) -> Any:
        raise self._error
        yield
