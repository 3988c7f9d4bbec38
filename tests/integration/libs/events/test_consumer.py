"""Reading, order, batches, stopping."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from libs.cancellation import cancel_and_wait
from libs.events.group import Group
from libs.events.publisher import RedisPublisher
from libs.events.redis_streams import Consumer
from libs.events.stream import Event, Reject, batched, each
from tests.support.consumers import FAST, GROUP, STREAM, all_settled, consumer, running, settled
from tests.support.events import Recorder, event
from tests.support.wait import eventually


async def test_every_event_arrives_once_and_whole(redis: Redis) -> None:
    sent = [
        replace(event(f"k{n}", n), payload=bytes([n, 0, 255]), trace="00-ab") for n in range(40)
    ]
    seen = Recorder()
    async with running(consumer(redis, batched(seen, 1))):
        await RedisPublisher(redis, STREAM).publish(sent)
        await eventually(all_settled(redis))
    assert sorted(seen.events, key=lambda e: e.id) == sent


async def test_order_is_kept_for_each_key_and_only_there(redis: Redis) -> None:
    class Jumpy(Recorder):
        """The first of each key waits for those of all others, so that a wrong order would show."""

        def __init__(self) -> None:
            super().__init__()
            self._firsts = asyncio.Barrier(4)

        async def __call__(self, events):  # type: ignore[no-untyped-def]
            if events[0].payload == b"0":
                await self._firsts.wait()
            return await super().__call__(events)

    sent = [event(key, number) for number in range(6) for key in "abcd"]
    seen = Jumpy()
    async with running(consumer(redis, batched(seen, 1))):
        await RedisPublisher(redis, STREAM).publish(sent)
        await eventually(all_settled(redis))
    for key in "abcd":
        assert [e.payload for e in seen.events if e.ordering_key == key] == [
            b"%d" % n for n in range(6)
        ]


async def test_no_more_calls_at_a_time_than_allowed(redis: Redis) -> None:
    seen = Recorder(takes=0.02)
    policy = replace(FAST, concurrency=3)
    await RedisPublisher(redis, STREAM).publish([event(f"k{n}") for n in range(20)])
    async with running(consumer(redis, batched(seen, 1), policy=policy)):
        await eventually(all_settled(redis))
    assert seen.most_in_work == 3


async def test_a_slow_event_does_not_hold_up_others(redis: Redis) -> None:
    slow, release = event("slow"), asyncio.Event()
    seen: list[str] = []

    async def handle(event: Event) -> None:
        if event.ordering_key == "slow":
            await release.wait()
        seen.append(event.ordering_key)

    async def all_fast() -> bool:
        return len(seen) == 60

    async with running(consumer(redis, each(handle))):
        others = [event(f"k{n}") for n in range(60)]
        await RedisPublisher(redis, STREAM).publish([slow, *others])
        await eventually(all_fast)
        release.set()
        await eventually(all_settled(redis))
    assert seen[-1] == "slow"


async def test_batches_fill_while_the_handler_is_busy(redis: Redis) -> None:
    seen = Recorder(takes=0.05)
    policy = replace(FAST, read=32, concurrency=1)
    await RedisPublisher(redis, STREAM).publish([event(f"k{n}") for n in range(100)])
    async with running(consumer(redis, batched(seen, 32), policy=policy)):
        await eventually(all_settled(redis))
    assert sorted(len(call) for call in seen.calls) == [4, 32, 32, 32]


async def test_types_that_nobody_asked_for_are_passed_over(redis: Redis) -> None:
    seen = Recorder()
    await RedisPublisher(redis, STREAM).publish([event(type="other.thing"), event()])
    async with running(consumer(redis, batched(seen, 1))):
        await eventually(all_settled(redis))
    assert [e.type for e in seen.events] == ["thing.happened"]


async def test_stopping_finishes_what_is_in_work(redis: Redis) -> None:
    seen = Recorder()
    seen.gate.clear()
    policy = replace(FAST, concurrency=2)
    await RedisPublisher(redis, STREAM).publish([event(f"k{n}") for n in range(6)])
    reading = consumer(redis, batched(seen, 1), policy=policy)

    async def taken() -> bool:
        return seen.in_work == 2

    async def stopping() -> bool:
        return reading._stopping

    run = asyncio.create_task(reading.run())
    await eventually(taken)
    ending = asyncio.create_task(cancel_and_wait([run]))
    await eventually(stopping)
    seen.gate.set()
    await ending
    assert len(seen.events) == 2
    reader = Group(redis, STREAM, GROUP, "looking")
    assert (await reader.status()).pending == 4


async def test_stopping_finishes_what_is_in_work_however_often_it_is_asked(redis: Redis) -> None:
    seen = Recorder(takes=0.5)
    await RedisPublisher(redis, STREAM).publish([event()])

    async def taken() -> bool:
        return seen.in_work == 1

    run = asyncio.create_task(consumer(redis, batched(seen, 1)).run())
    await eventually(taken)
    # As the process does it: again every tenth of a second.
    await cancel_and_wait([run])
    assert run.cancelled()
    assert len(seen.events) == 1
    assert (await Group(redis, STREAM, GROUP, "looking").status()).pending == 0


async def test_stopping_does_not_wait_for_ever(redis: Redis) -> None:
    seen = Recorder(takes=3600)
    policy = replace(FAST, grace=0.2)
    await RedisPublisher(redis, STREAM).publish([event()])

    async def taken() -> bool:
        return seen.in_work == 1

    async with asyncio.timeout(60), running(consumer(redis, batched(seen, 1), policy=policy)):
        await eventually(taken)
    assert (await Group(redis, STREAM, GROUP, "looking").status()).pending == 1


async def test_two_groups_each_get_everything(redis: Redis) -> None:
    one, two = Recorder(), Recorder()
    sent = [event(f"k{n}") for n in range(5)]
    async with running(
        consumer(redis, batched(one, 1)), consumer(redis, batched(two, 1), group="others")
    ):
        await RedisPublisher(redis, STREAM).publish(sent)
        await eventually(all_settled(redis))
        await eventually(lambda: settled(redis, "others"))
    assert sorted(one.ids) == sorted(two.ids) == [e.id for e in sent]


async def test_metrics(redis: Redis) -> None:
    from prometheus_client import CollectorRegistry

    from libs.events.metrics import ConsumerMetrics

    registry = CollectorRegistry()
    seen = Recorder()
    sent = [event("a"), event("b")]
    seen.fail(sent[1], Reject("broken"))
    reading = Consumer(
        redis,
        stream=STREAM,
        group=GROUP,
        consumer="one",
        subscriptions={"thing.happened": batched(seen, 1)},
        policy=FAST,
        metrics=ConsumerMetrics(registry),
    )
    async with running(reading):
        await RedisPublisher(redis, STREAM).publish(sent)
        await eventually(all_settled(redis))
        await reading.status()
    labels = {"stream": STREAM, "group": GROUP}
    handled = "colonnade_events_handled_total"
    assert registry.get_sample_value(handled, {**labels, "status": "done"}) == 1
    assert registry.get_sample_value(handled, {**labels, "status": "dead"}) == 1
    assert registry.get_sample_value("colonnade_event_duration_seconds_count", labels) == 2
    behind = registry.get_sample_value("colonnade_events_behind", {**labels, "place": "dead"})
    assert behind == 1


async def test_a_handler_that_answers_nonsense_stops_the_consumer(redis: Redis) -> None:
    async def handle(events):  # type: ignore[no-untyped-def]
        return ["fine" for _ in events]

    await RedisPublisher(redis, STREAM).publish([event()])
    with pytest.raises(AttributeError):
        await asyncio.wait_for(consumer(redis, batched(handle, 2)).run(), 60)
