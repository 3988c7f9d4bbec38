"""Photos, uploads and their bytes."""

from dataclasses import replace

from colonnade.catalog.v1 import catalog_service_pb2 as service_pb
from colonnade.catalog.v1 import photo_pb2 as pb

from libs.errors import FailedPrecondition
from libs.rpc.status import to_status
from services.catalog.convert.values import moment, number, timestamp
from services.catalog.domain.names import PILLAR, persona_id, pillar_of
from services.catalog.domain.photo import Embedding, Measure, Photo, Rights
from services.catalog.usecases.media import Media
from services.catalog.usecases.uploads import Received, Upload


def with_fields(photo: Photo, message: pb.Photo) -> Photo:
    """``photo`` with what callers may set as in ``message``."""
    return replace(
        photo,
        tags=tuple(message.tags),
        alt_text=message.alt_text,
        caption=message.caption,
        rights=_rights(message.rights),
    )


def photo_message(photo: Photo) -> pb.Photo:
    """The photo for the wire."""
    picture = photo.picture
    return pb.Photo(
        name=photo.name,
        pillar=photo.pillar_name,
        file_name=photo.file_name,
        source_path=photo.source_path,
        sha256=picture.sha256,
        mime_type=picture.mime_type,
        size_bytes=picture.size_bytes,
        width=picture.width,
        height=picture.height,
        taken_time=timestamp(picture.taken_time),
        tags=photo.tags,
        alt_text=photo.alt_text,
        caption=photo.caption,
        usage=number(pb.Photo.Usage, "USAGE_", photo.usage),
        embedding=_embedding_message(photo.embedding),
        analysis=pb.PhotoAnalysis(measures=map(_measure_message, picture.measures)),
        rights=_rights_message(photo.rights) if photo.rights != Rights() else None,
        content_uri=_uri(photo, "content"),
        thumbnail_uri=_uri(photo, "thumbnail"),
        create_time=timestamp(photo.create_time),
        update_time=timestamp(photo.update_time),
        etag=str(photo.version),
        scene=photo.scene,
        filing=_filing_message(photo),
    )


def upload_of(header: service_pb.PhotoUpload) -> Upload:
    """What the header of an upload asks for. Raises NotFound for somebody else's pillar."""
    persona = persona_id(header.parent, "header.parent")
    pillar = pillar_of(persona, header.pillar, "header.pillar") if header.pillar else ""
    return Upload(
        persona=persona,
        pillar=pillar,
        file_name=header.file_name,
        source_path=header.source_path,
        tags=tuple(header.tags),
        sha256=header.sha256,
        validate_only=header.validate_only,
    )


def received_message(received: Received) -> service_pb.UploadPhotoResponse:
    """The answer to an upload. What is not stored has neither name nor times."""
    photo = photo_message(received.photo)
    if not received.photo.id:
        for field in ("create_time", "update_time", "etag"):
            photo.ClearField(field)
    return service_pb.UploadPhotoResponse(photo=photo, duplicate=received.duplicate)


def media_info(media: Media) -> service_pb.ReadPhotoMediaResponse:
    """The first message of a rendition."""
    info = service_pb.MediaInfo(
        mime_type=media.mime_type,
        size_bytes=media.size_bytes,
        etag=media.etag,
        create_time=timestamp(media.create_time),
    )
    return service_pb.ReadPhotoMediaResponse(info=info)


def _uri(photo: Photo, what: str) -> str:
    return f"/v1/{photo.name}/{what}" if photo.id else ""


def _rights(message: pb.UsageRights) -> Rights:
    return Rights(
        embargo_time=moment(message, "embargo_time", "photo.rights.embargo_time"),
        expire_time=moment(message, "expire_time", "photo.rights.expire_time"),
        notice=message.notice,
        held=message.held,
    )


def _rights_message(rights: Rights) -> pb.UsageRights:
    return pb.UsageRights(
        embargo_time=timestamp(rights.embargo_time),
        expire_time=timestamp(rights.expire_time),
        notice=rights.notice,
        held=rights.held,
    )


def _embedding_message(embedding: Embedding) -> pb.PhotoEmbedding:
    message = pb.PhotoEmbedding(
        state=number(pb.PhotoEmbedding.State, "STATE_", embedding.state),
        model=embedding.model,
        revision=embedding.revision,
    )
    if embedding.error_reason:
        why = FailedPrecondition(embedding.error_message, reason=embedding.error_reason)
        message.error.CopyFrom(to_status(why))
    return message


def _filing_message(photo: Photo) -> pb.Filing:
    filing = photo.filing
    proposals = (
        pb.PillarProposal(pillar=PILLAR.format(photo.persona, p.pillar), confidence=p.confidence)
        for p in filing.alternatives
    )
    return pb.Filing(
        state=number(pb.Filing.State, "STATE_", filing.state),
        confidence=filing.confidence,
        reason=filing.reason,
        alternatives=proposals,
    )


def _measure_message(measure: Measure) -> pb.PhotoMeasure:
    ready = pb.PhotoMeasure.STATE_READY
    return pb.PhotoMeasure(id=measure.id, state=ready, value=measure.value)
