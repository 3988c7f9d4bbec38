"""Texts on which the runtime fails: whether it is the text's fault or the model's."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing

import pytest

from libs.errors import FailedPrecondition, Unavailable
from services.embedding.batcher import Batcher, BatchLimits, lane_pools
from services.embedding.fairness import Lane, Turn
from services.embedding.model import Workshop
from services.embedding.registry import NGRAMS
from services.embedding.session import Floats
from services.embedding.text import TextEmbedder, TextEmbedding
from services.embedding.text_session import NgramSession

BULK = Turn(Lane.BULK)


class Choking(NgramSession):
    """Fails on a batch with one of these words in it, as a runtime does on one bad text."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def run(self, batch: Sequence[str]) -> Floats:
        if any(word in text for text in batch for word in self._words):
            raise RuntimeError("choked")
        return super().run(batch)


@asynccontextmanager
async def embedding(session: Choking) -> AsyncIterator[TextEmbedder]:
    with closing(Workshop(1)) as workshop, lane_pools("run", 1) as pools:
        async with Batcher(session.run, pools, limits=BatchLimits()) as batcher:
            yield TextEmbedder(NGRAMS, session, batcher, workshop, window=8)


async def test_a_text_on_which_a_model_that_works_fails_is_at_fault_itself() -> None:
    async with embedding(Choking("poison")) as embedder:
        good, bad = await embedder.embed_texts(["lost password", "poison"], BULK)
        assert isinstance(good, TextEmbedding)
        assert isinstance(bad, FailedPrecondition)
        assert bad.reason == "UNUSABLE_VECTOR"
        with pytest.raises(FailedPrecondition):
            await embedder.embed_text("poison", BULK)


async def test_a_model_that_fails_on_everything_is_unavailable() -> None:
    async with embedding(Choking("")) as embedder:
        with pytest.raises(Unavailable) as caught:
            await embedder.embed_text("lost password", BULK)
    assert caught.value.reason == "MODEL_NOT_READY"
