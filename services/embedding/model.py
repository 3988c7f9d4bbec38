"""From the bytes of images to vectors: decoding, batching and inference behind one object."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from libs.blobs.store import sha256
from libs.errors import ColonnadeError, FailedPrecondition, Unavailable
from libs.images import ImageLimits
from services.embedding.batcher import (
    Batcher,
    BatchLimits,
    BatchReport,
    BatchStats,
    Pool,
    lane_pools,
)
from services.embedding.cache import Key, ResultCache
from services.embedding.card import ImageCard
from services.embedding.fair_pool import FairPool
from services.embedding.fairness import FairGate, Lane, Turn
from services.embedding.preprocess import hashed_tensor_of
from services.embedding.regions import WHOLE, Region, hashed_tensor_of_region
from services.embedding.repository import StoredModel
from services.embedding.session import CPU, Floats, OnnxSession, Session


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are read when it is their turn. What is stored under ``key`` never changes."""

    key: str
    read: Callable[[], Awaitable[bytes]]


# An image file.
Source = bytes | Blob
# What a model takes in, and the perceptual hash.
Decoded = tuple[Floats, bytes | None]

_log = logging.getLogger(__name__)

MODEL_FAILED = "MODEL_NOT_READY"
"""The reason where the runtime failed."""

# More batches at once cost memory but compute no faster: they share the cores.
_MAX_WORKERS = 4
# A success this recent shows as much as another inference would.
_PROOF_SECONDS = 5.0
# Hashing more than this takes longer than the event loop may be held up.
_QUICKLY_HASHED = 1 << 20
# Of a file of this size, decoding takes about as long as what is the same for all files.
_BYTES_A_TURN = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A vector and all that says with what it may be compared.

    ``vector`` is float32 [dimension] of length 1. Vectors are comparable only if ``model``,
    ``revision`` and ``fingerprint`` (of the preprocessing) are equal. ``provider`` computed it.
    ``perceptual_hash`` is of the picture (libs.image_hash), None for one with too little detail.
    """

    vector: NDArray[np.float32]
    model: str
    revision: str
    dimension: int
    fingerprint: str
    provider: str
    perceptual_hash: bytes | None = None

    @property
    def nbytes(self) -> int:
        """What it takes in memory, almost."""
        return self.vector.nbytes


@dataclass(frozen=True, slots=True)
class EmbedderOptions:
    """``threads`` compute one batch and ``decode_threads`` decode; 0 suits the machine."""

    threads: int = 0
    decode_threads: int = 0
    require_gpu: bool = False
    batch: BatchLimits = field(default_factory=BatchLimits)
    images: ImageLimits = field(default_factory=ImageLimits)


class Workshop:
    """What the models of one process share: threads that decode, and what came of which bytes."""

    def __init__(self, decode_threads: int = 0, cache: ResultCache | None = None) -> None:
        """0 threads suit the machine; without ``cache`` everything is computed anew."""
        self.decoding = FairPool("pictures", decode_threads or cores())
        self._suits_machine = decode_threads == 0
        self.cache = cache or ResultCache(0)

    @contextmanager
    def inference(self, provider: str, workers: int) -> Iterator[Mapping[Lane, Pool]]:
        """Threads that run a model, ``workers`` batches of each lane at a time.

        Those that decode do it, where it is the same cores that compute: threads of its own would
        only fight them for the cores, which costs a tenth of the images a second.
        """
        if self._suits_machine and provider == CPU:
            yield {lane: self.decoding.urgent(lane) for lane in Lane}
        else:
            with lane_pools("inference", workers) as pools:
                yield pools

    def close(self) -> None:
        """Waits for what is being decoded."""
        self.decoding.close()


@asynccontextmanager
async def open_embedder(
    model: StoredModel,
    options: EmbedderOptions | None = None,
    observe: Callable[[BatchReport], None] = lambda _: None,
    workshop: Workshop | None = None,
) -> AsyncIterator["Embedder"]:
    """Loads ``model``, warms it up and closes all of it at the end.

    ``observe`` is told of each batch, in the event loop. Without a ``workshop`` it has its own.
    Raises ``FailedPrecondition``.
    """
    options = options or EmbedderOptions()
    if workshop is None:
        with closing(Workshop(options.decode_threads)) as own:
            async with open_embedder(model, options, observe, own) as embedder:
                yield embedder
        return
    workers, threads = layout(cores(), options.threads)
    session = await asyncio.to_thread(
        OnnxSession, model.path, model.card, threads=threads, require_gpu=options.require_gpu
    )

    def run(tensors: Sequence[Floats]) -> Floats:
        return session.run(np.stack(tensors))

    with workshop.inference(session.provider, workers) as pools:
        batcher = Batcher[Floats, Floats](
            run,
            pools,
            name=model.card.id,
            workers=workers,
            limits=options.batch,
            observe=observe,
        )
        async with batcher:
            embedder = Embedder(model.card, session, batcher, workshop, options)
            await embedder.warm_up()
            yield embedder


class Embedder:
    """Embeds images with one model. Made by ``open_embedder``."""

    def __init__(
        self,
        card: ImageCard,
        session: Session,
        batcher: Batcher[Floats, Floats],
        workshop: Workshop,
        options: EmbedderOptions,
    ) -> None:
        self.card = card
        self._fingerprint = card.fingerprint
        self._session = session
        self._batcher = batcher
        self._decoding = workshop.decoding
        self._cache = workshop.cache
        self._options = options
        self._window = _window(options.batch)
        # Of all calls together: a file may have as many bytes as the limits allow.
        self._reading = FairGate(options.batch.max_batch)
        self._proven_at = -_PROOF_SECONDS

    @property
    def provider(self) -> str:
        """What the model runs on, such as ``CPUExecutionProvider``."""
        return self._session.provider

    @property
    def fingerprint(self) -> str:
        """Changes with anything between a file's bytes and the model's input."""
        return self._fingerprint

    @property
    def stats(self) -> BatchStats:
        """What the batcher has done so far."""
        return self._batcher.stats

    async def embed_image(
        self, source: Source, turn: Turn | None = None, region: Region | None = None
    ) -> Embedding:
        """The embedding of one image file; the one that is known if these bytes came before.

        Of a ``region`` of it alone, if one is given. Raises ``InvalidArgument`` (UNSUPPORTED_IMAGE,
        DAMAGED_IMAGE), ``OutOfQuota`` (IMAGE_TOO_LARGE, QUEUE_FULL), ``FailedPrecondition``
        (UNUSABLE_VECTOR), ``Unavailable``, ``DeadlineExceeded`` and what reading ``source`` raises,
        which is read only if there is room in the queue.
        """
        name = await name_of(source)
        region = region or WHOLE
        compute = partial(self._computed, source, region)
        return await self._cache.get(self._key(name, region), turn or Turn(), compute)

    async def embed_images(
        self, images: Sequence[Source], turn: Turn | None = None
    ) -> list[Embedding | ColonnadeError]:
        """One result an image, in the same order: its embedding or why there is none.

        Only a few images of one call are in work at a time, so that no call crowds out another.
        """
        places = asyncio.Semaphore(self._window)

        async def result(source: Source) -> Embedding | ColonnadeError:
            async with places:
                try:
                    return await self.embed_image(source, turn)
                except ColonnadeError as error:
                    return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(result(source)) for source in images]
        return [task.result() for task in tasks]

    async def warm_up(self) -> None:
        """Real inferences, so that the first caller does not pay for them, and as a self-test.

        Raises ``FailedPrecondition`` (UNUSABLE_VECTOR) and ``Unavailable``.
        """
        tensor = self._test_tensor()
        for count in (1, self._options.batch.max_batch):
            rows = (self._inferred(tensor, Turn()) for _ in range(count))
            for row in await asyncio.gather(*rows):
                self._embedding(row)

    async def probe(self, timeout: float = 2.0) -> None:
        """Whether the model works: a real inference, unless one succeeded a moment ago.

        Raises ``Unavailable`` if it fails or takes longer than ``timeout`` seconds.
        """
        if time.monotonic() - self._proven_at < _PROOF_SECONDS:
            return
        try:
            async with asyncio.timeout(timeout):
                self._embedding(await self._inferred(self._test_tensor(), Turn()))
        except TimeoutError as error:
            raise Unavailable(f"the model gave no answer within {timeout} s") from error

    def _key(self, name: str, region: Region) -> Key:
        return (name, self.card.id, self.card.revision, self.fingerprint, *region.key)

    async def _computed(self, source: Source, region: Region, turn: Turn) -> Embedding:
        with self._batcher.admitted(turn):
            if isinstance(source, bytes):
                tensor, bits = await self._decoded(source, region, turn)
            else:
                # Until it is decoded: only the bytes are large, and after that they are gone.
                async with self._reading.slot(turn):
                    found = await self._opened(source, region, turn)
                if isinstance(found, Embedding):
                    return found
                tensor, bits = found
            return self._embedding(await self._inferred_or_blamed(tensor, turn), bits)

    async def _opened(self, blob: Blob, region: Region, turn: Turn) -> Decoded | Embedding:
        """What is stored, decoded; or its embedding, if the same bytes came under another name."""
        data = await blob.read()
        if self._cache.on:
            self._cache.learn(await name_of(blob), await name_of(data))
        known: Embedding | None = self._cache.peek(self._key(await name_of(blob), region))
        return known or await self._decoded(data, region, turn)

    async def _decoded(self, data: bytes, region: Region, turn: Turn) -> Decoded:
        rules, limits = self.card.preprocessing, self._options.images
        cost = 1.0 + len(data) / _BYTES_A_TURN
        with self._batcher.expecting(turn.lane):
            if region == WHOLE:
                return await self._decoding.run(
                    turn, hashed_tensor_of, data, rules, limits, cost=cost
                )
            return await self._decoding.run(
                turn, hashed_tensor_of_region, data, region, rules, limits, cost=cost
            )

    async def _inferred_or_blamed(self, tensor: Floats, turn: Turn) -> Floats:
        """Where the model fails on this image but works on another one, it is the image's fault:
        raises ``FailedPrecondition`` then, as trying again would never end."""
        try:
            return await self._inferred(tensor, turn)
        except Unavailable as error:
            if error.reason != MODEL_FAILED or not await self._works(turn):
                raise
            raise self._unusable() from error

    async def _works(self, turn: Turn) -> bool:
        try:
            self._embedding(await self._inferred(self._test_tensor(), turn))
        except ColonnadeError:
            return False
        return True

    async def _inferred(self, tensor: Floats, turn: Turn) -> Floats:
        try:
            return await self._batcher.submit(tensor, turn)
        except ColonnadeError:
            raise
        except Exception as error:  # the runtime's exceptions have no common public base
            _log.exception("the model %s failed", self.card.id)
            self._proven_at = -_PROOF_SECONDS
            raise model_failed(self.card.id) from error

    def _embedding(self, row: Floats, perceptual_hash: bytes | None = None) -> Embedding:
        length = float(np.linalg.norm(row.astype(np.float64)))
        if row.shape != (self.card.dimension,) or not np.isfinite(length) or length == 0.0:
            raise self._unusable()
        self._proven_at = time.monotonic()
        vector = (row / length).astype(np.float32)
        vector.setflags(write=False)  # it may be given to others too
        return Embedding(
            vector=vector,
            model=self.card.id,
            revision=self.card.revision,
            dimension=self.card.dimension,
            fingerprint=self.fingerprint,
            provider=self.provider,
            perceptual_hash=perceptual_hash,
        )

    def _unusable(self) -> FailedPrecondition:
        return FailedPrecondition(
            f"the model {self.card.id} gives no usable vector for this image",
            reason="UNUSABLE_VECTOR",
            metadata={"model": self.card.id},
        )

    def _test_tensor(self) -> Floats:
        """A smooth ramp of black to white, normalised as any picture."""
        rules = self.card.preprocessing
        width, height = rules.size
        ramp = np.linspace(0.0, 255.0, width, dtype=np.float32)
        planes = [
            np.broadcast_to((ramp - mean) / std, (height, width))
            for mean, std in zip(rules.mean, rules.std, strict=True)
        ]
        return np.stack(planes).astype(np.float32)


def model_failed(id: str) -> Unavailable:
    """What is told of a model whose runtime raised something."""
    return Unavailable(f"the model {id} failed; try again", reason=MODEL_FAILED)


def _window(limits: BatchLimits) -> int:
    """How many images of one call are in work at a time: enough to keep every thread busy, but no
    more than a quarter of the queue, so that no call crowds out another."""
    return max(1, min(4 * limits.max_batch, limits.queue_size // 4))


async def name_of(source: Source) -> str:
    """What a cache calls an image: by its bytes, or by where they are."""
    if isinstance(source, Blob):
        return f"blob:{source.key}"
    if len(source) <= _QUICKLY_HASHED:
        return sha256(source)
    return await asyncio.to_thread(sha256, source)


def cores() -> int:
    """The cores that this process may use, which in a container are often not all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def layout(cores: int, threads: int) -> tuple[int, int]:
    """How many batches run at once, on how many threads each.

    Two batches on one thread each give 1.3 times the images a second of one batch on two threads.
    """
    if threads:
        return max(1, min(_MAX_WORKERS, cores // threads)), threads
    workers = min(_MAX_WORKERS, cores)
    return workers, cores // workers
