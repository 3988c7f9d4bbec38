"""What people decide about clusters: curated ones, locked members, pins, merges, edits."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

SCHEMA = "clustering"
TABLES = ("cluster_edits", "cluster_pillars", "refusals")


def upgrade() -> None:
    """Adds the columns and tables."""
    _change_clusters()
    op.alter_column("members", "similarity", nullable=True, schema=SCHEMA)
    _index("ix_members_locked", "members", ["scope", "version"], where="locked")
    _index("ix_items_pending", "items", ["name"], where="state = 'pending'")
    op.create_table(
        "refusals",
        _cluster_id(),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('member', 'hero')", name="ck_refusals_kind"),
        _to_cluster("refusals"),
        sa.PrimaryKeyConstraint("cluster_id", "item", "kind", name="pk_refusals"),
        schema=SCHEMA,
    )
    _index("ix_refusals_item", "refusals", ["item"])
    _make_pillars()
    _make_edits()


def downgrade() -> None:
    """Drops them. Curated clusters and what is in them go; found ones stay."""
    for table in TABLES:
        op.drop_table(table, schema=SCHEMA)
    op.drop_index("ix_items_pending", "items", schema=SCHEMA)
    op.drop_index("ix_members_locked", "members", schema=SCHEMA)
    op.execute(f"DELETE FROM {SCHEMA}.clusters WHERE origin = 'curated'")
    op.execute(f"UPDATE {SCHEMA}.members SET similarity = 0 WHERE similarity IS NULL")
    op.alter_column("members", "similarity", nullable=False, schema=SCHEMA)
    op.drop_index("uq_clusters_scope_title", "clusters", schema=SCHEMA)
    for column in ("merge_pinned", "pinned_hero"):
        op.drop_column("clusters", column, schema=SCHEMA)


def _change_clusters() -> None:
    for column in (
        sa.Column("merge_pinned", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("pinned_hero", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("clusters", column, schema=SCHEMA)
    _index(
        "uq_clusters_scope_title",
        "clusters",
        ["scope", sa.text("lower(title)")],
        unique=True,
        where="title_pinned AND state <> 'retired'",
    )


def _make_pillars() -> None:
    op.create_table(
        "cluster_pillars",
        _cluster_id(),
        sa.Column("pillar", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("primary", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        _to_cluster("cluster_pillars"),
        sa.PrimaryKeyConstraint("cluster_id", "pillar", name="pk_cluster_pillars"),
        schema=SCHEMA,
    )
    _index(
        "uq_cluster_pillars_primary",
        "cluster_pillars",
        ["cluster_id"],
        unique=True,
        where='"primary"',
    )
    listed = ["scope", "create_time", "cluster_id", "pillar"]
    _index("ix_cluster_pillars_scope", "cluster_pillars", listed)


def _make_edits() -> None:
    op.create_table(
        "cluster_edits",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("clusters", postgresql.ARRAY(sa.Uuid(as_uuid=False)), nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undo_time", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('update', 'add_members', 'remove_members', 'merge', 'split', 'hero')",
            name="ck_cluster_edits_kind",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_cluster_edits"),
        schema=SCHEMA,
    )
    listed = ["scope", "create_time", "id"]
    _index("ix_cluster_edits_scope_create_time_id", "cluster_edits", listed)
    _index("ix_cluster_edits_kept", "cluster_edits", ["create_time"], where="before IS NOT NULL")


def _cluster_id() -> sa.Column[str]:
    return sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=False)


def _to_cluster(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["cluster_id"],
        [f"{SCHEMA}.clusters.id"],
        name=f"fk_{table}_cluster_id",
        ondelete="CASCADE",
    )


def _index(
    name: str, table: str, columns: Sequence[Any], *, unique: bool = False, where: str = ""
) -> None:
    condition: dict[str, Any] = {"postgresql_where": sa.text(where)} if where else {}
    op.create_index(name, table, columns, unique=unique, schema=SCHEMA, **condition)
