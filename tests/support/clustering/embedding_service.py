"""A service with the contract of the embedding service, behind a real gRPC server."""

from pathlib import Path
from typing import Any

from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceServicer,
    add_EmbeddingServiceServicer_to_server,
)
from colonnade.embedding.v1.model_pb2 import Embedding, Model
from colonnade.type.v1.vector_pb2 import Vector as VectorMessage

from libs.errors import ColonnadeError
from libs.rpc.auth import Authenticator
from libs.rpc.server import RpcServer
from libs.rpc.status import to_status
from libs.telemetry import Metrics
from services.clustering.domain.item import Collection
from tests.support.clustering.photos import COLLECTION, OTHER, Vector

# The other model makes the first numbers of the same vectors.
MODELS = {
    "models/default": COLLECTION,
    COLLECTION.model: COLLECTION,
    OTHER.model: OTHER,
}
SERVICE = api.DESCRIPTOR.services_by_name["EmbeddingService"]


class StandInEmbedding(EmbeddingServiceServicer):
    """Answers the vectors that the test gave, by blob key; may be started, stopped and started."""

    def __init__(self, socket: Path) -> None:
        self.address = f"unix:{socket}"
        self.results: dict[str, Vector | ColonnadeError] = {}
        self.asked_for_model = 0
        self._server: RpcServer | None = None

    async def start(self) -> None:
        self._server = RpcServer(Authenticator(), Metrics().rpc)
        self._server.add(SERVICE, add_EmbeddingServiceServicer_to_server, self)
        await self._server.start([self.address])

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
        self._server = None

    async def EmbedImages(
        self, request: api.EmbedImagesRequest, context: Any
    ) -> api.EmbedImagesResponse:
        assert request.purpose == api.EmbedImagesRequest.PURPOSE_BULK
        assert request.fair_share_key.startswith("personas/")
        results = [
            result_message(self.results[image.blob_key], MODELS[request.model])
            for image in request.images
        ]
        return api.EmbedImagesResponse(results=results)

    async def GetModel(self, request: api.GetModelRequest, context: Any) -> Model:
        self.asked_for_model += 1
        model = MODELS[request.name]
        return Model(
            name=model.model,
            revision=model.revision,
            fingerprint=model.fingerprint,
            state=Model.STATE_READY,
            modality=Model.MODALITY_IMAGE,
            dimension=model.dimension,
            duplicate_threshold=model.duplicate_threshold,
            scene_threshold=model.scene_threshold,
        )


def result_message(
    result: Vector | ColonnadeError, model: Collection = COLLECTION
) -> api.ImageResult:
    """What becomes of one image: its vector, or what is wrong with it."""
    if isinstance(result, ColonnadeError):
        return api.ImageResult(error=to_status(result))
    numbers = result[: model.dimension].astype("<f4")
    return api.ImageResult(
        embedding=Embedding(
            vector=VectorMessage(dimension=len(numbers), data=numbers.tobytes()),
            model=model.model,
            revision=model.revision,
            fingerprint=model.fingerprint,
        )
    )
