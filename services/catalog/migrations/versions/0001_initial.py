"""Personas, pillars, photos, gap reports."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.ddl import create_support_tables, drop_support_tables

revision = "0001"
down_revision = None

SCHEMA = "catalog"


def upgrade() -> None:
    create_support_tables(SCHEMA)
    _create_personas()
    _create_pillars()
    _create_photos()
    _index_photos()
    _create_post_uses()
    _create_gap_reports()
    op.create_table(
        "unused_blobs",
        sa.Column("key", sa.Text, primary_key=True),
        _moment("since", nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    for table in ("unused_blobs", "gap_reports", "post_uses", "photos", "pillars", "personas"):
        op.drop_table(table, schema=SCHEMA)
    drop_support_tables(SCHEMA)


def _moment(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _times() -> list[sa.Column[Any]]:
    return [
        _moment("create_time", nullable=False),
        _moment("update_time", nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    ]


def _create_personas() -> None:
    op.create_table(
        "personas",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("display_key", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        _text("voice"),
        sa.Column("caption_config", JSONB),
        sa.Column("hashtag_strategy", JSONB),
        sa.Column("cadence", JSONB),
        sa.Column("state", sa.Text, nullable=False),
        *_times(),
        sa.UniqueConstraint("display_key", name="personas_display_key"),
        sa.CheckConstraint("state IN ('ACTIVE', 'ARCHIVED')", name="personas_state_check"),
        schema=SCHEMA,
    )
    op.create_index("personas_listed", "personas", ["create_time", "id"], schema=SCHEMA)


def _create_pillars() -> None:
    op.create_table(
        "pillars",
        sa.Column("persona_id", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("display_key", sa.Text, nullable=False),
        _text("description"),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("posts_per_week", sa.Integer),
        _moment("start_time"),
        _moment("end_time"),
        sa.Column("guidelines", JSONB),
        sa.Column("state", sa.Text, nullable=False),
        *_times(),
        sa.ForeignKeyConstraint(
            ["persona_id"],
            [f"{SCHEMA}.personas.id"],
            name="pillars_persona_fkey",
        ),
        sa.UniqueConstraint("persona_id", "display_key", name="pillars_display_key"),
        sa.CheckConstraint("state IN ('ACTIVE', 'INACTIVE')", name="pillars_state_check"),
        sa.CheckConstraint("weight BETWEEN 0 AND 100", name="pillars_weight_check"),
        sa.CheckConstraint("priority BETWEEN 1 AND 5", name="pillars_priority_check"),
        sa.CheckConstraint("end_time > start_time", name="pillars_time_check"),
        schema=SCHEMA,
    )
    op.create_index("pillars_listed", "pillars", ["persona_id", "create_time", "id"], schema=SCHEMA)


def _create_photos() -> None:
    op.create_table(
        "photos",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("persona_id", sa.Text, nullable=False),
        sa.Column("pillar_id", sa.Text, nullable=False),
        _text("file_name"),
        _text("source_path"),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("mime_type", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("thumbnail_sha256", sa.Text, nullable=False),
        _moment("taken_time"),
        sa.Column("measures", JSONB, nullable=False),
        sa.Column("tags", ARRAY(sa.Text), nullable=False),
        _text("alt_text"),
        _text("caption"),
        sa.Column("usage", sa.Text, nullable=False, server_default="UNUSED"),
        _moment("posted_time"),
        sa.Column("embedding_state", sa.Text, nullable=False, server_default="PENDING"),
        _text("embedding_model"),
        _text("embedding_revision"),
        _text("embedding_error_reason"),
        _text("embedding_error_message"),
        sa.Column("scene", sa.Uuid, nullable=False),
        _moment("embargo_time"),
        _moment("expire_time"),
        _text("rights_notice"),
        sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()),
        *_times(),
        *_rules_of_photos(),
        schema=SCHEMA,
    )


def _rules_of_photos() -> list[sa.Constraint]:
    return [
        # Two columns, so that a photo cannot be filed under a pillar of somebody else.
        sa.ForeignKeyConstraint(
            ["persona_id", "pillar_id"],
            [f"{SCHEMA}.pillars.persona_id", f"{SCHEMA}.pillars.id"],
            name="photos_pillar_fkey",
        ),
        sa.UniqueConstraint("sha256", "persona_id", name="photos_content_key"),
        sa.CheckConstraint("usage IN ('UNUSED', 'SCHEDULED', 'POSTED')", name="photos_usage_check"),
        sa.CheckConstraint(
            "usage <> 'POSTED' OR posted_time IS NOT NULL", name="photos_posted_time_check"
        ),
        sa.CheckConstraint(
            "embedding_state IN ('PENDING', 'READY', 'FAILED')",
            name="photos_embedding_state_check",
        ),
        sa.CheckConstraint("cardinality(tags) <= 20", name="photos_tags_check"),
    ]


def _index_photos() -> None:
    listed = ["create_time", "id"]
    indexes = {
        "photos_listed": ["persona_id", *listed],
        "photos_of_pillar": ["persona_id", "pillar_id", *listed],
        "photos_of_usage": ["persona_id", "usage", *listed],
        "photos_of_scene": ["persona_id", "scene"],
        "photos_of_thumbnail": ["thumbnail_sha256"],
    }
    for name, columns in indexes.items():
        op.create_index(name, "photos", columns, schema=SCHEMA)
    op.create_index(
        "photos_not_embedded",
        "photos",
        ["persona_id", "embedding_state", *listed],
        schema=SCHEMA,
        postgresql_where=sa.text("embedding_state <> 'READY'"),
    )
    op.create_index(
        "photos_of_file_name",
        "photos",
        ["persona_id", "file_name"],
        schema=SCHEMA,
        postgresql_ops={"file_name": "text_pattern_ops"},
    )
    op.create_index("photos_of_tags", "photos", ["tags"], schema=SCHEMA, postgresql_using="gin")


def _create_post_uses() -> None:
    op.create_table(
        "post_uses",
        sa.Column("photo_id", sa.Uuid, primary_key=True),
        sa.Column("post", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        _moment("posted_time"),
        sa.Column("post_version", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["photo_id"],
            [f"{SCHEMA}.photos.id"],
            name="post_uses_photo_fkey",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )


def _create_gap_reports() -> None:
    op.create_table(
        "gap_reports",
        sa.Column("persona_id", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("body", JSONB, nullable=False),
        _moment("create_time", nullable=False),
        sa.ForeignKeyConstraint(
            ["persona_id"],
            [f"{SCHEMA}.personas.id"],
            name="gap_reports_persona_fkey",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "gap_reports_listed", "gap_reports", ["persona_id", "create_time", "id"], schema=SCHEMA
    )
