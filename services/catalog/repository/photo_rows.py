"""A photo as a row and back."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB

from services.catalog.domain.measures import Measures, completed
from services.catalog.domain.photo import (
    Embedding,
    EmbeddingState,
    Filing,
    FilingState,
    Lineage,
    Photo,
    PhotoPost,
    PhotoState,
    Picture,
    Proposal,
    Rights,
    Usage,
)
from services.catalog.repository.rows import Document
from services.catalog.tables import CANDIDATES, PHOTOS, POST_USES, RUNS, SUGGESTIONS

_MEASURES = Document(Measures, terse=True)
_POSTS = Document(tuple[PhotoPost, ...])
_LINEAGE = Document(Lineage)
_WINNER = sa.literal_column("'WINNER'", sa.Text)
_CANCELLED = sa.literal_column("'CANCELLED'", sa.Text)
_PROPOSALS = Document(tuple[Proposal, ...])


def photo_rows() -> sa.Select[Any]:
    """Photos with the posts that use them and what made them, in one statement.

    It has no parameters yet.
    """
    use = POST_USES.c
    fields = (use.post, use.state, use.posted_time)
    named: list[sa.ColumnElement[Any]] = []
    for field in fields:
        named += [sa.literal_column(f"'{field.name}'"), field]
    post = sa.func.jsonb_build_object(*named)
    posts = (
        sa.select(sa.func.jsonb_agg(post, type_=JSONB))
        .where(use.photo_id == PHOTOS.c.id, use.state != _CANCELLED)
        .scalar_subquery()
    )
    return sa.select(PHOTOS, posts.label("posts"), _lineage().label("lineage"))


def _lineage() -> sa.ScalarSelect[Any]:
    """What a photo was made by, as a document; the first run where several ended in it."""
    winner = sa.and_(CANDIDATES.c.run_id == RUNS.c.id, CANDIDATES.c.state == _WINNER)
    joined = RUNS.outerjoin(SUGGESTIONS, SUGGESTIONS.c.id == RUNS.c.suggestion_id).outerjoin(
        CANDIDATES, winner
    )
    ids = {
        "run": RUNS.c.id,
        "suggestion": RUNS.c.suggestion_id,
        "campaign": SUGGESTIONS.c.campaign_id,
        "candidate": CANDIDATES.c.id,
    }
    named: list[sa.ColumnElement[Any]] = []
    for name, column in ids.items():
        named += [sa.literal_column(f"'{name}'"), column]
    made = sa.func.jsonb_strip_nulls(sa.func.jsonb_build_object(*named), type_=JSONB)
    return (
        sa.select(made)
        .select_from(joined)
        .where(RUNS.c.photo_id == PHOTOS.c.id)
        .order_by(RUNS.c.create_time, RUNS.c.id)
        .limit(sa.literal_column("1"))
        .correlate(PHOTOS)
        .scalar_subquery()
    )


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
        **picture_values(photo.picture),
        "quality": photo.picture.quality,
        **_embedding_values(photo.embedding),
        **filing_values(photo.filing),
        **_rights_values(photo.rights),
    }


def rewritten(photos: Sequence[Photo]) -> sa.Update:
    """One statement that saves these photos; their values go as JSON, arrays among them."""
    values = [values_of(photo) for photo in photos]
    names = [name for name in values[0] if name not in ("id", "persona_id")]
    columns = [sa.column(name, PHOTOS.c[name].type) for name in ("id", *names)]
    given = sa.func.jsonb_to_recordset(sa.cast(_as_json(values), JSONB))
    new = given.table_valued(*columns, name="new").render_derived(with_types=True)
    return (
        PHOTOS.update().where(PHOTOS.c.id == new.c.id).values({name: new.c[name] for name in names})
    )


def _as_json(values: list[dict[str, Any]]) -> Any:
    """Values as JSON can hold them: times become texts."""
    return TypeAdapter(list[dict[str, Any]]).dump_python(values, mode="json")


def photo_of(row: Any) -> Photo:
    """The photo of a row."""
    return Photo(
        persona=row.persona_id,
        id=row.id,
        pillar=row.pillar_id,
        picture=picture_of(row),
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
        posts=_posts(row.posts),
        lineage=_LINEAGE.load(row.lineage or {}),
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


def picture_values(picture: Picture) -> dict[str, Any]:
    """The columns that tell what the bytes are."""
    return {
        "sha256": picture.sha256,
        "mime_type": picture.mime_type,
        "size_bytes": picture.size_bytes,
        "width": picture.width,
        "height": picture.height,
        "thumbnail_sha256": picture.thumbnail_sha256,
        "taken_time": picture.taken_time,
        "measures": _MEASURES.store(picture.measures),
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


def picture_of(row: Any) -> Picture:
    """The picture of a row of a photo or a candidate."""
    return Picture(
        sha256=row.sha256,
        mime_type=row.mime_type,
        size_bytes=row.size_bytes,
        width=row.width,
        height=row.height,
        thumbnail_sha256=row.thumbnail_sha256,
        taken_time=row.taken_time,
        measures=completed(_MEASURES.load(row.measures)),
    )


def _embedding(row: Any) -> Embedding:
    return Embedding(
        state=EmbeddingState(row.embedding_state),
        model=row.embedding_model,
        revision=row.embedding_revision,
        error_reason=row.embedding_error_reason,
        error_message=row.embedding_error_message,
    )


def _posts(document: object) -> tuple[PhotoPost, ...]:
    """The posts, newest first: their ids grow with time."""
    posts = _POSTS.load(document or ())
    return tuple(sorted(posts, key=lambda post: post.post, reverse=True))


def _filing(row: Any) -> Filing:
    return Filing(
        state=FilingState(row.filing_state),
        confidence=row.filing_confidence,
        reason=row.filing_reason,
        alternatives=_PROPOSALS.load(row.filing_alternatives),
    )
