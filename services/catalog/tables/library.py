"""Personas, pillars, photos and what is known of them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.catalog.domain.persona import PersonaState
from services.catalog.domain.photo import EmbeddingState, FilingState, PhotoState, Usage
from services.catalog.domain.pillar import PillarState
from services.catalog.tables.base import ID, METADATA, MOMENT, one_of, text, times

PERSONAS = sa.Table(
    "personas",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("display_key", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    text("voice"),
    sa.Column("caption_config", JSONB(none_as_null=True)),
    sa.Column("hashtag_strategy", JSONB(none_as_null=True)),
    sa.Column("cadence", JSONB(none_as_null=True)),
    sa.Column("state", sa.Text, nullable=False),
    *times(),
    sa.UniqueConstraint("display_key", name="personas_display_key"),
    sa.CheckConstraint(one_of("state", PersonaState), name="personas_state_check"),
    sa.Index("personas_listed", "create_time", "id"),
)

PILLARS = sa.Table(
    "pillars",
    METADATA,
    sa.Column("persona_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("display_key", sa.Text, nullable=False),
    text("description"),
    sa.Column("weight", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("posts_per_week", sa.Integer),
    sa.Column("start_time", MOMENT),
    sa.Column("end_time", MOMENT),
    sa.Column("guidelines", JSONB(none_as_null=True)),
    sa.Column("state", sa.Text, nullable=False),
    *times(),
    sa.ForeignKeyConstraint(["persona_id"], [PERSONAS.c.id], name="pillars_persona_fkey"),
    sa.UniqueConstraint("persona_id", "display_key", name="pillars_display_key"),
    sa.CheckConstraint(one_of("state", PillarState), name="pillars_state_check"),
    sa.CheckConstraint("weight BETWEEN 0 AND 100", name="pillars_weight_check"),
    sa.CheckConstraint("priority BETWEEN 1 AND 5", name="pillars_priority_check"),
    sa.CheckConstraint("end_time > start_time", name="pillars_time_check"),
    sa.Index("pillars_listed", "persona_id", "create_time", "id"),
)

PHOTOS = sa.Table(
    "photos",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("pillar_id", sa.Text, nullable=False),
    text("file_name"),
    text("source_path"),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("mime_type", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("thumbnail_sha256", sa.Text, nullable=False),
    sa.Column("taken_time", MOMENT),
    sa.Column("measures", JSONB, nullable=False),
    sa.Column("quality", sa.Double),
    # When pending measures are to be made; after each try it moves on. Null: none is pending.
    sa.Column("measure_due", MOMENT),
    sa.Column("measure_attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("tags", ARRAY(sa.Text), nullable=False),
    text("alt_text"),
    text("caption"),
    sa.Column("state", sa.Text, nullable=False, server_default=PhotoState.ACTIVE),
    sa.Column("usage", sa.Text, nullable=False, server_default=Usage.UNUSED),
    sa.Column("posted_time", MOMENT),
    sa.Column("embedding_state", sa.Text, nullable=False, server_default=EmbeddingState.PENDING),
    text("embedding_model"),
    text("embedding_revision"),
    text("embedding_error_reason"),
    text("embedding_error_message"),
    sa.Column("filing_state", sa.Text, nullable=False, server_default=FilingState.CONFIRMED),
    sa.Column("filing_confidence", sa.Double, nullable=False, server_default=sa.text("0")),
    text("filing_reason"),
    sa.Column("filing_alternatives", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.Column("scene", ID, nullable=False),
    sa.Column("embargo_time", MOMENT),
    sa.Column("expire_time", MOMENT),
    text("rights_notice"),
    sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()),
    *times(),
    # Two columns, so that a photo cannot be filed under a pillar of somebody else.
    sa.ForeignKeyConstraint(
        ["persona_id", "pillar_id"],
        [PILLARS.c.persona_id, PILLARS.c.id],
        name="photos_pillar_fkey",
    ),
    sa.UniqueConstraint("sha256", "persona_id", name="photos_content_key"),
    sa.CheckConstraint(one_of("state", PhotoState), name="photos_state_check"),
    sa.CheckConstraint(one_of("usage", Usage), name="photos_usage_check"),
    sa.CheckConstraint(
        "usage <> 'POSTED' OR posted_time IS NOT NULL", name="photos_posted_time_check"
    ),
    sa.CheckConstraint(
        one_of("embedding_state", EmbeddingState), name="photos_embedding_state_check"
    ),
    sa.CheckConstraint("cardinality(tags) <= 20", name="photos_tags_check"),
    sa.CheckConstraint(one_of("filing_state", FilingState), name="photos_filing_state_check"),
    sa.CheckConstraint("filing_confidence BETWEEN 0 AND 1", name="photos_filing_confidence_check"),
    sa.Index("photos_listed", "persona_id", "create_time", "id"),
    sa.Index("photos_of_pillar", "persona_id", "pillar_id", "create_time", "id"),
    sa.Index("photos_of_usage", "persona_id", "usage", "create_time", "id"),
    sa.Index("photos_of_state", "persona_id", "state", "create_time", "id"),
    # One expression, so that a page of photos that have no quality can follow one of those that do.
    sa.Index(
        "photos_by_quality", "persona_id", sa.text("coalesce(quality, -1)"), "create_time", "id"
    ),
    sa.Index(
        "photos_to_measure", "measure_due", postgresql_where=sa.text("measure_due IS NOT NULL")
    ),
    sa.Index(
        "photos_not_embedded",
        "persona_id",
        "embedding_state",
        "create_time",
        "id",
        postgresql_where=sa.text("embedding_state <> 'READY'"),
    ),
    # The inbox, and what is still to be looked at.
    sa.Index(
        "photos_not_settled",
        "persona_id",
        "filing_state",
        "create_time",
        "id",
        postgresql_where=sa.text("filing_state IN ('PENDING', 'REVIEW')"),
    ),
    sa.Index(
        "photos_of_file_name",
        "persona_id",
        "file_name",
        # For prefixes too, whatever the collation.
        postgresql_ops={"file_name": "text_pattern_ops"},
    ),
    sa.Index("photos_of_tags", "tags", postgresql_using="gin"),
    sa.Index("photos_of_scene", "persona_id", "scene"),
    sa.Index("photos_of_thumbnail", "thumbnail_sha256"),
)

POST_USES = sa.Table(
    "post_uses",
    METADATA,
    sa.Column("photo_id", ID, primary_key=True),
    sa.Column("post", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("posted_time", MOMENT),
    sa.Column("post_version", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(
        ["photo_id"], [PHOTOS.c.id], name="post_uses_photo_fkey", ondelete="CASCADE"
    ),
)

# The photos that came nearest to one when it was embedded; ``similarity`` is a cosine, ``distance``
# what it means for the model (domain.filing).
PHOTO_NEIGHBOURS = sa.Table(
    "photo_neighbours",
    METADATA,
    sa.Column("photo_id", ID, primary_key=True),
    sa.Column("neighbour_id", ID, primary_key=True),
    sa.Column("similarity", sa.REAL, nullable=False),
    sa.Column("distance", sa.REAL, nullable=False),
    sa.ForeignKeyConstraint(
        ["photo_id"], [PHOTOS.c.id], name="photo_neighbours_photo_fkey", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(
        ["neighbour_id"],
        [PHOTOS.c.id],
        name="photo_neighbours_neighbour_fkey",
        ondelete="CASCADE",
    ),
    sa.Index("photo_neighbours_of_neighbour", "neighbour_id"),
)

GAP_REPORTS = sa.Table(
    "gap_reports",
    METADATA,
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("id", ID, primary_key=True),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("create_time", MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["persona_id"], [PERSONAS.c.id], name="gap_reports_persona_fkey", ondelete="CASCADE"
    ),
    sa.Index("gap_reports_listed", "persona_id", "create_time", "id"),
)

UNUSED_BLOBS = sa.Table(
    "unused_blobs",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("since", MOMENT, nullable=False),
)
