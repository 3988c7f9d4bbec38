"""Suggestions, their batches, and runs."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0005"
down_revision = "0004"

SCHEMA = "catalog"
_LISTED = ["persona_id", "create_time", "id"]


def upgrade() -> None:
    _create_batches()
    _create_suggestions()
    _create_runs()


def downgrade() -> None:
    for table in ("runs", "suggestions", "suggestion_batches"):
        op.drop_table(table, schema=SCHEMA)


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


def _create_batches() -> None:
    op.create_table(
        "suggestion_batches",
        sa.Column("persona_id", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("pillars", ARRAY(sa.Text), nullable=False),
        sa.Column("gap_report_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("written", sa.Integer, nullable=False),
        sa.Column("exhausted", sa.Boolean, nullable=False),
        _text("trouble_reason"),
        _text("trouble_message"),
        sa.Column("attempt", sa.Integer, nullable=False),
        _moment("create_time", nullable=False),
        _moment("end_time"),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_token", sa.BigInteger, nullable=False, server_default="0"),
        _moment("lease_expire_time"),
        sa.ForeignKeyConstraint(
            ["persona_id"],
            [f"{SCHEMA}.personas.id"],
            name="suggestion_batches_persona_fkey",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED')",
            name="suggestion_batches_state_check",
        ),
        schema=SCHEMA,
    )
    op.create_index("suggestion_batches_listed", "suggestion_batches", _LISTED, schema=SCHEMA)
    op.create_index(
        "suggestion_batches_waiting",
        "suggestion_batches",
        ["create_time"],
        schema=SCHEMA,
        postgresql_where=sa.text("state IN ('QUEUED', 'RUNNING')"),
    )


def _create_suggestions() -> None:
    op.create_table(
        "suggestions",
        sa.Column("persona_id", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("pillar_id", sa.Text, nullable=False),
        sa.Column("batch_id", sa.Uuid),
        sa.Column("gap_report_id", sa.Uuid),
        sa.Column("campaign_id", sa.Uuid),
        sa.Column("title", sa.Text, nullable=False),
        _text("description"),
        _text("prompt"),
        sa.Column("keywords", ARRAY(sa.Text), nullable=False),
        _text("reason"),
        sa.Column("gap", sa.Double, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("nearest", ARRAY(sa.Uuid), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        _text("reject_reason"),
        sa.Column("inputs", JSONB, nullable=False),
        *_times(),
        *_suggestion_constraints(),
        schema=SCHEMA,
    )
    indexes = {
        "suggestions_listed": _LISTED,
        "suggestions_of_pillar": ["persona_id", "pillar_id", "create_time", "id"],
        "suggestions_of_state": ["persona_id", "state", "create_time", "id"],
    }
    for name, columns in indexes.items():
        op.create_index(name, "suggestions", columns, schema=SCHEMA)
    op.create_index(
        "suggestions_of_campaign",
        "suggestions",
        ["campaign_id"],
        schema=SCHEMA,
        postgresql_where=sa.text("campaign_id IS NOT NULL"),
    )


def _suggestion_constraints() -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(
            ["persona_id", "pillar_id"],
            [f"{SCHEMA}.pillars.persona_id", f"{SCHEMA}.pillars.id"],
            name="suggestions_pillar_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            [f"{SCHEMA}.suggestion_batches.id"],
            name="suggestions_batch_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("batch_id", "rank", name="suggestions_rank_key"),
        sa.CheckConstraint(
            "state IN ('PENDING', 'USED', 'REJECTED', 'NEEDS_MANUAL')",
            name="suggestions_state_check",
        ),
    ]


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("persona_id", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid, primary_key=True),
        _text("display_name"),
        sa.Column("pillar_id", sa.Text),
        sa.Column("suggestion_id", sa.Uuid),
        _text("prompt"),
        sa.Column("state", sa.Text, nullable=False),
        *_times(),
        sa.ForeignKeyConstraint(
            ["persona_id"],
            [f"{SCHEMA}.personas.id"],
            name="runs_persona_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["persona_id", "pillar_id"],
            [f"{SCHEMA}.pillars.persona_id", f"{SCHEMA}.pillars.id"],
            name="runs_pillar_fkey",
            ondelete="SET NULL (pillar_id)",
        ),
        sa.ForeignKeyConstraint(
            ["suggestion_id"],
            [f"{SCHEMA}.suggestions.id"],
            name="runs_suggestion_fkey",
            ondelete="SET NULL",
        ),
        sa.UniqueConstraint("suggestion_id", name="runs_suggestion_key"),
        sa.CheckConstraint(
            "state IN ('RUNNING', 'WAITING', 'COMPLETED', 'FAILED', 'CANCELLED')",
            name="runs_state_check",
        ),
        schema=SCHEMA,
    )
    op.create_index("runs_listed", "runs", _LISTED, schema=SCHEMA)
    op.create_index(
        "runs_of_pillar", "runs", ["persona_id", "pillar_id", "create_time", "id"], schema=SCHEMA
    )
