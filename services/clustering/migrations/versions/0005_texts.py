"""Texts of any caller, and items that are closed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

SCHEMA = "clustering"


def upgrade() -> None:
    """Adds the tables; an item may be closed from now on."""
    _allow_states("'live', 'closed', 'deleted'")
    op.create_table(
        "texts",
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("metadata", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("repository", sa.Text(), server_default="", nullable=False),
        sa.Column("text_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("truncated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("source_time", sa.DateTime(timezone=True), nullable=True),
        _now("create_time"),
        _now("update_time"),
        # Only looked at on commit: the text is the one to come first, as its key is unique.
        sa.ForeignKeyConstraint(
            ["item"],
            [f"{SCHEMA}.items.name"],
            name="fk_texts_item",
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("item", name="pk_texts"),
        schema=SCHEMA,
    )
    op.create_index(
        "uq_texts_scope_source_external_id",
        "texts",
        ["scope", "source", "external_id"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("external_id <> ''"),
    )
    listed = ["scope", "create_time", "item"]
    op.create_index("ix_texts_scope_create_time_item", "texts", listed, schema=SCHEMA)
    told: list[Any] = ["scope", sa.text("coalesce(source_time, create_time)"), "item"]
    op.create_index("ix_texts_scope_source_time_item", "texts", told, schema=SCHEMA)
    op.create_table(
        "leavers",
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), server_default="", nullable=False),
        _now("create_time"),
        sa.ForeignKeyConstraint(
            ["item"], [f"{SCHEMA}.items.name"], name="fk_leavers_item", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("item", name="pk_leavers"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drops them; what was closed counts as deleted."""
    # A statement over all items may take longer than others are allowed to.
    op.execute("SET LOCAL statement_timeout = 0")
    op.drop_table("leavers", schema=SCHEMA)
    op.drop_table("texts", schema=SCHEMA)
    op.execute(f"UPDATE {SCHEMA}.items SET state = 'deleted' WHERE state = 'closed'")
    _allow_states("'live', 'deleted'")


def _allow_states(states: str) -> None:
    op.drop_constraint(op.f("ck_items_state"), "items", schema=SCHEMA)
    op.create_check_constraint(
        op.f("ck_items_state"), "items", f"state IN ({states})", schema=SCHEMA
    )


def _now(name: str) -> sa.Column[object]:
    moment = sa.DateTime(timezone=True)
    return sa.Column(name, moment, server_default=sa.func.now(), nullable=False)
