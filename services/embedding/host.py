"""Keeps the default model loaded, and says truthfully whether it is."""

import asyncio
import logging
from collections.abc import Callable

from libs.errors import ColonnadeError, Unavailable
from services.embedding.card import ModelCard
from services.embedding.model import Embedder, EmbedderOptions, open_embedder
from services.embedding.repository import StoredModel

log = logging.getLogger(__name__)

_RETRY_SECONDS = 15.0


class ModelHost:
    """Loads the model in the background, so that a slow or broken one stops nothing else.

    ``find`` finds the model's file; it may build it and is run in a thread.
    """

    def __init__(self, find: Callable[[], StoredModel], options: EmbedderOptions) -> None:
        self._find = find
        self._options = options
        self._embedder: Embedder | None = None
        self.stored: StoredModel | None = None
        self.error: ColonnadeError | None = None

    async def run(self) -> None:
        """Loads the model and keeps it until cancelled; after a failure tries again later."""
        while True:
            try:
                self.stored = await asyncio.to_thread(self._find)
                async with open_embedder(self.stored, self._options) as embedder:
                    self._loaded(embedder, self.stored)
                    await asyncio.Event().wait()
            except ColonnadeError as error:
                self.error = error
                log.error("the model cannot be used: %s", error.message)
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                self._embedder = None

    def _loaded(self, embedder: Embedder, stored: StoredModel) -> None:
        self._embedder, self.error = embedder, None
        log.info("model %s, revision %s, is ready", embedder.card.id, embedder.card.revision)
        if stored.notice:
            log.warning(stored.notice)

    @property
    def card(self) -> ModelCard | None:
        """The card of the model, once it was found."""
        return self.stored.card if self.stored else None

    @property
    def loaded(self) -> Embedder | None:
        """The embedder, while the model can be used."""
        return self._embedder

    def embedder(self) -> Embedder:
        """The embedder. Raises Unavailable (MODEL_NOT_READY) while there is none."""
        if self._embedder is None:
            why = self.error.message if self.error else "it is being loaded"
            raise Unavailable(
                f"the model is not ready: {why}", reason="MODEL_NOT_READY", retry_after=2.0
            )
        return self._embedder

    async def probe(self) -> None:
        """Returns when a real inference passes; raises Unavailable if not."""
        await self.embedder().probe()
