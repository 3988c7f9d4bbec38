"""People and background work at the same time: what a bulk of images costs a query of words, and
a small scope beside a large one."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

from libs.cancellation import cancel_and_wait
from tests.bench.embeddings import embedding, open_channel, thumbnails
from tests.bench.report import Fact

BULK = 10_000
LARGE, SMALL = 5_000, 10
QUERIES = 300
_WARM_UP = 200
_PAUSE = 0.02


def measure(data: Path, bulk: int = BULK, large: int = LARGE, queries: int = QUERIES) -> list[Fact]:
    """Two facts."""
    images = thumbnails(data)
    with embedding(data) as running:
        return asyncio.run(_measure(running.grpc, images, bulk, large, queries))


async def _measure(
    address: str, images: Sequence[bytes], bulk: int, large: int, queries: int
) -> list[Fact]:
    async with open_channel(address) as one, open_channel(address) as other:
        people, background = EmbeddingServiceStub(one), EmbeddingServiceStub(other)
        model = (await people.EmbedTexts(_query(0))).results[0].embedding.model
        await _query_times(people, _WARM_UP // 4)
        idle = await _query_times(people, queries)
        working = asyncio.create_task(_count(background, images, bulk, "personas/large"))
        await asyncio.sleep(2.0)
        busy = await _query_times(people, queries)
        assert not working.done(), "the bulk was over before the queries: take more images"
        await cancel_and_wait([working])
        behind = await _answers_before_the_small_scope(background, people, images, large)
    ratio = _p95(busy) / _p95(idle)
    return [
        Fact(
            f"query of words ({model}) during a bulk of {bulk:,} images: p95 against idle",
            f"{_p95(busy) * 1000:.1f} ms / {_p95(idle) * 1000:.1f} ms = {ratio:.1f}",
            "≤ 2",
        ),
        Fact(
            f"{SMALL} images of a small scope, sent while {large:,} of a large one are in work, "
            "are done after how many more of those",
            f"{behind:,}",
            f"< {large:,}",
        ),
    ]


def _query(number: int) -> api.EmbedTextsRequest:
    return api.EmbedTextsRequest(texts=[f"a quiet street in the evening, number {number}"])


_numbers = itertools.count(1)


async def _query_times(stub: EmbeddingServiceStub, count: int) -> list[float]:
    times = []
    for _ in range(count):
        started = time.perf_counter()
        answer = await stub.EmbedTexts(_query(next(_numbers)))
        times.append(time.perf_counter() - started)
        assert answer.results[0].HasField("embedding")
        await asyncio.sleep(_PAUSE)
    return times


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def _requests(
    images: Sequence[bytes], count: int, key: str
) -> Iterator[api.StreamEmbeddingsRequest]:
    for number, image in zip(range(count), itertools.cycle(images), strict=False):
        yield api.StreamEmbeddingsRequest(
            id=str(number),
            image=api.ImageSource(content=image),
            purpose=api.EmbedImagesRequest.PURPOSE_BULK if number == 0 else 0,
            fair_share_key=key if number == 0 else "",
        )


async def _answers(
    stub: EmbeddingServiceStub, images: Sequence[bytes], count: int, key: str
) -> AsyncIterator[str]:
    async for answer in stub.StreamEmbeddings(_requests(images, count, key)):
        assert answer.result.HasField("embedding")
        yield answer.id


async def _count(stub: EmbeddingServiceStub, images: Sequence[bytes], count: int, key: str) -> int:
    return len([id async for id in _answers(stub, images, count, key)])


async def _answers_before_the_small_scope(
    large_stub: EmbeddingServiceStub,
    small_stub: EmbeddingServiceStub,
    images: Sequence[bytes],
    large: int,
) -> int:
    """How many of the large scope are answered while the small one waits."""
    done = 0
    warm = asyncio.Event()

    async def work() -> None:
        nonlocal done
        async for _ in _answers(large_stub, images, large, "personas/large"):
            done += 1
            if done >= min(_WARM_UP, large // 4):
                warm.set()

    working = asyncio.create_task(work())
    await warm.wait()
    before = done
    assert await _count(small_stub, images, SMALL, "personas/small") == SMALL
    behind = done - before
    await cancel_and_wait([working])
    return behind
