"""Suggestions, the batches in which they are written, and the runs that they become."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.lease import lease_columns
from services.catalog.domain.run import RunState
from services.catalog.domain.suggestion import BatchState, SuggestionState
from services.catalog.tables.base import ID, METADATA, MOMENT, one_of, text, times
from services.catalog.tables.library import PERSONAS, PHOTOS, PILLARS

SUGGESTION_BATCHES = sa.Table(
    "suggestion_batches",
    METADATA,
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("id", ID, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("pillars", ARRAY(sa.Text), nullable=False),
    sa.Column("gap_report_id", ID, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("written", sa.Integer, nullable=False),
    sa.Column("exhausted", sa.Boolean, nullable=False),
    text("trouble_reason"),
    text("trouble_message"),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("create_time", MOMENT, nullable=False),
    sa.Column("end_time", MOMENT),
    *lease_columns(),
    sa.ForeignKeyConstraint(
        ["persona_id"], [PERSONAS.c.id], name="suggestion_batches_persona_fkey", ondelete="CASCADE"
    ),
    sa.CheckConstraint(one_of("state", BatchState), name="suggestion_batches_state_check"),
    sa.Index("suggestion_batches_listed", "persona_id", "create_time", "id"),
    sa.Index(
        "suggestion_batches_waiting",
        "create_time",
        postgresql_where=sa.text("state IN ('QUEUED', 'RUNNING')"),
    ),
)

SUGGESTIONS = sa.Table(
    "suggestions",
    METADATA,
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("id", ID, primary_key=True),
    sa.Column("pillar_id", sa.Text, nullable=False),
    sa.Column("batch_id", ID),
    sa.Column("gap_report_id", ID),
    sa.Column("campaign_id", ID),
    sa.Column("title", sa.Text, nullable=False),
    text("description"),
    text("prompt"),
    sa.Column("keywords", ARRAY(sa.Text), nullable=False),
    text("reason"),
    sa.Column("gap", sa.Double, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("nearest", ARRAY(ID), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    text("reject_reason"),
    sa.Column("inputs", JSONB, nullable=False),
    *times(),
    # With its pillar goes what it would have filled it with.
    sa.ForeignKeyConstraint(
        ["persona_id", "pillar_id"],
        [PILLARS.c.persona_id, PILLARS.c.id],
        name="suggestions_pillar_fkey",
        ondelete="CASCADE",
    ),
    sa.ForeignKeyConstraint(
        ["batch_id"], [SUGGESTION_BATCHES.c.id], name="suggestions_batch_fkey", ondelete="CASCADE"
    ),
    # A worker that takes over a batch cannot write what the one before wrote already.
    sa.UniqueConstraint("batch_id", "rank", name="suggestions_rank_key"),
    sa.CheckConstraint(one_of("state", SuggestionState), name="suggestions_state_check"),
    sa.Index("suggestions_listed", "persona_id", "create_time", "id"),
    sa.Index("suggestions_of_pillar", "persona_id", "pillar_id", "create_time", "id"),
    sa.Index("suggestions_of_state", "persona_id", "state", "create_time", "id"),
    sa.Index(
        "suggestions_of_campaign",
        "campaign_id",
        postgresql_where=sa.text("campaign_id IS NOT NULL"),
    ),
)

RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("id", ID, primary_key=True),
    text("display_name"),
    sa.Column("pillar_id", sa.Text),
    sa.Column("suggestion_id", ID),
    text("prompt"),
    sa.Column("state", sa.Text, nullable=False),
    *times(),
    # A name that is kept and never looked up.
    text("cluster"),
    # What the winner became, and whether it was made for that.
    sa.Column("photo_id", ID),
    sa.Column("photo_made", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.ForeignKeyConstraint(
        ["persona_id"], [PERSONAS.c.id], name="runs_persona_fkey", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(
        ["photo_id"], [PHOTOS.c.id], name="runs_photo_fkey", ondelete="SET NULL"
    ),
    # A run outlives its pillar and its suggestion; it is then one without.
    sa.ForeignKeyConstraint(
        ["persona_id", "pillar_id"],
        [PILLARS.c.persona_id, PILLARS.c.id],
        name="runs_pillar_fkey",
        ondelete="SET NULL (pillar_id)",
    ),
    sa.ForeignKeyConstraint(
        ["suggestion_id"], [SUGGESTIONS.c.id], name="runs_suggestion_fkey", ondelete="SET NULL"
    ),
    sa.UniqueConstraint("suggestion_id", name="runs_suggestion_key"),
    sa.CheckConstraint(one_of("state", RunState), name="runs_state_check"),
    sa.Index("runs_listed", "persona_id", "create_time", "id"),
    sa.Index("runs_of_pillar", "persona_id", "pillar_id", "create_time", "id"),
    sa.Index(
        "runs_of_photo",
        "photo_id",
        "create_time",
        "id",
        postgresql_where=sa.text("photo_id IS NOT NULL"),
    ),
    sa.Index(
        "runs_waiting", "persona_id", "pillar_id", postgresql_where=sa.text("state = 'WAITING'")
    ),
    sa.Index(
        "runs_completed",
        "persona_id",
        "create_time",
        "id",
        postgresql_where=sa.text("state = 'COMPLETED'"),
    ),
)
