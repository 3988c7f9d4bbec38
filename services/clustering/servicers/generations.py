"""The gRPC face of generations."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from colonnade.clustering.v1 import generation_service_pb2 as api
from colonnade.clustering.v1.generation_pb2 import Generation
from colonnade.clustering.v1.generation_service_pb2_grpc import GenerationServiceServicer
from google.protobuf.empty_pb2 import Empty

from libs.clock import Clock
from libs.jobs.queue import JobQueue
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.clustering.domain.generation import GenerationState
from services.clustering.domain.item import Modality
from services.clustering.generation_messages import generation_message
from services.clustering.ports import Embedder, Store
from services.clustering.usecases import generations

_ALL = "personas/-"
_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class GenerationParts:
    """What the servicer needs of the world; ``keep`` retired generations are kept."""

    store: Store
    queue: JobQueue
    embedder: Embedder
    clock: Clock
    tokens: PageTokens
    keep: int
    is_stopping: Callable[[], bool]
    heartbeat: float = 15.0


class GenerationServicer(GenerationServiceServicer):
    """Parses, calls a use case, converts."""

    def __init__(self, parts: GenerationParts) -> None:
        self._parts = parts

    async def CreateGeneration(
        self, request: api.CreateGenerationRequest, context: Any
    ) -> Generation:
        parts, key = self._parts, request_of(request, "CreateGeneration")
        wanted = request.generation
        texts = wanted.modality == Generation.MODALITY_TEXTS
        made = await generations.create_generation(
            parts.store,
            parts.queue,
            parts.embedder,
            wanted.model,
            key,
            Modality.TEXTS if texts else Modality.PHOTOS,
        )
        return generation_message(made)

    async def GetGeneration(self, request: api.GetGenerationRequest, context: Any) -> Generation:
        return generation_message(await generations.get_generation(self._parts.store, request.name))

    async def ListGenerations(
        self, request: api.ListGenerationsRequest, context: Any
    ) -> api.ListGenerationsResponse:
        listing = "ListGenerations"
        page = self._parts.tokens.request(request.page_size, request.page_token, listing)
        found = await generations.list_generations(self._parts.store, page)
        return api.ListGenerationsResponse(
            generations=[generation_message(row) for row in found.rows],
            next_page_token=self._parts.tokens.token(found.next_key, listing),
        )

    async def WatchGeneration(
        self, request: api.WatchGenerationRequest, context: Any
    ) -> AsyncIterator[api.WatchGenerationResponse]:
        shown, sequence, last = None, 0, 0.0
        while True:
            found = await generations.get_generation(self._parts.store, request.name)
            if found != shown or monotonic() - last >= self._parts.heartbeat:
                shown, sequence, last = found, sequence + 1, monotonic()
                yield api.WatchGenerationResponse(
                    generation=generation_message(found), sequence=sequence
                )
            filling = found.generation.state is GenerationState.FILLING
            # A watcher comes back after a restart; waiting for it would hold the restart up.
            if not filling or self._parts.is_stopping():
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def ActivateGeneration(
        self, request: api.ActivateGenerationRequest, context: Any
    ) -> api.ActivateGenerationResponse:
        parts = self._parts
        active, previous = await generations.activate_generation(
            parts.store,
            parts.queue,
            parts.clock,
            request.name,
            request.allow_missing if request.HasField("allow_missing") else None,
            parts.keep,
            request_of(request, "ActivateGeneration"),
        )
        return api.ActivateGenerationResponse(
            generation=generation_message(active), previous=previous
        )

    async def CancelGeneration(
        self, request: api.CancelGenerationRequest, context: Any
    ) -> api.CancelGenerationResponse:
        key = request_of(request, "CancelGeneration")
        found = await generations.cancel_generation(self._parts.store, request.name, key)
        return api.CancelGenerationResponse(generation=generation_message(found))

    async def DeleteGeneration(self, request: api.DeleteGenerationRequest, context: Any) -> Empty:
        key = request_of(request, "DeleteGeneration")
        await generations.delete_generation(self._parts.store, request.name, key)
        return Empty()

    async def RetryEmbeddings(
        self, request: api.RetryEmbeddingsRequest, context: Any
    ) -> api.RetryEmbeddingsResponse:
        count = await generations.retry_embeddings(
            self._parts.store,
            self._parts.queue,
            "" if request.parent == _ALL else request.parent,
            request.generation,
            request.reasons,
            request_of(request, "RetryEmbeddings"),
        )
        return api.RetryEmbeddingsResponse(count=count)
