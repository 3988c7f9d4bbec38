"""The embedder with a model of a few numbers: results, errors, limits, readiness."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from typing import Any

import numpy as np
import pytest
from PIL import Image

from libs.errors import (
    ColonnadeError,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfQuota,
    Unavailable,
)
from libs.images import ImageLimits
from services.embedding.batcher import Batcher, BatchLimits, lane_pools
from services.embedding.cache import ResultCache
from services.embedding.fairness import Lane, Turn
from services.embedding.model import (
    Blob,
    Embedder,
    EmbedderOptions,
    Embedding,
    Workshop,
)
from services.embedding.session import Floats
from tests.support.pictures import encoded
from tests.support.wait import eventually
from tests.unit.embedding.cards import card
from tests.unit.embedding.fake_session import FakeSession

# In seconds; far above what an inference takes, as the machine may be busy.
PATIENCE = 60.0

CARD = card(input__mean=[0.0, 0.0, 0.0], input__std=[255.0, 255.0, 255.0])


@pytest.fixture
def session() -> Iterator[FakeSession]:
    fake = FakeSession()
    yield fake
    fake.gate.set()


@asynccontextmanager
async def embedding(
    session: FakeSession,
    run: Callable[[Floats], Floats] | None = None,
    cache: ResultCache | None = None,
    **options: Any,
) -> AsyncIterator[Embedder]:
    chosen = EmbedderOptions(**options)
    infer = run or session.run
    with closing(Workshop(2, cache)) as workshop, lane_pools("run", 1) as pools:
        async with Batcher(
            lambda tensors: infer(np.stack(tensors)), pools, limits=chosen.batch
        ) as batcher:
            try:
                yield Embedder(CARD, session, batcher, workshop, chosen)
            finally:
                session.gate.set()


def red(level: int) -> bytes:
    return encoded(Image.new("RGB", (40, 30), (level, 0, 0)))


async def test_an_embedding_has_unit_length_and_says_what_it_is(session: FakeSession) -> None:
    async with embedding(session) as embedder:
        result = await embedder.embed_image(red(255))
    assert result.vector.dtype == np.float32
    assert result.vector.tolist() == pytest.approx([2**-0.5, 0.0, 0.0, 2**-0.5])
    assert (result.model, result.revision) == ("test-model", "0123456789ab")
    assert (result.dimension, result.fingerprint) == (4, CARD.preprocessing.fingerprint)


async def test_results_come_in_the_order_of_the_images(session: FakeSession) -> None:
    levels = [(7 * position) % 256 for position in range(100)]
    async with embedding(session, batch=BatchLimits(max_batch=5)) as embedder:
        results = await embedder.embed_images([red(level) for level in levels], Turn(Lane.BULK))
        stats = embedder.stats
    vectors = np.stack([each.vector for each in results if isinstance(each, Embedding)])
    assert (vectors[:, 0] / vectors[:, 3] * 255).round().astype(int).tolist() == levels
    assert stats.items == 100


async def test_one_bad_image_does_not_fail_the_others(session: FakeSession) -> None:
    images = [
        red(1),
        b"no image",
        red(2),
        red(3)[:-40],
        red(4),
        encoded(Image.new("L", (300, 300))),
    ]
    async with embedding(session, images=ImageLimits(max_pixels=50_000)) as embedder:
        results = await embedder.embed_images(images)
    reasons = [each.reason if isinstance(each, ColonnadeError) else "" for each in results]
    assert reasons == ["", "UNSUPPORTED_IMAGE", "", "DAMAGED_IMAGE", "", "IMAGE_TOO_LARGE"]


async def test_no_images_give_no_results(session: FakeSession) -> None:
    async with embedding(session) as embedder:
        assert await embedder.embed_images([]) == []


async def test_the_error_of_a_single_image_is_raised(session: FakeSession) -> None:
    async with embedding(session) as embedder:
        with pytest.raises(InvalidArgument):
            await embedder.embed_image(b"no image")


async def test_images_that_wait_for_decoding_count_as_waiting(session: FakeSession) -> None:
    session.gate.clear()
    async with embedding(session, batch=BatchLimits(max_batch=1, queue_size=3)) as embedder:
        calls = [asyncio.create_task(embedder.embed_image(red(level))) for level in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(OutOfQuota) as raised:
            await embedder.embed_image(red(9))
        assert raised.value.reason == "QUEUE_FULL"
        session.gate.set()
        assert len(await asyncio.gather(*calls)) == 3
        assert await embedder.embed_image(red(9))


async def test_a_large_call_does_not_fill_the_queue(session: FakeSession) -> None:
    async with embedding(session, batch=BatchLimits(max_batch=2, queue_size=5)) as embedder:
        results = await embedder.embed_images([red(level) for level in range(40)])
    assert all(isinstance(each, Embedding) for each in results)


async def test_a_cancelled_call_leaves_nothing_behind(session: FakeSession) -> None:
    session.gate.clear()
    async with embedding(session, batch=BatchLimits(max_batch=2, queue_size=40)) as embedder:
        call = asyncio.create_task(embedder.embed_images([red(level) for level in range(20)]))

        async def queued() -> bool:
            return embedder.stats.queued > 0

        await eventually(queued)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert embedder.stats.queued == 0
        session.gate.set()
        results = await asyncio.gather(*(embedder.embed_image(red(level)) for level in range(9)))
        assert len(results) == 9


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
async def test_a_vector_that_means_nothing_is_an_error(session: FakeSession, value: float) -> None:
    def run(batch: Floats) -> Floats:
        return np.full((len(batch), 4), value, dtype=np.float32)

    async with embedding(session, run) as embedder:
        with pytest.raises(FailedPrecondition) as raised:
            await embedder.embed_image(red(1))
        assert raised.value.reason == "UNUSABLE_VECTOR"
        with pytest.raises(FailedPrecondition):
            await embedder.warm_up()


async def test_a_vector_of_another_dimension_is_an_error(session: FakeSession) -> None:
    async with embedding(session, lambda batch: np.ones((len(batch), 5), np.float32)) as embedder:
        with pytest.raises(FailedPrecondition, match="no usable vector"):
            await embedder.embed_image(red(1))


async def test_a_failing_model_is_unavailable(session: FakeSession) -> None:
    def run(batch: Floats) -> Floats:
        raise RuntimeError("out of memory")

    async with embedding(session, run) as embedder:
        with pytest.raises(Unavailable, match="test-model failed"):
            await embedder.embed_image(red(1))
        with pytest.raises(Unavailable):
            await embedder.probe(PATIENCE)


async def test_an_image_on_which_a_model_that_works_fails_is_at_fault_itself() -> None:
    async with embedding(FakeSession(poison=100 / 255)) as embedder:
        good, bad = await embedder.embed_images([red(1), red(100)], Turn(Lane.BULK))
        assert isinstance(good, Embedding)
        assert isinstance(bad, FailedPrecondition)
        assert (bad.reason, bad.metadata) == ("UNUSABLE_VECTOR", {"model": "test-model"})
        with pytest.raises(FailedPrecondition, match="no usable vector"):
            await embedder.embed_image(red(100))


async def test_warming_up_runs_one_image_and_a_full_batch(session: FakeSession) -> None:
    async with embedding(session, batch=BatchLimits(max_batch=6)) as embedder:
        await embedder.warm_up()
    assert session.sizes == [1, 6]


async def test_a_probe_runs_the_model_unless_it_just_worked(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.embedding.model._PROOF_SECONDS", 3600.0)
    async with embedding(session) as embedder:
        await embedder.probe(PATIENCE)
        await embedder.probe(PATIENCE)
    assert session.sizes == [1]


async def test_a_probe_gives_up_in_time(session: FakeSession) -> None:
    session.gate.clear()
    async with embedding(session) as embedder:
        with pytest.raises(Unavailable, match="no answer"):
            await embedder.probe(timeout=0.05)


async def test_sources_are_read_when_it_is_their_turn_and_few_at_a_time(
    session: FakeSession,
) -> None:
    in_hand = most = 0

    async def read() -> bytes:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        await asyncio.sleep(0.005)
        in_hand -= 1
        return red(1)

    async def missing() -> bytes:
        raise NotFound("blob", "gone")

    async with embedding(session, batch=BatchLimits(max_batch=3)) as embedder:
        calls = [
            embedder.embed_images([Blob("a", read)] * 10 + [Blob("b", missing)]) for _ in range(3)
        ]
        answers = await asyncio.gather(*calls)
    assert most == 3
    for results in answers:
        assert all(isinstance(each, Embedding) for each in results[:10])
        assert isinstance(results[10], NotFound)


async def test_nothing_is_read_for_a_full_queue(session: FakeSession) -> None:
    async def read() -> bytes:
        raise AssertionError("was read")

    session.gate.clear()
    async with embedding(session, batch=BatchLimits(max_batch=1, queue_size=1)) as embedder:
        call = asyncio.create_task(embedder.embed_image(red(1)))
        await asyncio.sleep(0)
        (result,) = await embedder.embed_images([Blob("a", read)])
        assert isinstance(result, OutOfQuota) and result.reason == "QUEUE_FULL"
        session.gate.set()
        await call


async def test_the_same_bytes_are_computed_once(session: FakeSession) -> None:
    async with embedding(session, cache=ResultCache(1 << 20)) as embedder:
        first = await embedder.embed_image(red(1))
        again, other = await embedder.embed_images([red(1), red(2)])
        assert again is first and isinstance(other, Embedding)
    assert session.sizes == [1, 1]
    with pytest.raises(ValueError, match="read-only"):
        first.vector[0] = 0


async def test_the_same_bytes_in_work_are_computed_once(session: FakeSession) -> None:
    session.gate.clear()
    async with embedding(session, cache=ResultCache(1 << 20)) as embedder:
        calls = [asyncio.create_task(embedder.embed_images([red(1)] * 5)) for _ in range(3)]
        await until(lambda: bool(session.sizes))
        calls.pop().cancel()
        session.gate.set()
        results = [each for call in calls for each in await call]
        assert len({id(each) for each in results}) == 1
    assert session.sizes == [1]


async def test_a_known_blob_is_not_read_again(session: FakeSession) -> None:
    reads: list[str] = []

    def blob(key: str, level: int) -> Blob:
        async def read() -> bytes:
            reads.append(key)
            return red(level)

        return Blob(key, read)

    async with embedding(session, cache=ResultCache(1 << 20)) as embedder:
        first = await embedder.embed_image(blob("a", 1))
        assert await embedder.embed_image(blob("a", 1)) is first
        assert await embedder.embed_image(red(1)) is first
        assert await embedder.embed_image(blob("copy", 1)) is first
        assert await embedder.embed_image(blob("other", 2)) is not first
    assert reads == ["a", "copy", "other"]
    assert session.sizes == [1, 1]


async def test_errors_are_not_kept(session: FakeSession) -> None:
    answers = iter([NotFound("blob", "a"), red(1)])

    async def read() -> bytes:
        answer = next(answers)
        if isinstance(answer, bytes):
            return answer
        raise answer

    async with embedding(session, cache=ResultCache(1 << 20)) as embedder:
        with pytest.raises(NotFound):
            await embedder.embed_image(Blob("a", read))
        assert await embedder.embed_image(Blob("a", read))


async def test_what_comes_too_late_is_neither_read_nor_decoded_nor_computed(
    session: FakeSession,
) -> None:
    async def read() -> bytes:
        raise AssertionError("was read")

    async with embedding(session) as embedder:
        late = Turn(deadline=time.monotonic())
        for source in (b"no image", Blob("a", read)):
            with pytest.raises(DeadlineExceeded):
                await embedder.embed_image(source, late)
    assert session.sizes == []


async def test_a_model_that_breaks_is_found_out_although_it_just_worked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.embedding.model._PROOF_SECONDS", 3600.0)
    broken = False
    session = FakeSession()

    def run(batch: Floats) -> Floats:
        if broken:
            raise RuntimeError("out of memory")
        return session.run(batch)

    async with embedding(session, run) as embedder:
        await embedder.probe(PATIENCE)
        broken = True
        await embedder.probe(PATIENCE)  # it worked a moment ago
        with pytest.raises(Unavailable):
            await embedder.embed_image(red(1))
        with pytest.raises(Unavailable):
            await embedder.probe(PATIENCE)
        broken = False
        await embedder.probe(PATIENCE)


async def until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds)
