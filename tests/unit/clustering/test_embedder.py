"""What the embedding service is asked on behalf of clustering."""

from typing import cast

import numpy as np
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from colonnade.embedding.v1.model_pb2 import Embedding, Model
from colonnade.type.v1.vector_pb2 import Vector

from services.clustering.embedder import RpcEmbedder
from tests.support.clustering.photos import COLLECTION


class Listening:
    """An embedding service with one model, of both kinds; keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[api.EmbedTextsRequest] = []

    async def GetModel(self, request: api.GetModelRequest) -> Model:
        return Model(name=request.name, modality=Model.MODALITY_IMAGE_AND_TEXT)

    async def EmbedTexts(self, request: api.EmbedTextsRequest) -> api.EmbedTextsResponse:
        self.asked.append(request)
        embedding = Embedding(
            vector=Vector(dimension=2, data=np.array([1, 0], "<f4").tobytes()),
            model=COLLECTION.model,
            revision=COLLECTION.revision,
            fingerprint=COLLECTION.fingerprint,
        )
        return api.EmbedTextsResponse(results=[api.TextResult(embedding=embedding)])


async def test_words_are_read_for_a_person_and_in_turns_with_those_of_other_scopes() -> None:
    service = Listening()
    embedder = RpcEmbedder(cast(EmbeddingServiceStub, service), duplicate_floor=0.0)
    for scope in ("personas/nora", "personas/mila"):
        read = await embedder.embed_text(COLLECTION, "a dog", scope)
        assert read is not None and read.tolist() == [1, 0]
    assert [(asked.purpose, asked.fair_share_key) for asked in service.asked] == [
        (api.EmbedImagesRequest.PURPOSE_INTERACTIVE, "personas/nora"),
        (api.EmbedImagesRequest.PURPOSE_INTERACTIVE, "personas/mila"),
    ]
