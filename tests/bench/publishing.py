"""Posts under random mishaps, at every provider: how many appear twice, or are lost.

``python -m tests.bench.publishing --posts 1000``. Before each call something may go wrong: the
connection breaks before or after the provider has acted, an HTML page is the answer, the provider
refuses or throttles, or the process dies before or after one of its requests and another goes on.
Every lost answer must end as one post, or with a person; what is called posted must be there once.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from libs.http import HttpClient
from services.scheduler.domain.reconciliation import NeedsReview
from services.scheduler.providers.base import Image, OutcomeUnknown, PublishRequest
from services.scheduler.providers.pictures import Pictures
from tests.contract.providers.conftest import KEY, Mortal, a_picture
from tests.contract.providers.sides import SIDES, Side, Time
from tests.contract.providers.worker import Worker
from tests.support.buffer.media_host import MediaHost
from tests.support.scheduler_fakes import Killed, MemoryBlobs

FAULTS = ("drop_before", "drop_after", "gateway_error", "nonsense", "rate_limit", "refuse")
_FAULT_SHARE = 0.5
_DEATH_SHARE = 0.3
_MOST_REQUESTS = 6


async def measure(side: Side, media: MediaHost, posts: int, seed: int) -> Counter[str]:
    """What became of so many posts at one provider."""
    draw, network, clock = random.Random(seed), Mortal(), Time(side)
    blobs = MemoryBlobs()
    blobs.kept[KEY] = a_picture()
    image = Image(media.address("/m/a.jpg"), "a cat", "image/jpeg", 1, 1000, 750, KEY)
    ends: Counter[str] = Counter()
    async with HttpClient(
        user_agent="bench",
        transport=network,
        failures=10**9,
        clock=clock.monotonic,
        sleep=clock.sleep,
        jitter=lambda: 0.0,
    ) as http:
        publisher = side.publisher(http, Pictures(blobs), clock)
        channel = await side.channel(publisher)
        for number in range(posts):
            due_at = clock.now() + timedelta(seconds=30)
            key = f"{seed}-{number}"
            request = PublishRequest(f"Post {number}", due_at, (image,), key=key)
            worker = Worker(lambda: publisher, channel, request, clock)
            ends[await _publish(worker, side, network, draw)] += 1
            await side.calm()
    live = Counter(post.text for post in await side.live())
    ends["live"] = len(live)
    ends["twice"] = sum(count > 1 for count in live.values())
    return ends


async def _publish(worker: Worker, side: Side, network: Mortal, draw: random.Random) -> str:
    """How a post ended: ``posted``, ``failed``, ``for a person``, or ``lost``."""
    while True:
        if draw.random() < _FAULT_SHARE:
            await side.fault(draw.choice(FAULTS), seconds=draw.choice((5, 60)))
        dies = draw.random() < _DEATH_SHARE
        network.requests = 0
        network.dies_at = draw.randint(1, _MOST_REQUESTS) if dies else 0
        network.dies_after = draw.random() < 0.5
        outcome: object
        try:
            outcome = await worker.attempt()
        except Killed:
            await worker.time.advance(61)
            outcome = OutcomeUnknown("the worker stopped during the call")
        network.dies_at = 0
        if isinstance(outcome, Exception):
            worker.failures.append(outcome.kind)  # type: ignore[attr-defined]
            outcome = await worker.after(outcome)  # type: ignore[arg-type]
        if outcome is None:
            continue
        texts = [post.text for post in await side.live()]
        is_live = worker.request.text in texts
        if isinstance(outcome, str):
            return "posted" if is_live else "lost"
        if isinstance(outcome, NeedsReview):
            return "for a person"
        return "failed, and yet out" if is_live else "failed"


async def _all(names: Sequence[str], posts: int, seed: int) -> None:
    print("| provider | posts | posted | failed | for a person | twice | lost | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    async with MediaHost.serve() as media:
        for name in names:
            started = time.monotonic()
            async with SIDES[name]() as side:
                ends = await measure(side, media, posts, seed)
            lost = ends["lost"] + ends["failed, and yet out"]
            shown = (posts, ends["posted"], ends["failed"], ends["for a person"], ends["twice"])
            cells = " | ".join(map(str, (*shown, lost, round(time.monotonic() - started))))
            print(f"| {name} | {cells} |", flush=True)
            if ends["twice"] or lost:
                sys.exit(f"{name}: {dict(ends)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.publishing", description=__doc__)
    parser.add_argument("names", nargs="*", help="which providers; all by default")
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    asyncio.run(_all(asked.names or sorted(SIDES), asked.posts, asked.seed))


if __name__ == "__main__":
    main()
