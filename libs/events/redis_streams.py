"""Reads a Redis stream in a group and hands the events to their handlers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.backoff import Backoff
from libs.cancellation import cancel_and_wait, see_through
from libs.errors import Unavailable
from libs.events.group import Group
from libs.events.lanes import Lanes
from libs.events.metrics import ConsumerMetrics
from libs.events.policy import Policy
from libs.events.stream import DONE, GroupStatus, Outcome, Reject, Retry, Subscription
from libs.events.wire import Delivery

log = logging.getLogger(__name__)


class Consumer:
    """At-least-once delivery of one stream's events to one group, in order per key.

    ``subscriptions`` maps event types to handlers; other types are acknowledged unread. Order per
    ordering key holds within one consumer and until an event is retried: a handler that must not
    see an older state after a newer one compares versions, and one whose effect must happen once
    asks its inbox. ``consumer`` is a name that no other live process has, best one that survives
    a restart: then what was in work when the process died comes back at once, not after a minute.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        stream: str,
        group: str,
        consumer: str,
        subscriptions: Mapping[str, Subscription],
        policy: Policy | None = None,
        metrics: ConsumerMetrics | None = None,
    ) -> None:
        self._group = Group(redis, stream, group, consumer)
        self._subscriptions = subscriptions
        self._policy = policy or Policy()
        self._metrics = metrics or ConsumerMetrics()
        self._lanes = Lanes({kind: s.size for kind, s in subscriptions.items()})
        self._calls: set[asyncio.Task[None]] = set()
        self._crash: asyncio.Future[None]
        self._stopping = False
        self._room = asyncio.Event()
        self._postponed = asyncio.Event()

    async def run(self) -> None:
        """Works until it is cancelled; then finishes what is in work, for up to ``grace``."""
        self._stopping = False
        self._crash = asyncio.get_running_loop().create_future()
        loops = [asyncio.create_task(self._read()), asyncio.create_task(self._tend())]
        try:
            # None of these ends by itself: the first that does has failed, and so has this.
            await asyncio.gather(*loops, self._crash)
        finally:
            self._stopping = True
            await see_through(self._wind_down(loops))

    async def status(self) -> GroupStatus:
        """How far the group is behind; shown in the metrics as well. Raises RedisError."""
        await self._group.ensure()
        status = await self._group.status()
        self._metrics.behind(self._group.stream, self._group.name, status)
        return status

    async def _read(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._group.ensure()
                # What this consumer left behind when it last stopped or lost its connection.
                await self._accept_again(await self._group.unfinished())
                while True:
                    await self._read_once()
                    backoff.reset()
            except (RedisError, OSError) as error:
                await self._pause("cannot read", error, backoff)

    async def _read_once(self) -> None:
        self._room.clear()
        room = self._policy.read - self._lanes.waiting
        if room > 0:
            self._accept(await self._group.read(room, self._policy.block))
        else:
            await self._room.wait()

    def _accept(self, deliveries: Sequence[Delivery]) -> None:
        self._lanes.add(deliveries)
        self._start_calls()

    async def _accept_again(self, deliveries: Sequence[Delivery]) -> None:
        """Accepts what was delivered before, except what has cost its consumers their lives."""
        for delivery in deliveries:
            if delivery.event.attempt > self._policy.attempts:
                await self._group.bury(delivery, "its consumers died")
                self._metrics.handled(self._group.stream, self._group.name, "dead")
            else:
                self._accept([delivery])

    def _start_calls(self) -> None:
        while not self._stopping and len(self._calls) < self._policy.concurrency:
            batch = self._lanes.take()
            if not batch:
                return
            call = asyncio.create_task(self._call(batch))
            self._calls.add(call)
            call.add_done_callback(self._called)

    def _called(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()) and not self._crash.done():
            self._crash.set_exception(error)
        self._room.set()
        self._start_calls()

    async def _call(self, batch: Sequence[Delivery]) -> None:
        started = time.perf_counter()
        outcomes = await self._outcomes(batch)
        self._metrics.took(self._group.stream, self._group.name, time.perf_counter() - started)
        await self._insist(lambda: self._settle(batch, outcomes))
        self._lanes.done(batch)

    async def _outcomes(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        subscription = self._subscriptions.get(batch[0].event.type)
        if subscription is None:
            return [DONE] * len(batch)
        try:
            outcomes = await subscription.handler([delivery.event for delivery in batch])
            if len(outcomes) != len(batch):
                raise ValueError(f"{len(outcomes)} outcomes for {len(batch)} events")
        except Exception as error:
            if not isinstance(error, Retry | Reject | Unavailable):
                log.exception("handler of %s failed", batch[0].event.type)
            return [Outcome(error)] * len(batch)
        return outcomes

    async def _settle(self, batch: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
        await self._group.finish([d for d, o in zip(batch, outcomes, strict=True) if not o.error])
        for delivery, outcome in zip(batch, outcomes, strict=True):
            status = await self._settle_failed(delivery, outcome.error) if outcome.error else "done"
            self._metrics.handled(self._group.stream, self._group.name, status)

    async def _settle_failed(self, delivery: Delivery, error: Exception) -> str:
        delay = self._policy.delay(delivery, error, datetime.now(UTC))
        if delay is None:
            log.warning("dead letter: %s %s: %r", delivery.event.type, delivery.event.id, error)
            await self._group.bury(delivery, f"{type(error).__name__}: {error}")
            return "dead"
        # An outage is not the event's fault and does not use up one of its attempts.
        counted = delivery.again(-1) if isinstance(error, Unavailable) else delivery
        await self._group.postpone(counted, delay)
        self._postponed.set()
        return "retry"

    async def _insist(self, command: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff()
        while True:
            try:
                return await command()
            except (RedisError, OSError) as error:
                await self._pause("cannot acknowledge", error, backoff)

    async def _tend(self) -> None:
        """What is due by the clock: retries, signs of life, reclaiming, trimming."""
        backoff = Backoff()
        chores = trimming = time.monotonic()
        while True:
            self._postponed.clear()
            try:
                due = await self._group.move_due()
                if time.monotonic() >= chores:
                    await self._do_chores()
                    chores = time.monotonic() + self._policy.idle / 3
                if time.monotonic() >= trimming:
                    await self._group.trim(self._policy.retention)
                    trimming = time.monotonic() + self._policy.trim_every
                backoff.reset()
            except (RedisError, OSError) as error:
                await self._pause("cannot look after the group", error, backoff)
                continue
            await self._sleep_until(due)

    async def _do_chores(self) -> None:
        await self._group.ensure()
        held = self._lanes.held()
        await self._group.touch(held)
        # After a stall our own may look abandoned, too, and be done before they are accepted again.
        ours = {(delivery.stream, delivery.entry) for delivery in held}
        found = await self._group.reclaim(self._policy.idle, self._policy.read)
        await self._accept_again([d for d in found if (d.stream, d.entry) not in ours])

    async def _sleep_until(self, due: float | None) -> None:
        """At most a second: other consumers postpone too. Less if one of ours is due before."""
        limit = min(1.0, self._policy.idle / 3)
        seconds = limit if due is None else min(limit, max(0.01, due - time.time()))
        try:
            async with asyncio.timeout(seconds):
                await self._postponed.wait()
        except TimeoutError:
            return

    async def _wind_down(self, loops: Sequence[asyncio.Task[None]]) -> None:
        await cancel_and_wait(loops)
        await self._finish_calls()

    async def _finish_calls(self) -> None:
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=self._policy.grace)
            await cancel_and_wait(late)

    async def _pause(self, what: str, error: Exception, backoff: Backoff) -> None:
        delay = backoff.next()
        log.warning("%s %s: %s; again in %.1f s", self._group.stream, what, error, delay)
        await asyncio.sleep(delay)
