"""Failures: retries and dead letters."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from libs.errors import FailedPrecondition, NotFound, Unavailable
from libs.events.dead_letters import DeadLetters
from libs.events.names import retries_of
from libs.events.publisher import RedisPublisher
from libs.events.stream import Event, Reject, Retry, batched, each
from tests.support.consumers import FAST, GROUP, STREAM, all_settled, consumer, running, settled
from tests.support.events import Recorder, event
from tests.support.wait import eventually


async def test_each_event_of_a_batch_has_its_own_outcome(redis: Redis) -> None:
    sent = [event(f"k{n}") for n in range(10)]
    seen = Recorder()
    seen.fail(sent[3], Reject("broken picture"))
    seen.fail(sent[7], Retry("not yet"))
    policy = replace(FAST, concurrency=1)
    await RedisPublisher(redis, STREAM).publish(sent)
    async with running(consumer(redis, batched(seen, 10), policy=policy)):
        await eventually(all_settled(redis))
    # The one that asked for retries came alone, and ended as a dead letter like the rejected one.
    assert [len(call) for call in seen.calls] == [10, 1, 1, 1, 1]
    letters = await DeadLetters(redis, STREAM).list(10)
    assert [(d.event and d.event.id, d.attempts) for d in letters] == [
        (sent[3].id, 1),
        (sent[7].id, 5),
    ]


async def test_one_poisonous_event_does_not_kill_its_batch(redis: Redis) -> None:
    sent = [event(f"k{n}") for n in range(10)]
    done: set[str] = set()

    async def handle(events):  # type: ignore[no-untyped-def]
        if sent[4].id in [event.id for event in events]:
            raise ZeroDivisionError
        done.update(event.id for event in events)
        return [(await Recorder()([event]))[0] for event in events]

    await RedisPublisher(redis, STREAM).publish(sent)
    async with running(consumer(redis, batched(handle, 10))):
        await eventually(all_settled(redis))
    assert done == {e.id for e in sent} - {sent[4].id}
    assert [d.error for d in await DeadLetters(redis, STREAM).list(9)] == ["ZeroDivisionError: "]


async def test_wrong_number_of_outcomes_is_an_error_of_all(redis: Redis) -> None:
    async def handle(events):  # type: ignore[no-untyped-def]
        return []

    await RedisPublisher(redis, STREAM).publish([event()])
    async with running(consumer(redis, batched(handle, 2))):
        await eventually(all_settled(redis))
    [letter] = await DeadLetters(redis, STREAM).list(9)
    assert letter.error == "ValueError: 0 outcomes for 1 events"


async def test_retry_waits_as_long_as_the_rule_says(redis: Redis) -> None:
    times: list[tuple[int, float]] = []

    async def handle(event: Event) -> None:
        times.append((event.attempt, asyncio.get_running_loop().time()))
        if event.attempt < 4:
            raise Retry("not yet", after=0.3 if event.attempt == 3 else None)

    policy = replace(FAST, delays=(0.1, 0.4, 3600.0))
    async with running(consumer(redis, each(handle), policy=policy)):
        await RedisPublisher(redis, STREAM).publish([event()])
        await eventually(all_settled(redis))
    assert [attempt for attempt, _ in times] == [1, 2, 3, 4]
    waits = [after - before for (_, before), (_, after) in pairwise(times)]
    for wait, wanted in zip(waits, (0.1, 0.4, 0.3), strict=True):
        assert wait >= wanted


async def test_five_failures_make_a_dead_letter(redis: Redis) -> None:
    attempts: list[int] = []
    sent = event("k", 7)

    async def handle(event: Event) -> None:
        attempts.append(event.attempt)
        raise KeyError("colour")

    async with running(consumer(redis, each(handle))):
        await RedisPublisher(redis, STREAM).publish([sent])
        await eventually(all_settled(redis))
    assert attempts == [1, 2, 3, 4, 5]
    [letter] = await DeadLetters(redis, STREAM).list(10)
    assert letter.event == sent
    assert (letter.error, letter.attempts, letter.group) == ("KeyError: 'colour'", 5, GROUP)
    assert letter.payload == b"7"
    assert await redis.xlen(retries_of(STREAM, GROUP)) == 0


async def test_an_outage_does_not_use_up_attempts(redis: Redis) -> None:
    attempts: list[int] = []

    async def handle(event: Event) -> None:
        attempts.append(event.attempt)
        if len(attempts) < 9:
            raise Unavailable("the database is away", retry_after=0.01)

    policy = replace(FAST, delays=(0.02,))
    async with running(consumer(redis, each(handle), policy=policy)):
        await RedisPublisher(redis, STREAM).publish([event()])
        await eventually(all_settled(redis))
    assert attempts == [1] * 9
    assert await DeadLetters(redis, STREAM).count() == 0


async def test_an_outage_without_end_makes_a_dead_letter(redis: Redis) -> None:
    async def handle(event: Event) -> None:
        raise Unavailable("for ever", retry_after=0.01)

    policy = replace(FAST, delays=(0.02,), patience=timedelta(seconds=0.2))
    async with running(consumer(redis, each(handle), policy=policy)):
        await RedisPublisher(redis, STREAM).publish([event()])
        await eventually(all_settled(redis))
    assert await DeadLetters(redis, STREAM).count() == 1


async def test_malformed_entries_are_dead_at_once(redis: Redis) -> None:
    seen = Recorder()
    await redis.xadd(STREAM, {"hello": "world"})
    good = event()
    await RedisPublisher(redis, STREAM).publish([good])
    async with running(consumer(redis, batched(seen, 1))):
        await eventually(all_settled(redis))
    assert seen.ids == [good.id]
    [letter] = await DeadLetters(redis, STREAM).list(10)
    assert letter.event is None
    assert letter.payload == b'{"hello":"world"}'
    with pytest.raises(FailedPrecondition):
        await DeadLetters(redis, STREAM).requeue(letter.id)


async def test_dead_letters_can_be_sent_again_or_thrown_away(redis: Redis) -> None:
    letters = DeadLetters(redis, STREAM)
    sent = [event("a"), event("b")]
    seen = Recorder()
    for each_event in sent:
        seen.fail(each_event, Reject("broken"))
    async with running(consumer(redis, batched(seen, 1))):
        await RedisPublisher(redis, STREAM).publish(sent)
        await eventually(all_settled(redis))
        first, second = await letters.list(10)
        assert [first.id, second.id] == [d.id for d in await letters.list(10)]
        assert await letters.list(1, after=first.id) == [second]
        seen.failures.clear()
        await letters.requeue(first.id)
        await letters.discard(second.id)

        async def thrice() -> bool:
            return len(seen.events) == 3

        await eventually(thrice)
        await eventually(all_settled(redis))
    assert first.event is not None
    assert (seen.events[-1].id, seen.events[-1].attempt) == (first.event.id, 1)
    assert await letters.count() == 0
    for call in (letters.requeue, letters.discard):
        with pytest.raises(NotFound):
            await call(first.id)


async def test_a_retry_reaches_only_the_group_that_asked(redis: Redis) -> None:
    one, two = Recorder(), Recorder()
    sent = event()
    one.fail(sent, Retry("not yet"))
    async with running(
        consumer(redis, batched(one, 1)), consumer(redis, batched(two, 1), group="others")
    ):
        await RedisPublisher(redis, STREAM).publish([sent])
        await eventually(all_settled(redis))
        await eventually(lambda: settled(redis, "others"))
    assert len(one.events) == 5
    assert len(two.events) == 1
