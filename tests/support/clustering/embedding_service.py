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
from tests.support.clustering.photos import COLLECTION, Vector

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
        results = [_result(self.results[image.blob_key]) for image in request.images]
        return api.EmbedImagesResponse(results=results)

    async def GetModel(self, request: api.GetModelRequest, context: Any) -> Model:
        assert request.name == COLLECTION.model
        self.asked_for_model += 1
        return Model(
            name=request.name,
            revision=COLLECTION.revision,
            dimension=COLLECTION.dimension,
            duplicate_threshold=COLLECTION.duplicate_threshold,
            scene_threshold=COLLECTION.scene_threshold,
        )


def _result(result: Vector | ColonnadeError) -> api.ImageResult:
    if isinstance(result, ColonnadeError):
        return api.ImageResult(error=to_status(result))
    return api.ImageResult(
        embedding=Embedding(
            vector=VectorMessage(dimension=len(result), data=result.astype("<f4").tobytes()),
            model=COLLECTION.model,
            revision=COLLECTION.revision,
            fingerprint=COLLECTION.fingerprint,
        )
    )
