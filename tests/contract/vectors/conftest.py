"""The edge server that the contract is checked against, and an empty collection for each test."""

from collections.abc import AsyncIterator

import pytest

from libs.embedded.qdrant import QdrantAddress
from libs.vectors.index import VectorIndex
from libs.vectors.qdrant import QdrantIndex
from tests.support.engines import qdrant_address

__all__ = ["collection", "index", "qdrant_address"]

DIMENSION = 16


@pytest.fixture
async def index(qdrant_address: QdrantAddress) -> AsyncIterator[VectorIndex]:
    async with QdrantIndex(qdrant_address.target, api_key=qdrant_address.api_key) as opened:
        yield opened


@pytest.fixture
async def collection(index: VectorIndex) -> AsyncIterator[str]:
    # Emptied and not dropped: making one costs a tenth of a second.
    await index.ensure_collection("points", DIMENSION, indexed=["persona"])
    yield "points"
    async for page in index.scroll("points"):
        await index.delete("points", page.ids)
