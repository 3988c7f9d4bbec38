"""A stand-in for the embedding service with a model that reads pictures and texts."""

from pathlib import Path
from typing import Any

import numpy as np
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.model_pb2 import Embedding, Model
from colonnade.type.v1.vector_pb2 import Vector as VectorMessage

from libs.errors import InvalidArgument
from libs.rpc.status import to_status
from tests.support.clustering.embedding_service import StandInEmbedding
from tests.support.clustering.photos import COLLECTION, Vector, axis

WORDS = ("sunset", "beach", "dinner", "dog", "street", "snow")


def meaning(*words: str) -> Vector:
    """What a picture of these words shows, as a vector of the model."""
    vector = np.sum([axis(WORDS.index(word)) for word in words], axis=0)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class DualEmbedding(StandInEmbedding):
    """Its model knows ``WORDS``; ``dual`` says whether it reads texts at all."""

    def __init__(self, socket: Path, *, dual: bool = True) -> None:
        super().__init__(socket)
        self.dual = dual
        self.revision = COLLECTION.revision

    async def GetModel(self, request: api.GetModelRequest, context: Any) -> Model:
        model = await super().GetModel(request, context)
        if self.dual:
            model.modality = Model.MODALITY_IMAGE_AND_TEXT
        return model

    async def EmbedTexts(
        self, request: api.EmbedTextsRequest, context: Any
    ) -> api.EmbedTextsResponse:
        if not self.dual:
            raise InvalidArgument.of("model", "reads no texts", reason="WRONG_MODALITY")
        assert request.model == COLLECTION.model
        return api.EmbedTextsResponse(results=[self._read(text) for text in request.texts])

    def _read(self, text: str) -> api.TextResult:
        known = [word for word in text.lower().split() if word in WORDS]
        if not known:
            error = InvalidArgument("no word that the model knows", reason="UNUSABLE_VECTOR")
            return api.TextResult(error=to_status(error))
        vector = meaning(*known)
        return api.TextResult(
            embedding=Embedding(
                vector=VectorMessage(dimension=len(vector), data=vector.tobytes()),
                model=COLLECTION.model,
                revision=self.revision,
                fingerprint=COLLECTION.fingerprint,
            )
        )
