"""Shards of large runs, and where their items ended."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

SCHEMA = "clustering"


def upgrade() -> None:
    """Adds the tables, and an index to read a scope in the order of its vectors."""
    op.create_index(
        "ix_items_scope_point_id", "items", ["scope", "point_id"], unique=False, schema=SCHEMA
    )
    op.create_table(
        "shards",
        sa.Column("run_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("last", sa.Text(), server_default="", nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("recipes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("result", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'done')", name="ck_shards_state"),
        sa.ForeignKeyConstraint(
            ["run_id"], [f"{SCHEMA}.runs.id"], name="fk_shards_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_shards"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_shards_waiting",
        "shards",
        ["run_id", "number"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "placements",
        sa.Column("run_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("point_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("label", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("similarity", sa.REAL(), server_default="0", nullable=False),
        sa.Column("copy_of", sa.Uuid(as_uuid=False), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "point_id", name="pk_placements"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_placements_copies",
        "placements",
        ["run_id", "copy_of"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("copy_of IS NOT NULL"),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("placements", schema=SCHEMA)
    op.drop_table("shards", schema=SCHEMA)
    op.drop_index("ix_items_scope_point_id", "items", schema=SCHEMA)
