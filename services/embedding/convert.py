"""Between the models here and the contract."""

from colonnade.embedding.v1 import model_pb2
from colonnade.embedding.v1.embedding_service_pb2 import (
    EmbedImagesRequest,
    ImageResult,
    PerceptualHash,
    StreamEmbeddingsRequest,
    TextResult,
)
from colonnade.type.v1.vector_pb2 import Vector

from libs.errors import ColonnadeError, InvalidArgument
from libs.image_hash import ALGORITHM
from libs.names import pattern
from libs.rpc.call import current_call
from libs.rpc.status import to_status
from services.embedding.card import ModelCard
from services.embedding.fairness import Lane, Turn
from services.embedding.host import ModelHost, Slot, State
from services.embedding.model import Embedding
from services.embedding.text import TextEmbedding

_MODEL = pattern("models/{model}")
_LONGEST_WAIT = 60.0
_TIME_TO_TELL = 0.5


def model_id(name: str, field: str = "name") -> str:
    """The id in ``models/{model}``."""
    return _MODEL.parse(name, field)[0]


def model_name(model: str) -> str:
    """``models/{model}``."""
    return _MODEL.format(model)


def turn_of(purpose: int, fair_share_key: str) -> Turn:
    """Where the work of the call being served stands among what waits."""
    call = current_call.get()
    lane = Lane.BULK if purpose == EmbedImagesRequest.PURPOSE_BULK else Lane.INTERACTIVE
    if call is None:
        return Turn(lane, fair_share_key)
    return Turn(lane, fair_share_key or call.caller, call.deadline)


def check_decided(first: StreamEmbeddingsRequest, request: StreamEmbeddingsRequest) -> None:
    """Raises InvalidArgument if a later request of a stream asks for what the first one decides."""
    for field in ("model", "purpose", "fair_share_key"):
        asked = getattr(request, field)
        if asked and asked != getattr(first, field):
            raise InvalidArgument.of(
                field, "the first message of a stream decides; leave it out of the others"
            )


def asked_model(name: str) -> str:
    """The id of the model that a request names; empty if it names none."""
    return model_id(name, "model") if name else ""


def patience() -> float:
    """How long the call being served may wait for a model, so that its caller still learns why
    there is no answer."""
    call = current_call.get()
    remaining = call.remaining() if call is not None else None
    if remaining is None:
        return _LONGEST_WAIT
    return max(0.0, min(_LONGEST_WAIT, remaining - _TIME_TO_TELL))


def result_message(result: Embedding | ColonnadeError) -> ImageResult:
    """What became of one image."""
    if isinstance(result, ColonnadeError):
        return ImageResult(error=to_status(result))
    # Without bits the picture was read, but has too little detail for a hash.
    perceptual_hash = PerceptualHash(algorithm=ALGORITHM, bits=result.perceptual_hash or b"")
    return ImageResult(embedding=embedding_message(result), perceptual_hash=perceptual_hash)


def text_result_message(result: TextEmbedding | ColonnadeError) -> TextResult:
    """What became of one text."""
    if isinstance(result, ColonnadeError):
        return TextResult(error=to_status(result))
    return TextResult(embedding=embedding_message(result.embedding), truncated=result.truncated)


def embedding_message(embedding: Embedding) -> model_pb2.Embedding:
    """A vector as the contract shows it."""
    vector = Vector(
        dimension=embedding.dimension,
        encoding=Vector.ENCODING_FLOAT32_LE,
        data=embedding.vector.astype("<f4", copy=False).tobytes(),
    )
    return model_pb2.Embedding(
        vector=vector,
        model=model_name(embedding.model),
        revision=embedding.revision,
        fingerprint=embedding.fingerprint,
        provider=embedding.provider,
    )


_STATES = {
    State.UNLOADED: model_pb2.Model.STATE_UNLOADED,
    State.LOADING: model_pb2.Model.STATE_LOADING,
    State.READY: model_pb2.Model.STATE_READY,
    State.FAILED: model_pb2.Model.STATE_FAILED,
}


def model_message(host: ModelHost, slot: Slot) -> model_pb2.Model:
    """A model as the contract shows it."""
    listed, card = slot.listed, slot.listed.card
    message = model_pb2.Model(
        name=model_name(listed.id),
        display_name=card.name if card is not None else listed.id,
        state=_STATES[slot.state],
        provider=slot.opened.provider if slot.opened is not None else "",
        default=listed.id == host.default,
        text_default=listed.id == host.text_default,
        size_bytes=listed.size_bytes,
        notice=listed.notice,
    )
    if slot.problem is not None and slot.state is State.FAILED:
        message.error.CopyFrom(to_status(slot.problem))
    elif slot.problem is not None:
        message.notice = f"works on, but could not be loaded again: {slot.problem.message}"
    if slot.last_use is not None:
        message.last_use_time.FromDatetime(slot.last_use)
    if card is not None:
        _describe(message, card)
    return message


def _describe(message: model_pb2.Model, card: ModelCard) -> None:
    message.revision = card.revision
    message.fingerprint = card.fingerprint
    message.dimension = card.dimension
    message.licence = card.licence
    message.modality = _modality(card)
    if card.image is not None:
        message.duplicate_threshold = card.image.near_duplicate_cosine
        message.scene_threshold = card.image.same_scene_cosine
        message.input_width, message.input_height = card.image.preprocessing.size
    if card.text is not None:
        message.max_text_tokens = card.text.max_tokens
        message.text_duplicate_threshold = card.text.near_duplicate_cosine
        message.text_scene_threshold = card.text.same_text_cosine


def _modality(card: ModelCard) -> model_pb2.Model.Modality.ValueType:
    if card.image is None:
        return model_pb2.Model.MODALITY_TEXT
    if card.text is None:
        return model_pb2.Model.MODALITY_IMAGE
    return model_pb2.Model.MODALITY_IMAGE_AND_TEXT
