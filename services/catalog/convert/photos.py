"""Photos, uploads and their bytes."""

from dataclasses import replace

from colonnade.catalog.v1 import catalog_service_pb2 as service_pb
from colonnade.catalog.v1 import photo_pb2 as pb
from google.rpc.status_pb2 import Status

from libs.errors import FailedPrecondition, InvalidArgument
from libs.rpc.status import to_status
from services.catalog.convert.values import moment, number, timestamp
from services.catalog.domain.measures import Measure
from services.catalog.domain.names import (
    CAMPAIGN,
    CANDIDATE,
    PHOTO,
    PILLAR,
    RUN,
    SUGGESTION,
    persona_id,
    photo_import_of,
    pillar_of,
)
from services.catalog.domain.photo import Embedding, Lineage, Photo, PhotoPost, Rights, TagCount
from services.catalog.usecases.batches import Outcome
from services.catalog.usecases.media import Media
from services.catalog.usecases.signed_urls import SignedUrl
from services.catalog.usecases.uploads import Received, Upload

MAX_POSTS = 20


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
        state=number(pb.Photo.State, "STATE_", photo.state),
        filing=_filing_message(photo),
        posts=map(_post_message, photo.posts[:MAX_POSTS]),
        quality=picture.quality,
        lineage=_lineage_message(photo) if photo.lineage != Lineage() else None,
    )


def tag_message(count: TagCount) -> service_pb.PhotoTag:
    """A tag and its count for the wire."""
    return service_pb.PhotoTag(tag=count.tag, photo_count=count.photos)


def result_message(outcome: Outcome) -> pb.PhotoResult:
    """What became of one photo of a batch, for the wire."""
    return pb.PhotoResult(
        name=outcome.name,
        status=to_status(outcome.problem) if outcome.problem else Status(),
        photo=photo_message(outcome.photo) if outcome.photo else None,
    )


def upload_of(header: service_pb.PhotoUpload) -> Upload:
    """What the header of an upload asks for.

    Raises NotFound for somebody else's pillar or import, InvalidArgument for one without a path.
    """
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
        photo_import=_photo_import(header, persona),
        fingerprint=header.fingerprint,
    )


def _photo_import(header: service_pb.PhotoUpload, persona: str) -> str:
    if not header.photo_import:
        return ""
    if not header.source_path:
        raise InvalidArgument.of("header.source_path", "an import notes each file by its path")
    return photo_import_of(persona, header.photo_import, "header.photo_import")


def received_message(received: Received) -> service_pb.UploadPhotoResponse:
    """The answer to an upload. What is not stored has neither name nor times."""
    photo = photo_message(received.photo)
    if not received.photo.id:
        for field in ("create_time", "update_time", "etag"):
            photo.ClearField(field)
    return service_pb.UploadPhotoResponse(photo=photo, duplicate=received.duplicate)


def media_info(media: Media) -> service_pb.ReadPhotoMediaResponse:
    """The first message of a rendition."""
    return service_pb.ReadPhotoMediaResponse(info=media_of(media))


def signed_media_info(media: Media) -> service_pb.ReadSignedPhotoMediaResponse:
    """The same of a signed address."""
    return service_pb.ReadSignedPhotoMediaResponse(info=media_of(media))


def signed_url_message(url: SignedUrl) -> service_pb.SignedPhotoUrl:
    """The address as the gateway serves it."""
    return service_pb.SignedPhotoUrl(
        photo=PHOTO.format(*url.photo),
        uri=f"/p/{url.token}",
        expire_time=timestamp(url.expire_time),
    )


def media_of(media: Media) -> service_pb.MediaInfo:
    """What there is of a rendition."""
    return service_pb.MediaInfo(
        mime_type=media.mime_type,
        size_bytes=media.size_bytes,
        etag=media.etag,
        create_time=timestamp(media.create_time),
    )


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
        message.error.CopyFrom(_failure(embedding.error_reason, embedding.error_message))
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


def _post_message(post: PhotoPost) -> pb.PhotoPost:
    return pb.PhotoPost(post=post.post, state=post.state, posted_time=timestamp(post.posted_time))


def _lineage_message(photo: Photo) -> pb.Lineage:
    lineage, persona = photo.lineage, photo.persona
    won = lineage.run and lineage.candidate
    return pb.Lineage(
        suggestion=SUGGESTION.format(persona, lineage.suggestion) if lineage.suggestion else "",
        run=RUN.format(persona, lineage.run),
        candidate=CANDIDATE.format(persona, lineage.run, lineage.candidate) if won else "",
        campaign=CAMPAIGN.format(persona, lineage.campaign) if lineage.campaign else "",
    )


def _measure_message(measure: Measure) -> pb.PhotoMeasure:
    message = pb.PhotoMeasure(
        id=measure.id,
        state=number(pb.PhotoMeasure.State, "STATE_", measure.state),
        value=measure.value or 0.0,
        text=measure.text,
    )
    if measure.error_reason:
        message.error.CopyFrom(_failure(measure.error_reason, measure.error_message))
    return message


def _failure(reason: str, message: str) -> Status:
    return to_status(FailedPrecondition(message, reason=reason))
