"""Pages of lists that stay the same for as long as their key does, in Redis.

A key names the version that a page shows, so nothing has to be made invalid: a new version has new
keys. Whatever is wrong with Redis, pages are read from the database, as if there were no cache.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

_SPREAD = 0.1


class NotMade(Exception):
    """Whoever was to make an answer did not; why is theirs to tell."""


class PageCache:
    """Remembers answers for about ``ttl`` seconds; 0 remembers nothing.

    Of several calls for one key at once, one makes the answer and all get it. With ``owned`` the
    client is closed with it. After ``patience`` seconds Redis is not waited for: a cache that takes
    longer than the database is of no use.
    """

    def __init__(
        self,
        redis: Redis,
        prefix: str,
        ttl: float,
        results: Counter,
        *,
        owned: bool = False,
        patience: float = 0.25,
    ) -> None:
        self._owned = owned
        self._patience = patience
        self._redis = redis
        self._prefix = prefix
        self._ttl = ttl
        self._results = results
        self._making: dict[str, asyncio.Future[bytes]] = {}

    async def answer(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What is remembered under a key, or else what ``make`` answers. Raises what that does."""
        if not self._ttl:
            return await make()
        if (known := await self._get(key)) is not None:
            return known
        if (making := self._making.get(key)) is not None:
            try:
                return await asyncio.shield(making)
            except NotMade:
                return await make()
        future = self._making[key] = asyncio.get_running_loop().create_future()
        try:
            made = await make()
        except BaseException:
            future.set_exception(NotMade())
            # Nobody may have waited for it.
            future.exception()
            raise
        else:
            future.set_result(made)
        finally:
            del self._making[key]
        await self._put(key, made)
        return made

    async def close(self) -> None:
        """Closes the client if it is its own."""
        if self._owned:
            await self._redis.aclose()

    async def _get(self, key: str) -> bytes | None:
        try:
            async with asyncio.timeout(self._patience):
                known = await self._redis.get(self._prefix + key)
        except (RedisError, OSError, TimeoutError) as error:
            self._results.labels("error").inc()
            log.debug("the cache did not answer: %r", error)
            return None
        self._results.labels("hit" if known is not None else "miss").inc()
        return known.encode() if isinstance(known, str) else known

    async def _put(self, key: str, value: bytes) -> None:
        # Spread, so that what was stored together does not go together.
        ttl = self._ttl * random.uniform(1 - _SPREAD, 1 + _SPREAD)
        try:
            async with asyncio.timeout(self._patience):
                await self._redis.set(self._prefix + key, value, px=max(int(ttl * 1000), 1))
        except (RedisError, OSError, TimeoutError) as error:
            log.debug("the cache did not take it: %r", error)
