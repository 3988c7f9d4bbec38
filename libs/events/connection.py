"""Connecting to Redis, and what its failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from libs.errors import Unavailable


def open_redis(url: str, *, timeout: float = 15.0) -> Redis:
    """A client of ``redis://`` or ``rediss://``; connects on first use. Close with ``aclose()``.

    ``timeout`` in seconds must exceed the longest blocking read. A broken connection is replaced
    once; longer waits are the business of the loops that have something to wait for.
    """
    return Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=5.0,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 1),
        protocol=2,
    )


@contextmanager
def redis_errors() -> Iterator[None]:
    """Whatever Redis refuses or fails at leaves as Unavailable."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis does not take this now: {error}") from error
