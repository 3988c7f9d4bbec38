"""The embedding service, as the use cases see it."""

from collections.abc import Sequence

import numpy as np
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from colonnade.embedding.v1.model_pb2 import Embedding, Model

from libs.errors import ColonnadeError, InvalidArgument, NotFound, Unavailable
from libs.image_hash import ALGORITHM
from libs.rpc.status import from_status
from services.clustering.domain.item import Collection, Modality
from services.clustering.ports import Embedded, Vector

_DEFAULT = "models/default"
_UNUSABLE = (Model.STATE_LOADING, Model.STATE_FAILED)
_READS = {
    Modality.PHOTOS: (Model.MODALITY_IMAGE, Model.MODALITY_IMAGE_AND_TEXT),
    Modality.TEXTS: (Model.MODALITY_TEXT, Model.MODALITY_IMAGE_AND_TEXT),
}
_PAGE = 200


class RpcEmbedder:
    """See ports.Embedder and ports.TextReader."""

    def __init__(self, stub: EmbeddingServiceStub, duplicate_floor: float) -> None:
        self._stub = stub
        self._duplicate_floor = duplicate_floor
        self._modalities: dict[tuple[str, str], int] = {}

    async def embed(
        self, blob_keys: Sequence[str], model: str, scope: str
    ) -> list[Embedded | ColonnadeError]:
        answer = await self._stub.EmbedImages(
            api.EmbedImagesRequest(
                model=model,
                images=[api.ImageSource(blob_key=key) for key in blob_keys],
                purpose=api.EmbedImagesRequest.PURPOSE_BULK,
                fair_share_key=scope,
            )
        )
        return [
            _embedded(result.embedding, _bits(result))
            if result.WhichOneof("outcome") == "embedding"
            else from_status(result.error)
            for result in answer.results
        ]

    async def embed_texts(
        self, texts: Sequence[str], model: str, scope: str
    ) -> list[Embedded | ColonnadeError]:
        answer = await self._stub.EmbedTexts(
            api.EmbedTextsRequest(
                model=model,
                texts=texts,
                purpose=api.EmbedImagesRequest.PURPOSE_BULK,
                fair_share_key=scope,
            )
        )
        return [
            _embedded(result.embedding)
            if result.WhichOneof("outcome") == "embedding"
            else from_status(result.error)
            for result in answer.results
        ]

    async def describe(self, model: str, modality: Modality = Modality.PHOTOS) -> Collection:
        found = await self._model(model, modality)
        if found.state in _UNUSABLE or not found.dimension:
            raise Unavailable(
                found.error.message or f"{found.name} is not ready yet", reason="MODEL_NOT_READY"
            )
        if found.modality not in _READS[modality]:
            raise InvalidArgument.of("generation.model", f"{found.name} embeds no {modality}")
        scene, duplicate = found.text_scene_threshold, found.text_duplicate_threshold
        if modality is Modality.PHOTOS:
            scene = found.scene_threshold
            duplicate = max(found.duplicate_threshold, self._duplicate_floor)
        short = found.name.removeprefix("models/")
        return Collection(
            name=f"{modality}-{short}-{found.revision}-{found.fingerprint}",
            model=found.name,
            revision=found.revision,
            fingerprint=found.fingerprint,
            dimension=found.dimension,
            scene_threshold=scene,
            duplicate_threshold=duplicate,
            modality=modality,
        )

    async def _model(self, model: str, modality: Modality) -> Model:
        if model or modality is Modality.PHOTOS:
            return await self._stub.GetModel(api.GetModelRequest(name=model or _DEFAULT))
        request = api.ListModelsRequest(page_size=_PAGE)
        while True:
            page = await self._stub.ListModels(request)
            for found in page.models:
                if found.text_default:
                    return found
            if not page.next_page_token:
                raise Unavailable("no model is the default one for texts", reason="MODEL_NOT_READY")
            request.page_token = page.next_page_token

    async def embed_text(self, collection: Collection, text: str, scope: str) -> Vector | None:
        if not await self._reads_texts(collection):
            return None
        answer = await self._stub.EmbedTexts(
            api.EmbedTextsRequest(
                model=collection.model,
                texts=[text],
                purpose=api.EmbedImagesRequest.PURPOSE_INTERACTIVE,
                fair_share_key=scope,
            )
        )
        (result,) = answer.results
        if result.WhichOneof("outcome") != "embedding":
            raise from_status(result.error)
        found = _embedded(result.embedding)
        collection.require_same(found.model, found.revision, found.fingerprint)
        return found.vector

    async def _reads_texts(self, collection: Collection) -> bool:
        key = (collection.model, collection.revision)
        if key not in self._modalities:
            try:
                model = await self._stub.GetModel(api.GetModelRequest(name=collection.model))
            except NotFound:
                return False  # it was removed; its vectors are still searched
            self._modalities[key] = model.modality
        return self._modalities[key] in _READS[Modality.TEXTS]


def _embedded(embedding: Embedding, bits: bytes | None = None) -> Embedded:
    vector = np.frombuffer(embedding.vector.data, dtype="<f4")
    return Embedded(vector, embedding.model, embedding.revision, embedding.fingerprint, bits)


def _bits(result: api.ImageResult) -> bytes | None:
    found = result.perceptual_hash
    return found.bits if found.algorithm == ALGORITHM else None
