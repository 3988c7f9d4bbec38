"""Searches and generations of one scope, over gRPC."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from colonnade.clustering.v1 import generation_service_pb2 as api
from colonnade.clustering.v1 import search_service_pb2 as search_api
from colonnade.clustering.v1.generation_pb2 import Generation
from colonnade.clustering.v1.generation_service_pb2_grpc import (
    GenerationServiceStub,
    add_GenerationServiceServicer_to_server,
)
from colonnade.clustering.v1.search_service_pb2_grpc import (
    SearchServiceStub,
    add_SearchServiceServicer_to_server,
)

from libs.rpc.paging import PageTokens
from services.clustering.module import GENERATIONS, SEARCH
from services.clustering.ports import TextReader
from services.clustering.servicers.generations import GenerationParts, GenerationServicer
from services.clustering.servicers.search import SearchServicer
from services.clustering.usecases.filling import Filler, fill_generation
from services.clustering.usecases.telling import tell_generation
from tests.support.clustering.desk import BATCH, Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.photos import OTHER, Vector
from tests.support.rpc import serve_all

TOKENS = PageTokens(b"secret")


class Models:
    """Short ways to the methods about generations, and a worker by hand."""

    def __init__(self, stub: GenerationServiceStub, desk: Desk) -> None:
        self.stub = stub
        self.desk = desk

    def filler(self, owner: str = "one", **parts: Any) -> Filler:
        """What fills generations here; ``parts`` replace the desk's."""
        own: dict[str, Any] = {
            "store": self.desk.store,
            "index": self.desk.index,
            "embedder": self.desk.embedder,
        }
        return Filler(**(own | parts), clock=self.desk.clock, owner=owner, batch=BATCH)

    def remodel(self, vectors: dict[str, Any]) -> None:
        """What the other model makes of photos."""
        self.desk.embedder.others[OTHER.model] = OTHER
        for photo, result in vectors.items():
            self.desk.embedder.give(photo, result, OTHER.model)

    async def create(self, **fields: Any) -> Generation:
        """A new generation of the other model."""
        wanted = Generation(model=OTHER.model)
        return await self.stub.CreateGeneration(
            api.CreateGenerationRequest(generation=wanted, **fields)
        )

    async def fill(self, generation: Generation) -> Generation:
        """The generation, filled as far as it can be."""
        await fill_generation(self.filler(), id_of(generation))
        return await self.get(generation)

    async def filled(self, vectors: dict[str, Any]) -> Generation:
        """A new one of the other model, which makes these vectors of photos, ready."""
        self.remodel(vectors)
        return await self.fill(await self.create())

    async def tell(self, generation: Generation) -> None:
        """Tells others of all photos of a generation."""
        await tell_generation(self.desk.store, self.desk.index, id_of(generation))

    async def get(self, generation: Generation) -> Generation:
        """The generation as it is now."""
        return await self.stub.GetGeneration(api.GetGenerationRequest(name=generation.name))

    async def list(self) -> list[Generation]:
        """All of them, newest first."""
        answer = await self.stub.ListGenerations(api.ListGenerationsRequest())
        return list(answer.generations)

    async def activate(
        self, generation: Generation, **fields: Any
    ) -> api.ActivateGenerationResponse:
        """What activating it came to."""
        request = api.ActivateGenerationRequest(name=generation.name, **fields)
        return await self.stub.ActivateGeneration(request)

    async def cancel(self, generation: Generation) -> Generation:
        """The generation, cancelled."""
        request = api.CancelGenerationRequest(name=generation.name)
        return (await self.stub.CancelGeneration(request)).generation

    async def delete(self, generation: Generation) -> None:
        """Deletes it."""
        await self.stub.DeleteGeneration(api.DeleteGenerationRequest(name=generation.name))

    async def retry(self, parent: str, **fields: Any) -> int:
        """How many photos wait again."""
        request = api.RetryEmbeddingsRequest(parent=parent, **fields)
        return (await self.stub.RetryEmbeddings(request)).count


class Searches:
    """Short ways to searching one scope."""

    def __init__(self, stub: SearchServiceStub, scope: str) -> None:
        self.stub = stub
        self.scope = scope

    async def find(self, scope: str = "", **query: Any) -> search_api.SearchItemsResponse:
        """The answer to a search."""
        request = search_api.SearchItemsRequest(parent=scope or self.scope, **query)
        return await self.stub.SearchItems(request)

    async def items(self, scope: str = "", **query: Any) -> list[str]:
        """The names of the items that a search finds on its first page."""
        return [hit.item for hit in (await self.find(scope, **query)).hits]

    async def pages(self, **query: Any) -> list[list[str]]:
        """The names on all pages."""
        found, token = [], ""
        while True:
            answer = await self.find(page_token=token, **query)
            found.append([hit.item for hit in answer.hits])
            token = answer.next_page_token
            if not token:
                return found


@asynccontextmanager
async def served(
    desk: Desk, queue: MemoryQueue, reader: TextReader | None = None, keep: int = 1
) -> AsyncIterator[tuple[Models, Searches]]:
    """Both services over one desk, behind a real server."""
    parts = GenerationParts(
        desk.store,
        queue,
        desk.embedder,
        desk.clock,
        TOKENS,
        keep,
        is_stopping=lambda: False,
        heartbeat=0.3,
    )
    searches = SearchServicer(desk.store, desk.index, reader or desk.embedder, TOKENS)
    services = (
        (GENERATIONS, add_GenerationServiceServicer_to_server, GenerationServicer(parts)),
        (SEARCH, add_SearchServiceServicer_to_server, searches),
    )
    async with serve_all(services) as channel:
        models = Models(GenerationServiceStub(channel), desk)
        yield models, Searches(SearchServiceStub(channel), desk.scope)


def id_of(generation: Generation) -> str:
    """The id in its name."""
    return generation.name.rpartition("/")[2]


def shortened(vectors: Sequence[Vector]) -> list[Vector]:
    """The first half of each vector, as the other model has it."""
    return [vector[: OTHER.dimension].copy() for vector in vectors]
