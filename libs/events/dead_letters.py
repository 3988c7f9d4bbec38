"""Events that nobody could handle: to be looked at, sent again or thrown away."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from libs.errors import FailedPrecondition, NotFound
from libs.events.connection import redis_errors
from libs.events.names import dead_letters_of, retries_of
from libs.events.stream import Event
from libs.events.wire import Delivery, Fields, Malformed, from_fields, to_envelope


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``event`` is None where the entry was none; ``payload`` is then its fields as JSON."""

    id: str
    group: str
    event: Event | None
    payload: bytes
    error: str
    attempts: int
    first_seen: datetime


class DeadLetters:
    """The dead letters of one stream. Every method raises Unavailable if Redis does not answer."""

    def __init__(self, redis: Redis, stream: str) -> None:
        # The annotations of redis-py cover every protocol and encoding at once.
        self._redis: Any = redis
        self._stream = stream
        self._dead = dead_letters_of(stream)

    async def count(self) -> int:
        """How many there are."""
        with redis_errors():
            return int(await self._redis.xlen(self._dead))

    async def list(self, limit: int, after: str = "") -> list[DeadLetter]:
        """Up to ``limit`` of them, oldest first, beginning after the one with id ``after``."""
        with redis_errors():
            start = f"({after}" if after else "-"
            entries = await self._redis.xrange(self._dead, start, "+", count=limit)
        return [_letter(entry.decode(), fields) for entry, fields in entries]

    async def requeue(self, id: str) -> None:
        """Delivers it again, with all its attempts, to the group that gave up.

        Raises NotFound; FailedPrecondition if it is not an event.
        """
        letter = await self._get(id)
        if letter.event is None:
            raise FailedPrecondition(f"dead letter {id} is not an event; discard it")
        delivery = Delivery(self._stream, id, letter.event, letter.first_seen).again(-1)
        with redis_errors():
            async with self._redis.pipeline(transaction=True) as pipeline:
                envelope = {"envelope": to_envelope(delivery)}
                pipeline.xadd(retries_of(self._stream, letter.group), envelope)
                pipeline.xdel(self._dead, id)
                await pipeline.execute()

    async def discard(self, id: str) -> None:
        """Throws it away. Raises NotFound."""
        with redis_errors():
            gone = await self._redis.xdel(self._dead, id)
        if not gone:
            raise NotFound("dead letter", id)

    async def _get(self, id: str) -> DeadLetter:
        with redis_errors():
            entries = await self._redis.xrange(self._dead, id, id)
        if not entries:
            raise NotFound("dead letter", id)
        return _letter(id, entries[0][1])


def _letter(id: str, fields: Fields) -> DeadLetter:
    try:
        event = from_fields(fields)
    except Malformed:
        event = None
    return DeadLetter(
        id=id,
        group=fields[b"group"].decode(),
        event=event,
        payload=fields[b"payload"],
        error=fields[b"error"].decode(),
        attempts=int(fields[b"attempts"]),
        first_seen=datetime.fromisoformat(fields[b"first_seen"].decode()).astimezone(UTC),
    )
