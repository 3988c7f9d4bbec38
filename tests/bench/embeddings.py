"""Embedding through gRPC against a plain loop over the same model and decoder."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

from demo.pictures import draw_library
from libs.images import ImageLimits, thumbnail_jpeg
from services.embedding.preprocess import hashed_tensor_of
from services.embedding.repository import ModelRepository
from services.embedding.session import OnnxSession
from tests.bench.processes import Running, service
from tests.bench.report import Row, paired

ROUNDS = 5
BATCH = 8
CALLERS = 4
COPIES = 3
MANY = 64
LARGE_BATCH = 32


def measure(data: Path) -> list[Row]:
    """Thumbnails as the clustering service has them embedded, in calls and in one stream."""
    images = thumbnails(data) * COPIES
    calls, stream, bare = [], [], []
    with embedding(data) as running:
        for _ in range(ROUNDS):
            calls.append(asyncio.run(_through_calls(running.grpc, images, CALLERS, BATCH)))
            bare.append(_plain_loop(data, images))
            stream.append(asyncio.run(_through_a_stream(running.grpc, images)))
    loop = f"a loop of decode, hash and inference in batches of {BATCH}, {os.cpu_count()} threads"
    what = f"embedding {len(images)} images of 512 pixels"
    return [
        Row(f"{what}, {CALLERS} callers of {BATCH}", *paired(calls, bare), "images/s", loop, 0.9),
        Row(f"{what}, one stream", *paired(stream, bare), "images/s", loop, 0.9),
    ]


def measure_callers(data: Path) -> list[Row]:
    """64 callers of one image each against batches of one, and what the model alone would gain."""
    images = thumbnails(data) * COPIES
    together, single, alone = [], [], []
    large = {"COLONNADE_EMBEDDING__MAX_BATCH": str(LARGE_BATCH)}
    with (
        embedding(data, large) as batching,
        embedding(data, {"COLONNADE_EMBEDDING__MAX_BATCH": "1"}) as unbatched,
    ):
        for _ in range(ROUNDS):
            together.append(asyncio.run(_through_calls(batching.grpc, images, MANY, 1)))
            single.append(asyncio.run(_through_calls(unbatched.grpc, images, MANY, 1)))
            alone.append(asyncio.run(_through_calls(batching.grpc, images, 1, 1)))
    in_batches, one_by_one = paired(*zip(*(_bare_rates(data) for _ in range(ROUNDS)), strict=True))
    what = f"{MANY} callers of one image each, batches up to {LARGE_BATCH}"
    return [
        Row(what, *paired(together, single), "images/s", "the same with batches of one", 3.0),
        Row(what, *paired(together, alone), "images/s", "one caller who waits for each answer"),
        Row(
            f"the model alone, batches of {LARGE_BATCH}, one thread",
            in_batches,
            one_by_one,
            "images/s",
            "the model alone, batches of one: what batching can gain on these cores",
        ),
    ]


def thumbnails(data: Path) -> list[bytes]:
    """JPEGs of 512 pixels, as the catalog makes them, all different."""
    folder = data / "photos"
    manifest = draw_library(folder)
    good = [folder / p.path for p in manifest if p.kind == "original"]
    return [thumbnail_jpeg(path.read_bytes(), 512, 85, ImageLimits()) for path in good]


@contextmanager
def embedding(data: Path, settings: Mapping[str, str] | None = None) -> Iterator[Running]:
    """An embedding service that computes all anew: what comes twice would else cost nothing."""
    environment = {
        "COLONNADE_EMBEDDING__CACHE_BYTES": "0",
        "COLONNADE_BLOBS__URL": f"file://{data / 'blobs'}",
        **(settings or {}),
    }
    with service("embedding", data / "embedding", environment) as running:
        yield running


async def _through_calls(
    address: str, images: Sequence[bytes], callers: int, batch_size: int
) -> float:
    batches = iter([images[i : i + batch_size] for i in range(0, len(images), batch_size)])
    async with open_channel(address) as channel:
        stub = EmbeddingServiceStub(channel)

        async def caller() -> None:
            for batch in batches:
                sources = [api.ImageSource(content=image) for image in batch]
                answer = await stub.EmbedImages(api.EmbedImagesRequest(images=sources))
                assert all(result.HasField("embedding") for result in answer.results)

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        return len(images) / (time.perf_counter() - started)


async def _through_a_stream(address: str, images: Sequence[bytes]) -> float:
    async with open_channel(address) as channel:
        stub = EmbeddingServiceStub(channel)
        requests = (
            api.StreamEmbeddingsRequest(id=str(number), image=api.ImageSource(content=image))
            for number, image in enumerate(images)
        )
        started = time.perf_counter()
        answers = 0
        async for answer in stub.StreamEmbeddings(requests):
            assert answer.result.HasField("embedding")
            answers += 1
        assert answers == len(images)
        return answers / (time.perf_counter() - started)


def open_channel(address: str) -> grpc.aio.Channel:
    """A plain channel that takes large messages."""
    options = (("grpc.max_send_message_length", 16 << 20),)
    return grpc.aio.insecure_channel(address, options)


def _plain_loop(data: Path, images: Sequence[bytes]) -> float:
    model = ModelRepository.in_data(data / "embedding").built_in()
    session = OnnxSession(model.path, model.card, threads=1)
    limits = ImageLimits()

    def one(batch: Sequence[bytes]) -> None:
        rules = model.card.preprocessing
        tensors = [hashed_tensor_of(image, rules, limits)[0] for image in batch]
        session.run(np.stack(tensors))

    batches = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, batches[:2]))
        started = time.perf_counter()
        list(pool.map(one, batches))
        return len(images) / (time.perf_counter() - started)


def _bare_rates(data: Path) -> tuple[float, float]:
    """Images a second of the model on one thread: in large batches, and one by one."""
    model = ModelRepository.in_data(data / "embedding").built_in()
    session = OnnxSession(model.path, model.card, threads=1)
    width, height = model.card.preprocessing.size
    batch = np.random.default_rng(1).standard_normal((LARGE_BATCH, 3, height, width))
    tensors = batch.astype(np.float32)
    session.run(tensors)
    started = time.perf_counter()
    session.run(tensors)
    together = LARGE_BATCH / (time.perf_counter() - started)
    started = time.perf_counter()
    for tensor in tensors:
        session.run(tensor[None])
    return together, LARGE_BATCH / (time.perf_counter() - started)
