"""A photo as a row and back."""

from typing import Any

from services.catalog.domain.photo import (
    Embedding,
    EmbeddingState,
    Filing,
    FilingState,
    Measure,
    Photo,
    PhotoState,
    Picture,
    Proposal,
    Rights,
    Usage,
)
from services.catalog.repository.rows import Document

_MEASURES = Document(tuple[Measure, ...])
_PROPOSALS = Document(tuple[Proposal, ...])


def values_of(photo: Photo) -> dict[str, Any]:
    """The columns of the photo's row."""
    return {
        "id": photo.id,
        "persona_id": photo.persona,
        "pillar_id": photo.pillar,
        "file_name": photo.file_name,
        "source_path": photo.source_path,
        "tags": list(photo.tags),
        "alt_text": photo.alt_text,
        "caption": photo.caption,
        "state": photo.state,
        "usage": photo.usage,
        "posted_time": photo.posted_time,
        "scene": photo.scene,
        "create_time": photo.create_time,
        "update_time": photo.update_time,
        "version": photo.version,
        **_picture_values(photo.picture),
        **_embedding_values(photo.embedding),
        **filing_values(photo.filing),
        **_rights_values(photo.rights),
    }


def photo_of(row: Any) -> Photo:
    """The photo of a row."""
    return Photo(
        persona=row.persona_id,
        id=row.id,
        pillar=row.pillar_id,
        picture=_picture(row),
        create_time=row.create_time,
        update_time=row.update_time,
        scene=row.scene,
        file_name=row.file_name,
        source_path=row.source_path,
        tags=tuple(row.tags),
        alt_text=row.alt_text,
        caption=row.caption,
        state=PhotoState(row.state),
        usage=Usage(row.usage),
        posted_time=row.posted_time,
        embedding=_embedding(row),
        filing=_filing(row),
        rights=Rights(row.embargo_time, row.expire_time, row.rights_notice, row.held),
        version=row.version,
    )


def filing_values(filing: Filing) -> dict[str, Any]:
    """The columns that tell how a photo came to its pillar."""
    return {
        "filing_state": filing.state,
        "filing_confidence": filing.confidence,
        "filing_reason": filing.reason,
        "filing_alternatives": _PROPOSALS.store(filing.alternatives),
    }


def _picture_values(picture: Picture) -> dict[str, Any]:
    return {
        "sha256": picture.sha256,
        "mime_type": picture.mime_type,
        "size_bytes": picture.size_bytes,
        "width": picture.width,
        "height": picture.height,
        "thumbnail_sha256": picture.thumbnail_sha256,
        "taken_time": picture.taken_time,
        "measures": _MEASURES.store(picture.measures),
        "quality": picture.quality,
    }


def _embedding_values(embedding: Embedding) -> dict[str, Any]:
    return {
        "embedding_state": embedding.state,
        "embedding_model": embedding.model,
        "embedding_revision": embedding.revision,
        "embedding_error_reason": embedding.error_reason,
        "embedding_error_message": embedding.error_message,
    }


def _rights_values(rights: Rights) -> dict[str, Any]:
    return {
        "embargo_time": rights.embargo_time,
        "expire_time": rights.expire_time,
        "rights_notice": rights.notice,
        "held": rights.held,
    }


def _picture(row: Any) -> Picture:
    return Picture(
        sha256=row.sha256,
        mime_type=row.mime_type,
        size_bytes=row.size_bytes,
        width=row.width,
        height=row.height,
        thumbnail_sha256=row.thumbnail_sha256,
        taken_time=row.taken_time,
        measures=_MEASURES.load(row.measures),
    )


def _embedding(row: Any) -> Embedding:
    return Embedding(
        state=EmbeddingState(row.embedding_state),
        model=row.embedding_model,
        revision=row.embedding_revision,
        error_reason=row.embedding_error_reason,
        error_message=row.embedding_error_message,
    )


def _filing(row: Any) -> Filing:
    return Filing(
        state=FilingState(row.filing_state),
        confidence=row.filing_confidence,
        reason=row.filing_reason,
        alternatives=_PROPOSALS.load(row.filing_alternatives),
    )
