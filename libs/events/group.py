"""One consumer group of one Redis stream: every command that the group needs."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from libs.events.names import dead_letters_of, delayed_of, retries_of
from libs.events.stream import GroupStatus
from libs.events.wire import Delivery, Fields, Malformed, from_entry, to_envelope, to_fields

_COUNTED = 1000

# Atomic, so that an event is never in two places or in none.
_MOVE_DUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, envelope in ipairs(due) do
  redis.call('XADD', KEYS[2], '*', 'envelope', envelope)
  redis.call('ZREM', KEYS[1], envelope)
end
return redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
"""


class Group:
    """A named reader of ``stream`` in ``group``, on a server of Redis 6.2 or newer.

    ``consumer`` tells the processes apart that share the group.
    """

    def __init__(self, redis: Redis, stream: str, group: str, consumer: str) -> None:
        # The annotations of redis-py cover every protocol and encoding at once.
        self._redis: Any = redis
        self.stream = stream
        self.name = group
        self._consumer = consumer
        self._retries = retries_of(stream, group)
        self._delayed = delayed_of(stream, group)
        self._dead = dead_letters_of(stream)
        self._move = redis.register_script(_MOVE_DUE)

    async def ensure(self) -> None:
        """Makes the group if it is not there; it starts at the oldest entry."""
        for stream in (self.stream, self._retries):
            try:
                await self._redis.xgroup_create(stream, self.name, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def read(self, count: int, block: float) -> list[Delivery]:
        """Up to ``count`` new entries of each stream; waits ``block`` seconds for the first."""
        return await self._decoded(await self._read(">", count, max(1, int(block * 1000))))

    async def unfinished(self) -> list[Delivery]:
        """What this consumer was given in an earlier life and has not acknowledged."""
        deliveries = await self._decoded(await self._read("0", _COUNTED, None))
        return await self._counted(deliveries)

    async def reclaim(self, idle: float, count: int) -> list[Delivery]:
        """Takes over what nobody has touched for ``idle`` seconds."""
        found: list[tuple[str, list[tuple[bytes, Fields]]]] = []
        for stream in (self.stream, self._retries):
            # Redis 6.2 answers two fields, later ones three.
            answer = await self._redis.xautoclaim(
                stream, self.name, self._consumer, min_idle_time=int(idle * 1000), count=count
            )
            found.append((stream, answer[1]))
        return await self._counted(await self._decoded(found))

    async def touch(self, deliveries: Iterable[Delivery]) -> None:
        """Says that these are still in work, so that nobody reclaims them."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for d in deliveries:
                # JUSTID leaves the delivery counter alone.
                pipeline.xclaim(d.stream, self.name, self._consumer, 0, [d.entry], justid=True)
            await pipeline.execute()

    async def finish(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledges what is done."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            for delivery in deliveries:
                self._settle(pipeline, delivery)
            await pipeline.execute()

    async def postpone(self, delivery: Delivery, delay: float) -> None:
        """Puts an event aside for ``delay`` seconds and acknowledges this delivery, atomically."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zadd(self._delayed, {to_envelope(delivery): time.time() + delay})
            self._settle(pipeline, delivery)
            await pipeline.execute()

    async def bury(self, delivery: Delivery, error: str) -> None:
        """Moves an event to the dead letters, atomically."""
        letter = {
            **to_fields(delivery.event),
            "group": self.name,
            "error": error,
            "attempts": delivery.event.attempt,
            "first_seen": delivery.first_seen.isoformat(),
        }
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xadd(self._dead, letter)
            self._settle(pipeline, delivery)
            await pipeline.execute()

    async def move_due(self) -> float | None:
        """Delivers again what has waited long enough; answers when the next is due (Unix time)."""
        following = await self._move(keys=[self._delayed, self._retries], args=[time.time()])
        return float(following[1]) if following else None

    async def trim(self, retention: timedelta) -> None:
        """Drops entries that every group has acknowledged and that are older than ``retention``.

        The age protects a group that is not made yet. A group that no longer reads keeps
        everything: remove it with XGROUP DESTROY.
        """
        groups = await self._redis.xinfo_groups(self.stream)
        if not groups:
            return
        limits = [f"{int((time.time() - retention.total_seconds()) * 1000)}-0"]
        for group in groups:
            waiting = await self._redis.xpending(self.stream, group["name"])
            oldest = waiting["min"] if waiting["pending"] else group["last-delivered-id"]
            limits.append(oldest.decode())
        await self._redis.xtrim(self.stream, minid=min(limits, key=_order), approximate=True)

    async def status(self) -> GroupStatus:
        """How far this group is behind."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xinfo_groups(self.stream)
            pipeline.xpending(self._retries, self.name)
            pipeline.xlen(self._retries)
            pipeline.zcard(self._delayed)
            pipeline.xlen(self._dead)
            groups, repeated, repeats, delayed, dead = await pipeline.execute()
        here = next(group for group in groups if group["name"].decode() == self.name)
        last = here["last-delivered-id"].decode()
        # Counted by hand: Redis 6.2 does not tell the lag of a group.
        unread = await self._redis.xrange(self.stream, f"({last}", "+", count=_COUNTED)
        return GroupStatus(
            pending=here["pending"] + repeated["pending"],
            unread=len(unread) + repeats - repeated["pending"],
            lag=_age(unread[0][0].decode()) if unread else 0.0,
            delayed=delayed,
            dead=dead,
        )

    def _settle(self, pipeline: Any, delivery: Delivery) -> None:
        pipeline.xack(delivery.stream, self.name, delivery.entry)
        if delivery.stream == self._retries:
            # Nobody but this group reads its repeats.
            pipeline.xdel(delivery.stream, delivery.entry)

    async def _read(self, start: str, count: int, block: int | None) -> Any:
        streams: dict[Any, Any] = {self.stream: start, self._retries: start}
        answer = await self._redis.xreadgroup(
            self.name, self._consumer, streams, count=count, block=block
        )
        return [(stream.decode(), entries) for stream, entries in answer or ()]

    async def _decoded(
        self, answer: Sequence[tuple[str, Sequence[tuple[bytes, Fields]]]]
    ) -> list[Delivery]:
        deliveries = []
        for stream, entries in answer:
            for entry, fields in entries:
                try:
                    deliveries.append(from_entry(stream, entry.decode(), fields or {}))
                except Malformed as error:
                    await self._bury_malformed(stream, entry, fields or {}, error)
        return deliveries

    async def _bury_malformed(
        self, stream: str, entry: bytes, fields: Fields, error: Malformed
    ) -> None:
        readable = {_text(name): _text(value) for name, value in fields.items()}
        letter = {
            "payload": orjson.dumps(readable),
            "group": self.name,
            "error": str(error),
            "attempts": 1,
            "first_seen": datetime.now(UTC).isoformat(),
        }
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xadd(self._dead, letter)
            pipeline.xack(stream, self.name, entry)
            await pipeline.execute()

    async def _counted(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """With the deliveries that the server has counted and the entry cannot know of, and without
        those that were acknowledged meanwhile."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for d in deliveries:
                pipeline.xpending_range(d.stream, self.name, d.entry, d.entry, 1)
            answers = await pipeline.execute()
        return [
            delivery.again(found[0]["times_delivered"] - 1)
            for delivery, found in zip(deliveries, answers, strict=True)
            if found
        ]


def _age(entry: str) -> float:
    return max(0.0, time.time() - _order(entry)[0] / 1000)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _order(entry: str) -> tuple[int, int]:
    """Entry ids sort by time, then by number."""
    milliseconds, number = entry.split("-")
    return int(milliseconds), int(number)
