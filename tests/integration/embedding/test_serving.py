"""The embedding service through gRPC: streams, what is dropped, what is counted, what is known."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceStub,
    add_EmbeddingServiceServicer_to_server,
)
from PIL import Image
from prometheus_client import CollectorRegistry

from libs.blobs.objects import ObjectBlobs, open_blobs
from libs.cancellation import cancel_and_wait
from libs.errors import InvalidArgument, NotFound
from libs.images import ImageLimits
from libs.rpc.paging import PageTokens
from services.embedding.cache import ResultCache
from services.embedding.host import HostLimits, ModelHost
from services.embedding.metrics import EmbeddingMetrics
from services.embedding.model import EmbedderOptions, Workshop
from services.embedding.module import SERVICE
from services.embedding.registry import ModelRegistry
from services.embedding.repository import ModelRepository
from services.embedding.servicer import EmbeddingServicer
from services.embedding.shelf import FolderShelf
from services.embedding.sources import Sources
from tests.integration.embedding.towers import write_image_model
from tests.support.pictures import encoded
from tests.support.rpc import serve
from tests.support.wait import eventually

BULK = api.EmbedImagesRequest.PURPOSE_BULK


class Blobs:
    """A blob store that counts its reads; what lies under ``slow/`` comes when ``gate`` opens."""

    def __init__(self, store: ObjectBlobs) -> None:
        self._store = store
        self.gate = asyncio.Event()
        self.reads: list[str] = []
        self.dropped = 0

    async def head(self, key: str) -> int:
        return await self._store.head(key)

    async def get(self, key: str) -> bytes:
        self.reads.append(key)
        try:
            if key.startswith("slow/"):
                await self.gate.wait()
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        return await self._store.get(key)

    async def put(self, key: str, data: bytes) -> None:
        await self._store.put(key, data)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(open_blobs(f"file://{tmp_path}/blobs"))


@pytest.fixture
def counted() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def stub(
    tmp_path: Path, blobs: Blobs, counted: CollectorRegistry
) -> AsyncIterator[EmbeddingServiceStub]:
    write_image_model(tmp_path / "brought", "first")
    registry = ModelRegistry(
        ModelRepository(tmp_path / "made", None), FolderShelf(tmp_path / "brought")
    )
    metrics = EmbeddingMetrics(counted)
    cache = ResultCache(1 << 20, observe=metrics.lookup)
    with closing(Workshop(1, cache)) as workshop:
        host = ModelHost(
            registry,
            EmbedderOptions(threads=1),
            workshop,
            HostLimits(default="first"),
            observe=metrics.batch,
        )
        running = asyncio.create_task(host.run())
        sources = Sources(blobs, ImageLimits())  # type: ignore[arg-type]
        servicer = EmbeddingServicer(host, sources, PageTokens(b"of a test"), metrics)
        register = add_EmbeddingServiceServicer_to_server
        try:
            await eventually(lambda: loaded(host))
            async with serve(servicer, SERVICE, register, EmbeddingServiceStub) as stub:
                yield stub
        finally:
            blobs.gate.set()
            await cancel_and_wait([running])


async def loaded(host: ModelHost) -> bool:
    return any(slot.opened for slot in host.slots)


def red(level: int) -> bytes:
    return encoded(Image.new("RGB", (40, 30), (level, 0, 0)))


def one(id: str, content: bytes, **fields: object) -> api.StreamEmbeddingsRequest:
    image = api.ImageSource(content=content)
    return api.StreamEmbeddingsRequest(id=id, image=image, **fields)  # type: ignore[arg-type]


def stored(id: str, key: str) -> api.StreamEmbeddingsRequest:
    return api.StreamEmbeddingsRequest(id=id, image=api.ImageSource(blob_key=key))


async def sent(
    *requests: api.StreamEmbeddingsRequest,
) -> AsyncIterator[api.StreamEmbeddingsRequest]:
    for request in requests:
        yield request


async def streamed(
    stub: EmbeddingServiceStub, *requests: api.StreamEmbeddingsRequest
) -> dict[str, api.ImageResult]:
    return {answer.id: answer.result async for answer in stub.StreamEmbeddings(sent(*requests))}


async def test_each_answer_of_a_stream_is_that_of_its_image(stub: EmbeddingServiceStub) -> None:
    requests = [one(f"image {level}", red(level), purpose=BULK) for level in range(0, 250, 2)]
    for request in requests[1:]:
        request.ClearField("purpose")
    found = await streamed(stub, *requests)
    images = [api.ImageSource(content=red(level)) for level in range(0, 128, 2)]
    unary = await stub.EmbedImages(api.EmbedImagesRequest(images=images))
    assert len(found) == 125
    for level, result in zip(range(0, 128, 2), unary.results, strict=True):
        assert found[f"image {level}"].embedding == result.embedding


async def test_one_bad_image_of_a_stream_fails_alone(
    stub: EmbeddingServiceStub, blobs: Blobs, counted: CollectorRegistry
) -> None:
    await blobs.put("photos/a.png", red(9))
    found = await streamed(
        stub,
        one("good", red(9)),
        one("bad", b"no image"),
        stored("stored", "photos/a.png"),
        stored("gone", "photos/b.png"),
    )
    assert found["good"].embedding == found["stored"].embedding
    assert [found[id].WhichOneof("outcome") for id in ("bad", "gone")] == ["error", "error"]
    assert counted.get_sample_value(
        "colonnade_embedding_errors_total", {"reason": "UNSUPPORTED_IMAGE"}
    )


async def test_an_id_that_comes_twice_ends_the_stream(stub: EmbeddingServiceStub) -> None:
    with pytest.raises(InvalidArgument, match="was sent before"):
        await streamed(stub, one("a", red(1)), one("b", red(2)), one("a", red(3)))


async def test_the_first_message_decides(stub: EmbeddingServiceStub) -> None:
    first = one("a", red(1), fair_share_key="personas/nora")
    with pytest.raises(InvalidArgument, match="the first message of a stream decides"):
        await streamed(stub, first, one("b", red(2), fair_share_key="personas/mira"))
    again = await streamed(stub, first, one("b", red(2), fair_share_key="personas/nora"))
    assert len(again) == 2
    unknown = await streamed(stub, one("a", red(1), model="models/unknown"))
    assert unknown["a"].error.code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_answers_do_not_wait_for_the_end_of_the_stream(
    stub: EmbeddingServiceStub,
) -> None:
    answered = asyncio.Event()

    async def requests() -> AsyncIterator[api.StreamEmbeddingsRequest]:
        yield one("a", red(1))
        await answered.wait()
        yield one("b", red(2))

    ids = []
    async for answer in stub.StreamEmbeddings(requests()):
        ids.append(answer.id)
        answered.set()
    assert ids == ["a", "b"]


async def test_when_the_client_is_gone_its_work_is_dropped(
    stub: EmbeddingServiceStub, blobs: Blobs
) -> None:
    for number in range(4):
        await blobs.put(f"slow/{number}.png", red(number))
    requests = [stored(str(number), f"slow/{number}.png") for number in range(4)]
    call = asyncio.create_task(streamed(stub, *requests))
    await eventually(lambda: holds(lambda: len(blobs.reads) == 4))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await eventually(lambda: holds(lambda: blobs.dropped == 4))


async def test_a_client_who_sends_fast_is_slowed_down(
    stub: EmbeddingServiceStub, blobs: Blobs
) -> None:
    await blobs.put("slow/a.png", red(1))
    padded = red(2) + bytes(300_000)
    sending = 0

    async def requests() -> AsyncIterator[api.StreamEmbeddingsRequest]:
        nonlocal sending
        for number in range(15):
            yield stored(str(number), "slow/a.png")
        for number in range(15, 200):
            sending += 1
            yield one(str(number), padded) if number % 2 else stored(str(number), "slow/a.png")

    call = stub.StreamEmbeddings(requests())
    ids: list[str] = []
    reading = asyncio.create_task(collect(call, ids.append))
    await eventually(lambda: holds(lambda: len(ids) >= 1))
    before = -1
    while sending != before:  # until nothing moves any more
        before = sending
        await asyncio.sleep(0.2)
    assert sending < 185
    blobs.gate.set()
    await reading
    assert len(ids) == 200


async def test_a_known_photo_is_neither_read_nor_computed_again(
    stub: EmbeddingServiceStub, blobs: Blobs, counted: CollectorRegistry
) -> None:
    await blobs.put("photos/a.png", red(7))
    request = api.EmbedImagesRequest(images=[api.ImageSource(blob_key="photos/a.png")])
    first, again = [await stub.EmbedImages(request) for _ in range(2)]
    assert first == again
    assert blobs.reads == ["photos/a.png"]

    def lookups(outcome: str) -> float | None:
        name = "colonnade_embedding_cache_lookups_total"
        return counted.get_sample_value(name, {"outcome": outcome})

    assert (lookups("miss"), lookups("hit")) == (1, 1)


async def test_what_batches_do_is_counted_by_model_and_lane(
    stub: EmbeddingServiceStub, counted: CollectorRegistry
) -> None:
    images = [api.ImageSource(content=red(level)) for level in range(5)]
    await stub.EmbedImages(api.EmbedImagesRequest(images=images, purpose=BULK))
    labels = {"model": "first", "lane": "bulk"}

    def value(name: str) -> float | None:
        return counted.get_sample_value(f"colonnade_embedding_{name}", labels)

    assert value("batch_size_sum") == 5
    assert value("queue_seconds_count") == 5
    assert value("inference_seconds_count") == value("batch_size_count")
    assert value("queue_length") == 0


async def test_a_call_whose_time_is_up_is_dropped_from_the_queue(
    stub: EmbeddingServiceStub, blobs: Blobs
) -> None:
    await blobs.put("slow/a.png", red(1))
    request = api.EmbedImagesRequest(images=[api.ImageSource(blob_key="slow/a.png")])

    async def dropped() -> bool:
        """Of a call whose time is up; a busy machine may not even have asked for its picture."""
        with pytest.raises(Exception, match=r"(?i)time|deadline"):
            await stub.EmbedImages(request, timeout=0.5)
        return blobs.dropped > 0

    await eventually(dropped)
    blobs.gate.set()
    assert len((await stub.EmbedImages(request)).results) == 1


async def test_an_unknown_model_is_not_found(stub: EmbeddingServiceStub) -> None:
    images = [api.ImageSource(content=red(1))]
    with pytest.raises(NotFound):
        await stub.EmbedImages(api.EmbedImagesRequest(images=images, model="models/unknown"))


async def collect(
    call: AsyncIterator[api.StreamEmbeddingsResponse], seen: Callable[[str], None]
) -> None:
    async for answer in call:
        seen(answer.id)


async def holds(condition: Callable[[], bool]) -> bool:
    return condition()
