"""Between the models here and the contract."""

from colonnade.embedding.v1 import model_pb2
from colonnade.embedding.v1.embedding_service_pb2 import EmbedImagesRequest, ImageResult
from colonnade.type.v1.vector_pb2 import Vector

from libs.errors import ColonnadeError
from libs.names import pattern
from libs.rpc.status import to_status
from services.embedding.batcher import Lane
from services.embedding.card import ModelCard
from services.embedding.host import ModelHost
from services.embedding.model import Embedding

_MODEL = pattern("models/{model}")


def model_id(name: str, field: str = "name") -> str:
    """The id in ``models/{model}``."""
    return _MODEL.parse(name, field)[0]


def model_name(model: str) -> str:
    """``models/{model}``."""
    return _MODEL.format(model)


def lane_of(request: EmbedImagesRequest) -> Lane:
    """Behind interactive calls, if the request says that it is bulk."""
    return Lane.BULK if request.purpose == EmbedImagesRequest.PURPOSE_BULK else Lane.INTERACTIVE


def result_message(result: Embedding | ColonnadeError) -> ImageResult:
    """What became of one image."""
    if isinstance(result, ColonnadeError):
        return ImageResult(error=to_status(result))
    vector = Vector(
        dimension=result.dimension,
        encoding=Vector.ENCODING_FLOAT32_LE,
        data=result.vector.astype("<f4", copy=False).tobytes(),
    )
    return ImageResult(
        embedding=model_pb2.Embedding(
            vector=vector,
            model=model_name(result.model),
            revision=result.revision,
            fingerprint=result.fingerprint,
        )
    )


def model_message(host: ModelHost, card: ModelCard) -> model_pb2.Model:
    """The default model as the contract shows it."""
    loaded = host.loaded
    state = model_pb2.Model.STATE_READY if loaded else model_pb2.Model.STATE_LOADING
    return model_pb2.Model(
        name=model_name(card.id),
        display_name=card.name,
        revision=card.revision,
        dimension=card.dimension,
        modality=model_pb2.Model.MODALITY_IMAGE,
        state=model_pb2.Model.STATE_FAILED if host.error else state,
        error=to_status(host.error) if host.error else None,
        fingerprint=card.preprocessing.fingerprint,
        licence=card.licence,
        provider=loaded.provider if loaded else "",
        duplicate_threshold=card.near_duplicate_cosine,
        scene_threshold=card.same_scene_cosine,
        default=True,
    )
