"""The gRPC face of the embedding service."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from colonnade.embedding.v1.model_pb2 import Model

from libs.rpc.paging import PageTokens
from services.embedding import convert
from services.embedding.host import SOON, ModelHost
from services.embedding.metrics import EmbeddingMetrics
from services.embedding.model import Embedding, Source
from services.embedding.sources import Sources
from services.embedding.stream import answered

# Of the images of one stream this much is in hand at a time, so that many streams fit in.
_BYTES_A_PLACE = 1 << 20


# The first request of a stream, which decides for all, and an image.
Streamed = tuple[api.StreamEmbeddingsRequest, Source]


class EmbeddingServicer(EmbeddingServiceServicer):
    """Parses, embeds, converts."""

    def __init__(
        self,
        host: ModelHost,
        sources: Sources,
        tokens: PageTokens,
        metrics: EmbeddingMetrics,
    ) -> None:
        self._host = host
        self._sources = sources
        self._tokens = tokens
        self._metrics = metrics

    async def EmbedImages(
        self, request: api.EmbedImagesRequest, context: Any
    ) -> api.EmbedImagesResponse:
        model = convert.asked_model(request.model)
        sources = [self._sources.of(image) for image in request.images]
        turn = convert.turn_of(request.purpose, request.fair_share_key)
        async with self._host.embedder(model, convert.patience()) as embedder:
            results = await embedder.embed_images(sources, turn)
        self._count(results)
        return api.EmbedImagesResponse(results=[convert.result_message(r) for r in results])

    async def EmbedTexts(
        self, request: api.EmbedTextsRequest, context: Any
    ) -> api.EmbedTextsResponse:
        model = convert.asked_model(request.model)
        turn = convert.turn_of(request.purpose, request.fair_share_key)
        async with self._host.text_embedder(model, convert.patience()) as embedder:
            results = await embedder.embed_texts(request.texts, turn)
        self._count(results)
        return api.EmbedTextsResponse(results=[convert.text_result_message(r) for r in results])

    async def StreamEmbeddings(
        self, request_iterator: AsyncIterator[api.StreamEmbeddingsRequest], context: Any
    ) -> AsyncIterator[api.StreamEmbeddingsResponse]:
        window = 4 * self._host.options.batch.max_batch
        images = self._streamed(request_iterator)
        async with aclosing(answered(images, self._embed_streamed, window, _places)) as results:
            async for id, result in results:
                self._metrics.result(result)
                yield api.StreamEmbeddingsResponse(id=id, result=convert.result_message(result))

    async def _streamed(
        self, requests: AsyncIterator[api.StreamEmbeddingsRequest]
    ) -> AsyncIterator[tuple[str, Streamed]]:
        first: api.StreamEmbeddingsRequest | None = None
        async for request in requests:
            first = first or request
            convert.check_decided(first, request)
            yield request.id, (first, self._sources.of(request.image))

    async def _embed_streamed(self, streamed: Streamed) -> Embedding:
        first, source = streamed
        model = convert.asked_model(first.model)
        turn = convert.turn_of(first.purpose, first.fair_share_key)
        async with self._host.embedder(model, convert.patience()) as embedder:
            return await embedder.embed_image(source, turn)

    async def GetModel(self, request: api.GetModelRequest, context: Any) -> Model:
        slot = await self._host.find(convert.model_id(request.name))
        return convert.model_message(self._host, slot)

    async def ListModels(
        self, request: api.ListModelsRequest, context: Any
    ) -> api.ListModelsResponse:
        page = self._tokens.request(request.page_size, request.page_token, "ListModels")
        await self._host.scan(SOON)
        keyed = {
            (int(slot.listed.id != self._host.default), slot.listed.id): slot
            for slot in self._host.slots
        }
        following = sorted(key for key in keyed if page.after is None or key > page.after)
        shown = following[: page.size]
        next_key = shown[-1] if len(following) > page.size else None
        return api.ListModelsResponse(
            models=[convert.model_message(self._host, keyed[key]) for key in shown],
            next_page_token=self._tokens.token(next_key, "ListModels"),
        )

    async def LoadModel(self, request: api.LoadModelRequest, context: Any) -> api.LoadModelResponse:
        slot = await self._host.find(convert.model_id(request.name))
        await self._host.load(slot, convert.patience())
        return api.LoadModelResponse(model=convert.model_message(self._host, slot))

    async def UnloadModel(
        self, request: api.UnloadModelRequest, context: Any
    ) -> api.UnloadModelResponse:
        slot = await self._host.find(convert.model_id(request.name))
        await self._host.unload(slot, convert.patience())
        return api.UnloadModelResponse(model=convert.model_message(self._host, slot))

    def _count(self, results: Sequence[object]) -> None:
        for result in results:
            self._metrics.result(result)


def _places(streamed: Streamed) -> int:
    _, source = streamed
    return 1 + (len(source) // _BYTES_A_PLACE if isinstance(source, bytes) else 0)
