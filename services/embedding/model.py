"""From the bytes of images to vectors: decoding, batching and inference behind one object."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from libs.aio import BlockingPool
from libs.errors import ColonnadeError, FailedPrecondition, Unavailable
from libs.images import ImageLimits
from services.embedding.batcher import Batcher, BatchLimits, BatchReport, BatchStats, Lane
from services.embedding.card import ModelCard
from services.embedding.preprocess import tensor_of
from services.embedding.repository import StoredModel
from services.embedding.session import OnnxSession, Session

# The bytes of an image, or what reads them when it is their turn.
Source = bytes | Callable[[], Awaitable[bytes]]

_log = logging.getLogger(__name__)

# More batches at once cost memory but compute no faster: they share the cores.
_MAX_WORKERS = 4
# A success this recent shows as much as another inference would.
_PROOF_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A vector and all that says with what it may be compared.

    ``vector`` is float32 [dimension] of length 1. Vectors are comparable only if ``model``,
    ``revision`` and ``fingerprint`` (of the preprocessing) are equal.
    """

    vector: NDArray[np.float32]
    model: str
    revision: str
    dimension: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class EmbedderOptions:
    """``threads`` compute one batch and ``decode_threads`` decode; 0 suits the machine."""

    threads: int = 0
    decode_threads: int = 0
    require_gpu: bool = False
    batch: BatchLimits = field(default_factory=BatchLimits)
    images: ImageLimits = field(default_factory=ImageLimits)


@asynccontextmanager
async def open_embedder(
    model: StoredModel,
    options: EmbedderOptions | None = None,
    observe: Callable[[BatchReport], None] = lambda _: None,
) -> AsyncIterator["Embedder"]:
    """Loads ``model``, warms it up and closes all of it at the end.

    ``observe`` is told of each batch, in the event loop. Raises ``FailedPrecondition``.
    """
    options = options or EmbedderOptions()
    cores = _cores()
    workers, threads = _layout(cores, options.threads)
    session = await asyncio.to_thread(
        OnnxSession, model.path, model.card, threads=threads, require_gpu=options.require_gpu
    )
    with (
        closing(BlockingPool("decode", options.decode_threads or cores)) as decoding,
        closing(BlockingPool("inference", workers)) as inference,
    ):
        batcher = Batcher(
            session.run, inference, workers=workers, limits=options.batch, observe=observe
        )
        async with batcher:
            embedder = Embedder(model.card, session, batcher, decoding, options)
            await embedder.warm_up()
            yield embedder


class Embedder:
    """Embeds images with one model. Made by ``open_embedder``."""

    def __init__(
        self,
        card: ModelCard,
        session: Session,
        batcher: Batcher,
        decoding: BlockingPool,
        options: EmbedderOptions,
    ) -> None:
        self.card = card
        self._session = session
        self._batcher = batcher
        self._decoding = decoding
        self._options = options
        self._window = 2 * options.batch.max_batch
        # Of all calls together: a file may have as many bytes as the limits allow.
        self._reading = asyncio.Semaphore(options.batch.max_batch)
        self._pending = 0
        self._proven_at = -_PROOF_SECONDS

    @property
    def provider(self) -> str:
        """What the model runs on, such as ``CPUExecutionProvider``."""
        return self._session.provider

    @property
    def fingerprint(self) -> str:
        """Changes with anything between a file's bytes and the model's input."""
        return self.card.preprocessing.fingerprint

    @property
    def stats(self) -> BatchStats:
        """What the batcher has done so far."""
        return self._batcher.stats

    async def embed_image(self, source: Source, lane: Lane = Lane.INTERACTIVE) -> Embedding:
        """The embedding of one image file.

        Raises ``InvalidArgument`` (UNSUPPORTED_IMAGE, DAMAGED_IMAGE), ``OutOfQuota``
        (IMAGE_TOO_LARGE, QUEUE_FULL), ``FailedPrecondition`` (UNUSABLE_VECTOR), ``Unavailable`` and
        what ``source`` raises, which is read only if there is room in the queue.
        """
        with self._admitted():
            tensor = await self._tensor(source)
            return self._embedding(await self._inferred(tensor, lane))

    async def embed_images(
        self, images: Sequence[Source], lane: Lane = Lane.INTERACTIVE
    ) -> list[Embedding | ColonnadeError]:
        """One result an image, in the same order: its embedding or why there is none.

        Only a few images of one call are in work at a time, so that no call crowds out another.
        """
        turn = asyncio.Semaphore(self._window)

        async def result(source: Source) -> Embedding | ColonnadeError:
            async with turn:
                try:
                    return await self.embed_image(source, lane)
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
            rows = (self._inferred(tensor, Lane.INTERACTIVE) for _ in range(count))
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
                self._embedding(await self._inferred(self._test_tensor(), Lane.INTERACTIVE))
        except TimeoutError as error:
            raise Unavailable(f"the model gave no answer within {timeout} s") from error

    async def _tensor(self, source: Source) -> NDArray[np.float32]:
        if isinstance(source, bytes):
            return await self._decoded(source)
        # Until it is decoded: only the bytes are large, and after that they are gone.
        async with self._reading:
            return await self._decoded(await source())

    async def _decoded(self, data: bytes) -> NDArray[np.float32]:
        with self._batcher.expecting():
            return await self._decoding.run(
                tensor_of, data, self.card.preprocessing, self._options.images
            )

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """Counts images from before they are decoded: large ones may wait longest there."""
        self._batcher.check_room(self._pending)
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    async def _inferred(self, tensor: NDArray[np.float32], lane: Lane) -> NDArray[np.float32]:
        try:
            return await self._batcher.submit(tensor, lane)
        except ColonnadeError:
            raise
        except Exception as error:  # the runtime's exceptions have no common public base
            _log.exception("the model %s failed", self.card.id)
            raise Unavailable(
                f"the model {self.card.id} failed; try again", reason="MODEL_NOT_READY"
            ) from error

    def _embedding(self, row: NDArray[np.float32]) -> Embedding:
        length = float(np.linalg.norm(row.astype(np.float64)))
        if row.shape != (self.card.dimension,) or not np.isfinite(length) or length == 0.0:
            raise FailedPrecondition(
                f"the model {self.card.id} gives no usable vector for this image",
                reason="UNUSABLE_VECTOR",
                metadata={"model": self.card.id},
            )
        self._proven_at = time.monotonic()
        return Embedding(
            vector=(row / length).astype(np.float32),
            model=self.card.id,
            revision=self.card.revision,
            dimension=self.card.dimension,
            fingerprint=self.fingerprint,
        )

    def _test_tensor(self) -> NDArray[np.float32]:
        """A smooth ramp of black to white, normalised as any picture."""
        rules = self.card.preprocessing
        width, height = rules.size
        ramp = np.linspace(0.0, 255.0, width, dtype=np.float32)
        planes = [
            np.broadcast_to((ramp - mean) / std, (height, width))
            for mean, std in zip(rules.mean, rules.std, strict=True)
        ]
        return np.stack(planes).astype(np.float32)


def _cores() -> int:
    """The cores that this process may use, which in a container are often not all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _layout(cores: int, threads: int) -> tuple[int, int]:
    """How many batches run at once, on how many threads each.

    Two batches on one thread each give 1.3 times the images a second of one batch on two threads.
    """
    if threads:
        return max(1, min(_MAX_WORKERS, cores // threads)), threads
    workers = min(_MAX_WORKERS, cores)
    return workers, cores // workers
