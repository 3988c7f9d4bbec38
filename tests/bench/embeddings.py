"""Embedding through gRPC against a plain loop over the same model and decoder."""

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

from demo.pictures import draw_library
from libs.images import ImageLimits, thumbnail_jpeg
from services.embedding.preprocess import tensor_of
from services.embedding.repository import ModelRepository
from services.embedding.session import OnnxSession
from tests.bench.processes import engines, service
from tests.bench.report import Row, paired

ROUNDS = 5
BATCH = 8
CALLERS = 4
COPIES = 3


def measure(data: Path) -> list[Row]:
    """One row: thumbnails as the clustering service has them embedded."""
    images = _thumbnails(data) * COPIES
    with (
        engines(data / "engines") as environment,
        service("embedding", data / "embedding", environment) as running,
    ):
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(asyncio.run(_through_grpc(running.grpc, images)))
            bare.append(_plain_loop(data, images))
    mine, other = paired(ours, bare)
    return [
        Row(
            f"embedding {len(images)} images of 512 pixels, {CALLERS} callers of {BATCH}",
            mine,
            other,
            "images/s",
            f"a loop of decode and inference in batches of {BATCH}, {os.cpu_count()} threads",
            0.85,
        )
    ]


def _thumbnails(data: Path) -> list[bytes]:
    folder = data / "photos"
    manifest = draw_library(folder)
    good = [folder / p.path for p in manifest if p.kind == "original"]
    return [thumbnail_jpeg(path.read_bytes(), 512, 85, ImageLimits()) for path in good]


async def _through_grpc(address: str, images: Sequence[bytes]) -> float:
    batches = iter([images[i : i + BATCH] for i in range(0, len(images), BATCH)])
    options = (("grpc.max_send_message_length", 16 << 20),)
    async with grpc.aio.insecure_channel(address, options) as channel:
        stub = EmbeddingServiceStub(channel)

        async def caller() -> None:
            for batch in batches:
                sources = [api.ImageSource(content=image) for image in batch]
                answer = await stub.EmbedImages(api.EmbedImagesRequest(images=sources))
                assert all(result.HasField("embedding") for result in answer.results)

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return len(images) / (time.perf_counter() - started)


def _plain_loop(data: Path, images: Sequence[bytes]) -> float:
    model = ModelRepository.in_data(data / "embedding").built_in()
    session = OnnxSession(model.path, model.card, threads=1)
    limits = ImageLimits()

    def one(batch: Sequence[bytes]) -> None:
        tensors = [tensor_of(image, model.card.preprocessing, limits) for image in batch]
        session.run(np.stack(tensors))

    batches = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, batches[:2]))
        started = time.perf_counter()
        list(pool.map(one, batches))
        return len(images) / (time.perf_counter() - started)
