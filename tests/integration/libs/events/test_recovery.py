"""Dead consumers, restarts, trimming, status."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from libs.embedded.redis import RedisServer
from libs.errors import Unavailable
from libs.events.connection import open_redis
from libs.events.dead_letters import DeadLetters
from libs.events.group import Group
from libs.events.publisher import RedisPublisher
from libs.events.stream import batched
from tests.support.consumers import FAST, GROUP, STREAM, all_settled, consumer, running
from tests.support.events import Recorder, event
from tests.support.wait import eventually


async def test_what_a_dead_consumer_held_goes_to_another(redis: Redis) -> None:
    sent = [event(f"k{n}") for n in range(5)]
    await RedisPublisher(redis, STREAM).publish(sent)
    dead = Group(redis, STREAM, GROUP, "dead")
    await dead.ensure()
    assert len(await dead.read(5, 0.1)) == 5
    seen = Recorder()
    policy = replace(FAST, idle=0.6)
    async with running(consumer(redis, batched(seen, 1), policy=policy, name="alive")):
        await eventually(all_settled(redis))
    assert sorted(seen.ids) == [e.id for e in sent]
    assert {e.attempt for e in seen.events} == {2}


async def test_the_same_consumer_finds_its_own_at_once(redis: Redis) -> None:
    await RedisPublisher(redis, STREAM).publish([event(f"k{n}") for n in range(40)])
    before = Group(redis, STREAM, GROUP, "one")
    await before.ensure()
    await before.read(40, 0.1)
    seen = Recorder()
    policy = replace(FAST, idle=3600.0)
    async with running(consumer(redis, batched(seen, 1), policy=policy)):
        await eventually(all_settled(redis))
    assert len(seen.events) == 40


async def test_an_event_that_kills_its_consumers_ends_as_dead_letter(redis: Redis) -> None:
    await RedisPublisher(redis, STREAM).publish([event()])
    for life in range(5):
        dying = Group(redis, STREAM, GROUP, f"life {life}")
        await dying.ensure()
        await (dying.reclaim(0.0, 5) if life else dying.read(5, 0.1))
    seen = Recorder()
    policy = replace(FAST, idle=0.6)
    async with running(consumer(redis, batched(seen, 1), policy=policy)):
        await eventually(all_settled(redis))
    assert seen.calls == []
    [letter] = await DeadLetters(redis, STREAM).list(10)
    assert letter.attempts == 6


async def test_a_long_handler_keeps_its_event(redis: Redis) -> None:
    seen = Recorder()
    seen.gate.clear()
    ages: list[int] = []

    async def taken() -> bool:
        return seen.in_work == 1

    async def touched() -> bool:
        """Whether it was younger at a later look, and so has been touched in between."""
        pending = await redis.xpending_range(STREAM, GROUP, "-", "+", 9)
        ages.extend(each["time_since_delivered"] for each in pending)
        return any(later < earlier for earlier, later in pairwise(ages))

    # A sign of life every 2 s: far enough from 6 for a machine that stalls between it and the look
    # for what seems abandoned, which would count as a delivery.
    policy = replace(FAST, idle=6.0)
    async with running(consumer(redis, batched(seen, 1), policy=policy)):
        await RedisPublisher(redis, STREAM).publish([event()])
        await eventually(taken)
        await eventually(touched)
        [held] = await redis.xpending_range(STREAM, GROUP, "-", "+", 9)
        # Signs of life are no deliveries, and it is not handed to its own consumer again.
        assert (held["consumer"], held["times_delivered"]) == (b"one", 1)
        seen.gate.set()
        await eventually(all_settled(redis))
    assert len(seen.events) == 1


async def test_a_consumer_that_stalls_takes_no_event_from_itself(redis: Redis) -> None:
    seen = Recorder()
    seen.gate.clear()

    async def taken() -> bool:
        return seen.in_work == 1

    async def looked_abandoned_often() -> bool:
        pending = await redis.xpending_range(STREAM, GROUP, "-", "+", 9)
        return any(each["times_delivered"] > 2 * FAST.attempts for each in pending)

    # Whatever it holds looks abandoned, as after a stall between the sign of life and the look.
    policy = replace(FAST, idle=0.001)
    async with running(consumer(redis, batched(seen, 1), policy=policy)):
        await RedisPublisher(redis, STREAM).publish([event()])
        await eventually(taken)
        await eventually(looked_abandoned_often)
        seen.gate.set()
        await eventually(all_settled(redis))
    assert len(seen.events) == 1
    assert await DeadLetters(redis, STREAM).count() == 0


async def test_what_was_acknowledged_after_all_is_not_handled_again(redis: Redis) -> None:
    await RedisPublisher(redis, STREAM).publish([event("slow"), event("dead")])
    slow, other = (Group(redis, STREAM, GROUP, name) for name in ("slow", "other"))
    await slow.ensure()
    mine, dead = await slow.read(2, 0.1)
    await redis.xclaim(STREAM, GROUP, "other", 0, [mine.entry, dead.entry])
    await slow.finish([mine])
    assert await other._counted([mine, dead]) == [dead.again(1)]


async def test_redis_may_restart(own_redis: RedisServer) -> None:
    redis = open_redis(own_redis.url)
    seen = Recorder(takes=0.02)
    sent = [event(f"k{n}", n) for n in range(30)]
    async with running(consumer(redis, batched(seen, 1))):
        await RedisPublisher(redis, STREAM).publish(sent)

        async def some() -> bool:
            return len(seen.events) > 3

        await eventually(some)
        own_redis.stop()
        with pytest.raises(Unavailable):
            await RedisPublisher(redis, STREAM).publish([event()])
        own_redis.start()
        last = event("last")
        await RedisPublisher(redis, STREAM).publish([last])

        async def all_there() -> bool:
            return {e.id for e in sent} | {last.id} <= set(seen.ids)

        await eventually(all_there)
        await eventually(all_settled(redis))
    await redis.aclose()


async def test_a_group_that_was_removed_is_made_again(redis: Redis) -> None:
    seen = Recorder()
    async with running(consumer(redis, batched(seen, 1))):
        await RedisPublisher(redis, STREAM).publish([event()])
        await eventually(all_settled(redis))
        await redis.flushall()
        await RedisPublisher(redis, STREAM).publish([event()])

        async def twice() -> bool:
            return len(seen.events) == 2

        await eventually(twice)


async def test_trimming_spares_what_a_slow_group_has_not_read(redis: Redis) -> None:
    # Redis trims by whole nodes of 100 entries.
    await RedisPublisher(redis, STREAM).publish([event(f"k{n}") for n in range(1000)])
    fast, slow = (Group(redis, STREAM, name, "c") for name in ("fast", "slow"))
    for group, count in ((fast, 1000), (slow, 300)):
        await group.ensure()
        await group.finish(await group.read(count, 0.1))
    unfinished = await slow.read(50, 0.1)
    await fast.trim(timedelta())
    assert 700 <= await redis.xlen(STREAM) <= 800
    kept = await redis.xrange(STREAM, unfinished[0].entry, unfinished[-1].entry)
    assert kept is not None
    assert len(kept) == 50
    assert len(await slow.read(1000, 0.1)) == 650

    await slow.finish(unfinished)
    await fast.trim(timedelta(hours=1))
    assert await redis.xlen(STREAM) >= 700


async def test_status_counts(redis: Redis) -> None:
    group = Group(redis, STREAM, GROUP, "c")
    await group.ensure()
    before = time.time()
    await RedisPublisher(redis, STREAM).publish([event(f"k{n}") for n in range(10)])
    read = await group.read(4, 0.1)
    await group.postpone(read[0], 60)
    await group.bury(read[1], "broken")
    await asyncio.sleep(0.05)
    status = await group.status()
    assert (status.pending, status.unread, status.delayed, status.dead) == (2, 6, 1, 1)
    assert 0.05 <= status.lag <= time.time() - before + 0.001  # the server counts milliseconds
