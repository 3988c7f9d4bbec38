"""Running consumers in tests: short waits, a clean stop, and knowing when all is done."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from redis.asyncio import Redis

from libs.cancellation import cancel_and_wait
from libs.events.group import Group
from libs.events.names import group_name, stream_name
from libs.events.policy import Policy
from libs.events.redis_streams import Consumer
from libs.events.stream import Subscription

STREAM = stream_name("test", "things")
GROUP = group_name("readers")
# An event is taken from nobody, however long the machine stalls; tests of that have an own policy.
FAST = Policy(block=0.2, delays=(0.05, 0.1), trim_every=0.1, retention=timedelta())


def consumer(
    redis: Redis,
    subscription: Subscription,
    *,
    policy: Policy = FAST,
    name: str = "one",
    group: str = GROUP,
) -> Consumer:
    return Consumer(
        redis,
        stream=STREAM,
        group=group,
        consumer=name,
        subscriptions={"thing.happened": subscription},
        policy=policy,
    )


@asynccontextmanager
async def running(*consumers: Consumer) -> AsyncIterator[None]:
    """Stopped in good order at the end; an unplanned end of a consumer fails the test."""
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
    try:
        yield
    finally:
        # Once is not always enough; see there.
        await cancel_and_wait(tasks)
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(answer, asyncio.CancelledError):
                raise AssertionError("the consumer ended by itself") from answer


async def settled(redis: Redis, group: str = GROUP) -> bool:
    """Nothing is unread, pending or delayed."""
    reader = Group(redis, STREAM, group, "looking")
    await reader.ensure()
    status = await reader.status()
    return (status.pending, status.unread, status.delayed) == (0, 0, 0)


def all_settled(redis: Redis) -> Callable[[], asyncio.Future[bool]]:
    return lambda: asyncio.ensure_future(settled(redis))
