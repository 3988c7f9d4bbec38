"""The gRPC face of the embedding service."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from colonnade.embedding.v1.model_pb2 import Model

from libs.blobs.store import BlobStore
from libs.errors import InvalidArgument, NotFound, OutOfQuota
from libs.images import ImageLimits
from services.embedding import convert
from services.embedding.host import ModelHost
from services.embedding.model import Source

DEFAULT = "default"


class EmbeddingServicer(EmbeddingServiceServicer):
    """Parses, embeds, converts."""

    def __init__(self, host: ModelHost, blobs: BlobStore, limits: ImageLimits) -> None:
        self._host = host
        self._blobs = blobs
        self._limits = limits

    async def EmbedImages(
        self, request: api.EmbedImagesRequest, context: Any
    ) -> api.EmbedImagesResponse:
        embedder = self._host.embedder()
        self._check_model(request.model)
        sources = [self._source(image) for image in request.images]
        results = await embedder.embed_images(sources, convert.lane_of(request))
        return api.EmbedImagesResponse(results=[convert.result_message(r) for r in results])

    async def GetModel(self, request: api.GetModelRequest, context: Any) -> Model:
        models = self._models()
        asked = convert.model_id(request.name)
        for model in models:
            if asked == DEFAULT or model.name == request.name:
                return model
        raise NotFound("model", request.name)

    async def ListModels(
        self, request: api.ListModelsRequest, context: Any
    ) -> api.ListModelsResponse:
        if request.page_token:
            raise InvalidArgument.of("page_token", "there is one page only; leave it out")
        return api.ListModelsResponse(models=self._models())

    def _models(self) -> Sequence[Model]:
        card = self._host.card
        return [convert.model_message(self._host, card)] if card else []

    def _check_model(self, name: str) -> None:
        card = self._host.card
        if name and card and convert.model_id(name, "model") not in (card.id, DEFAULT):
            raise NotFound("model", name)

    def _source(self, image: api.ImageSource) -> Source:
        if image.WhichOneof("source") == "content":
            return image.content
        return partial(self._read, image.blob_key)

    async def _read(self, key: str) -> bytes:
        size = await self._blobs.head(key)
        if size > self._limits.max_bytes:
            raise OutOfQuota(
                f"the image has {size} bytes; the limit is {self._limits.max_bytes}",
                reason="IMAGE_TOO_LARGE",
            )
        return await self._blobs.get(key)
