"""A model in memory: what it can embed."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from services.embedding.batcher import BatchReport
from services.embedding.model import Embedder, EmbedderOptions, Workshop, open_embedder
from services.embedding.registry import Listed
from services.embedding.text import TextEmbedder, open_text_embedder


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """The parts that the model has; each has passed a real inference."""

    images: Embedder | None
    texts: TextEmbedder | None

    @property
    def provider(self) -> str:
        """What it runs on, such as ``CPUExecutionProvider``."""
        part = self.images or self.texts
        return part.provider if part is not None else ""


@asynccontextmanager
async def open_model(
    listed: Listed,
    options: EmbedderOptions,
    workshop: Workshop,
    observe: Callable[[BatchReport], None] = lambda _: None,
) -> AsyncIterator[OpenedModel]:
    """Brings the files here, loads what the model has, and closes all of it at the end.

    Raises ``FailedPrecondition`` and ``Unavailable``.
    """
    await listed.prepare()
    images: Embedder | None = None
    texts: TextEmbedder | None = None
    async with AsyncExitStack() as stack:
        if listed.image is not None:
            opening = open_embedder(listed.image, options, observe, workshop)
            images = await stack.enter_async_context(opening)
        if listed.card is not None and listed.card.text is not None:
            reading = open_text_embedder(listed.card, listed.text, options, workshop, observe)
            texts = await stack.enter_async_context(reading)
        yield OpenedModel(images, texts)
