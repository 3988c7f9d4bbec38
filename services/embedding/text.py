"""From texts to vectors: tokens, batches and inference behind one object."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from libs.blobs.store import sha256
from libs.errors import ColonnadeError, FailedPrecondition, Unavailable
from services.embedding.batcher import Batcher, BatchReport, lane_pools
from services.embedding.card import ModelCard
from services.embedding.fairness import Lane, Turn
from services.embedding.model import (
    MODEL_FAILED,
    EmbedderOptions,
    Embedding,
    Workshop,
    cores,
    layout,
    model_failed,
)
from services.embedding.repository import StoredText
from services.embedding.session import Floats
from services.embedding.text_session import NgramSession, OnnxTextSession, TextSession

_log = logging.getLogger(__name__)

# A text of this many characters takes about as long to read as what is the same for all texts.
_CHARACTERS_A_TURN = 2000
# Whether a model works at all is tried with this.
_TRIAL = "A dog on the beach."


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """The embedding of a text, and whether the model read only its beginning."""

    embedding: Embedding
    truncated: bool

    @property
    def nbytes(self) -> int:
        """What it takes in memory, almost."""
        return self.embedding.nbytes


@asynccontextmanager
async def open_text_embedder(
    card: ModelCard,
    stored: StoredText | None,
    options: EmbedderOptions,
    workshop: Workshop,
    observe: Callable[[BatchReport], None] = lambda _: None,
) -> AsyncIterator["TextEmbedder"]:
    """Loads the part of a model that is for texts, tries it and closes it at the end.

    Without ``stored`` the rules for n-grams compute. Raises ``FailedPrecondition``.
    """
    workers, threads = layout(cores(), options.threads)
    session: TextSession[Any] = (
        NgramSession()
        if stored is None
        else await asyncio.to_thread(
            OnnxTextSession, stored, threads=threads, require_gpu=options.require_gpu
        )
    )
    limits = replace(options.batch, max_wait=0.0)
    with lane_pools("texts", workers) as pools:
        batcher = Batcher(
            session.run,
            pools,
            name=f"{card.id}:texts",
            workers=workers,
            limits=limits,
            observe=observe,
        )
        async with batcher:
            yield TextEmbedder(card, session, batcher, workshop, window=2 * limits.max_batch)


class TextEmbedder:
    """Embeds texts with one model. Made by ``open_text_embedder``."""

    def __init__(
        self,
        card: ModelCard,
        session: TextSession[Any],
        batcher: Batcher[Any, Floats],
        workshop: Workshop,
        *,
        window: int,
    ) -> None:
        self.card = card
        self._session = session
        self._batcher = batcher
        self._reading = workshop.decoding
        self._cache = workshop.cache
        self._window = window
        # Those of the whole card, which every embedding carries, tell in a model for both of its
        # part for images only.
        part = card.text
        of_texts = (part.revision, part.fingerprint) if part is not None else ()
        self._identity = (card.revision, card.fingerprint, *of_texts)

    @property
    def provider(self) -> str:
        """What the model runs on, such as ``CPUExecutionProvider``."""
        return self._session.provider

    async def embed_text(self, text: str, turn: Turn | None = None) -> TextEmbedding:
        """The embedding of one text; the one that is known if this text came before.

        Raises ``OutOfQuota`` (QUEUE_FULL), ``FailedPrecondition`` (UNUSABLE_VECTOR),
        ``Unavailable`` and ``DeadlineExceeded``.
        """
        name = f"text:{sha256(text.encode())}"
        key = (name, self.card.id, *self._identity)
        return await self._cache.get(key, turn or Turn(), partial(self._computed, text))

    async def _computed(self, text: str, turn: Turn) -> TextEmbedding:
        cost = 1.0 + len(text) / _CHARACTERS_A_TURN
        with self._batcher.admitted(turn):
            if turn.lane is Lane.INTERACTIVE and len(text) <= self._session.at_once:
                # While the cores are busy, each thread that is asked costs more than the work.
                tokens, truncated = self._session.read(text)
                (row,) = self._session.run([tokens])
            else:
                read = self._session.read
                tokens, truncated = await self._reading.run(turn, read, text, cost=cost)
                row = await self._inferred_or_blamed(tokens, turn)
        return TextEmbedding(self._embedding(row), truncated)

    async def embed_texts(
        self, texts: Sequence[str], turn: Turn | None = None
    ) -> list[TextEmbedding | ColonnadeError]:
        """One result a text, in the same order: its embedding or why there is none."""
        places = asyncio.Semaphore(self._window)

        async def result(text: str) -> TextEmbedding | ColonnadeError:
            async with places:
                try:
                    return await self.embed_text(text, turn)
                except ColonnadeError as error:
                    return error

        # Texts of about the same length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        async with asyncio.TaskGroup() as group:
            tasks = {place: group.create_task(result(texts[place])) for place in order}
        return [tasks[place].result() for place in range(len(texts))]

    async def _inferred_or_blamed(self, tokens: Any, turn: Turn) -> Floats:
        """Where the model fails on this text but works on another one, it is the text's fault:
        raises ``FailedPrecondition`` then, as trying again would never end."""
        try:
            return await self._inferred(tokens, turn)
        except Unavailable as error:
            if error.reason != MODEL_FAILED or not await self._works(turn):
                raise
            raise self._unusable() from error

    async def _works(self, turn: Turn) -> bool:
        try:
            tokens, _ = await self._reading.run(turn, self._session.read, _TRIAL, cost=1.0)
            await self._inferred(tokens, turn)
        except ColonnadeError:
            return False
        return True

    async def _inferred(self, tokens: Any, turn: Turn) -> Floats:
        try:
            return await self._batcher.submit(tokens, turn)
        except ColonnadeError:
            raise
        except Exception as error:  # the runtime's exceptions have no common public base
            _log.exception("the model %s failed", self.card.id)
            raise model_failed(self.card.id) from error

    def _embedding(self, row: Floats) -> Embedding:
        length = float(np.linalg.norm(row.astype(np.float64)))
        if not np.isfinite(length) or length == 0.0:
            raise self._unusable()
        return Embedding(
            vector=(row / length).astype(np.float32),
            model=self.card.id,
            revision=self.card.revision,
            dimension=self.card.dimension,
            fingerprint=self.card.fingerprint,
            provider=self.provider,
        )

    def _unusable(self) -> FailedPrecondition:
        return FailedPrecondition(
            f"the model {self.card.id} finds nothing in this text that it can compare",
            reason="UNUSABLE_VECTOR",
            metadata={"model": self.card.id},
        )
