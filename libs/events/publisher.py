"""Puts events on a Redis stream."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from libs.cancellation import heed_cancellation
from libs.events.connection import redis_errors
from libs.events.stream import Event
from libs.events.wire import to_fields


class RedisPublisher:
    """A ``libs.events.stream.Publisher`` for one stream.

    Entries are never trimmed here: the consumers do that, once everybody has read them.
    """

    def __init__(self, redis: Redis, stream: str) -> None:
        # The annotations of redis-py cover every protocol and encoding at once.
        self._redis: Any = redis
        self._stream = stream

    async def publish(self, events: Sequence[Event]) -> None:
        """Appends them in order, in one round trip. Raises Unavailable."""
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for event in events:
                    pipeline.xadd(self._stream, to_fields(event))
                await pipeline.execute()
        heed_cancellation()
