"""The edge server that the contract is checked against, and an empty collection for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from libs.embedded.qdrant import QdrantAddress, QdrantServer
from libs.vectors.index import VectorIndex
from libs.vectors.qdrant import QdrantIndex

DIMENSION = 16


@pytest.fixture(scope="session")
def qdrant_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantAddress]:
    server = QdrantServer(tmp_path_factory.mktemp("qdrant"))
    yield server.start()
    server.stop()


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
