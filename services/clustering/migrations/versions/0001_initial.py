"""Items, their pairs and vector collections; runs; clusters in versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from libs.db.ddl import create_support_tables, drop_support_tables

revision = "0001"
down_revision = None

SCHEMA = "clustering"
TABLES = (
    "members",
    "cluster_versions",
    "clusters",
    "runs",
    "scopes",
    "near_pairs",
    "items",
    "collections",
)


def upgrade() -> None:
    """Makes the tables."""
    create_support_tables(SCHEMA)
    op.create_table(
        "clusters",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_pinned", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("prompt_hint", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("origin", sa.Text(), server_default="found", nullable=False),
        sa.Column("merged_into", sa.Text(), server_default="", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("origin IN ('found', 'curated')", name="ck_clusters_origin"),
        sa.CheckConstraint(
            "state IN ('active', 'draft', 'archived', 'retired')", name="ck_clusters_state"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_clusters"),
        schema=SCHEMA,
    )
    op.create_index(
        "uq_clusters_scope_key", "clusters", ["scope", "key"], unique=True, schema=SCHEMA
    )
    op.create_table(
        "collections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("scene_threshold", sa.Float(), nullable=False),
        sa.Column("duplicate_threshold", sa.Float(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_collections"),
        schema=SCHEMA,
    )
    op.create_table(
        "items",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("point_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("words_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pixels", sa.BigInteger(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=True),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("collection", sa.Text(), server_default="", nullable=False),
        sa.Column("scene", sa.Text(), server_default="", nullable=False),
        sa.Column("error_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state <> 'ready' OR (collection <> '' AND scene <> '')", name="ck_items_ready"
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'ready', 'quarantined', 'deleted')", name="ck_items_state"
        ),
        sa.PrimaryKeyConstraint("name", name="pk_items"),
        sa.UniqueConstraint("point_id", name="uq_items_point_id"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_items_scope_state_collection",
        "items",
        ["scope", "state", "collection"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("phase", sa.Text(), server_default="", nullable=False),
        sa.Column("error_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "stats",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelling', 'cancelled')",
            name="ck_runs_state",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_runs_scope_create_time_id",
        "runs",
        ["scope", "create_time", "id"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_index(
        "uq_runs_active_scope",
        "runs",
        ["scope"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("state IN ('queued', 'running', 'cancelling')"),
    )
    op.create_table(
        "scopes",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state_key", sa.Text(), server_default="", nullable=False),
        sa.Column("next_key", sa.Integer(), server_default="1", nullable=False),
        sa.Column("collection", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_scopes"),
        schema=SCHEMA,
    )
    op.create_table(
        "cluster_versions",
        sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("member_count", sa.Integer(), nullable=False),
        sa.Column("cohesion", sa.Float(), nullable=False),
        sa.Column("hero_item", sa.Text(), server_default="", nullable=False),
        sa.Column("hero_score", sa.Float(), server_default="0", nullable=False),
        sa.Column(
            "hero_parts",
            postgresql.JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            [f"{SCHEMA}.clusters.id"],
            name="fk_cluster_versions_cluster_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("cluster_id", "version", name="pk_cluster_versions"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_cluster_versions_size",
        "cluster_versions",
        ["scope", "version", "member_count", "cluster_id"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_table(
        "members",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("duplicate_of", sa.Text(), server_default="", nullable=False),
        sa.Column("locked", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            [f"{SCHEMA}.clusters.id"],
            name="fk_members_cluster_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("scope", "version", "item", name="pk_members"),
        schema=SCHEMA,
    )
    op.create_index("ix_members_item", "members", ["item"], unique=False, schema=SCHEMA)
    op.create_index(
        "ix_members_place",
        "members",
        ["cluster_id", "version", "position", "item"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_table(
        "near_pairs",
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("second", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["first"], [f"{SCHEMA}.items.name"], name="fk_near_pairs_first", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["second"], [f"{SCHEMA}.items.name"], name="fk_near_pairs_second", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("first", "second", name="pk_near_pairs"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_clustering_near_pairs_second", "near_pairs", ["second"], unique=False, schema=SCHEMA
    )
    op.create_index(
        "ix_near_pairs_scope_score", "near_pairs", ["scope", "score"], unique=False, schema=SCHEMA
    )


def downgrade() -> None:
    """Drops them."""
    for table in TABLES:
        op.drop_table(table, schema=SCHEMA)
    drop_support_tables(SCHEMA)
