"""Whether the databases of the services answer, for parts that serve all of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from libs.app import App
from libs.db.engine import Database
from services.engines import Engines
from services.settings import Settings


@asynccontextmanager
async def database_check(
    app: App[Settings], purpose: str
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Gives a check that raises Unavailable unless every database known here answers."""
    databases = [
        Database(url, application_name=f"colonnade {purpose} check", pool_size=1, max_overflow=0)
        for url in app.need(Engines).databases.values()
    ]

    async def check() -> None:
        await asyncio.gather(*(database.ping() for database in databases))

    try:
        yield check
    finally:
        for database in databases:
            await database.close()
