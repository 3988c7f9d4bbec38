"""The embedding service, as the use cases see it."""

from collections.abc import Sequence

import numpy as np
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from colonnade.embedding.v1.model_pb2 import Embedding, Model

from libs.errors import ColonnadeError
from libs.rpc.status import from_status
from services.clustering.domain.item import Collection
from services.clustering.ports import Embedded


class RpcEmbedder:
    """See ports.Embedder."""

    def __init__(self, stub: EmbeddingServiceStub, duplicate_floor: float) -> None:
        self._stub = stub
        self._duplicate_floor = duplicate_floor
        self._models: dict[tuple[str, str], Model] = {}

    async def embed(self, blob_keys: Sequence[str]) -> list[Embedded | ColonnadeError]:
        answer = await self._stub.EmbedImages(
            api.EmbedImagesRequest(
                images=[api.ImageSource(blob_key=key) for key in blob_keys],
                purpose=api.EmbedImagesRequest.PURPOSE_BULK,
            )
        )
        return [
            _embedded(result.embedding)
            if result.WhichOneof("outcome") == "embedding"
            else from_status(result.error)
            for result in answer.results
        ]

    async def collection(self, embedded: Embedded) -> Collection:
        key = (embedded.model, embedded.revision)
        model = self._models.get(key)
        if model is None:
            model = await self._stub.GetModel(api.GetModelRequest(name=embedded.model))
            self._models[key] = model
        short = embedded.model.removeprefix("models/")
        return Collection(
            name=f"photos-{short}-{embedded.revision}-{embedded.fingerprint}",
            model=embedded.model,
            revision=embedded.revision,
            fingerprint=embedded.fingerprint,
            dimension=len(embedded.vector),
            scene_threshold=model.scene_threshold,
            duplicate_threshold=max(model.duplicate_threshold, self._duplicate_floor),
        )


def _embedded(embedding: Embedding) -> Embedded:
    vector = np.frombuffer(embedding.vector.data, dtype="<f4")
    return Embedded(vector, embedding.model, embedding.revision, embedding.fingerprint)
