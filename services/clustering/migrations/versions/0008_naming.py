"""What clusters are about: their terms, when they were named, what was written about them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

SCHEMA = "clustering"
TABLES = ("summarised", "summaries", "cluster_terms", "namings")
MEASURES = ("sharpness", "exposure")


def upgrade() -> None:
    """Adds the tables; every cluster is summarised in the background, and the catalog is asked for
    the measures of the photos that are there."""
    # Statements over all items may take longer than others are allowed to.
    op.execute("SET LOCAL statement_timeout = 0")
    for name in MEASURES:
        op.add_column("items", sa.Column(name, sa.Float(), nullable=True), schema=SCHEMA)
    op.execute(f"UPDATE {SCHEMA}.items SET described = false WHERE scope LIKE 'personas/%'")
    op.create_table(
        "namings",
        _id(),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("words", sa.Float(), nullable=False),
        _to_clusters("namings"),
        sa.PrimaryKeyConstraint("cluster_id", name="pk_namings"),
        schema=SCHEMA,
    )
    op.create_index("ix_clustering_namings_scope", "namings", ["scope"], schema=SCHEMA)
    op.create_table(
        "cluster_terms",
        _id(),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        _to_clusters("cluster_terms"),
        sa.PrimaryKeyConstraint("cluster_id", "term", name="pk_cluster_terms"),
        schema=SCHEMA,
    )
    listed = ["scope", "term"]
    op.create_index("ix_cluster_terms_scope_term", "cluster_terms", listed, schema=SCHEMA)
    _make_summaries()


def downgrade() -> None:
    """Drops them."""
    for table in TABLES:
        op.drop_table(table, schema=SCHEMA)
    for name in MEASURES:
        op.drop_column("items", name, schema=SCHEMA)


def _make_summaries() -> None:
    empty = sa.text("'{}'::text[]")
    op.create_table(
        "summaries",
        _id(),
        sa.Column("scope", sa.Text(), nullable=False),
        _text("state", "pending"),
        *map(_text, ("source", "title", "summary", "issue_title", "issue_body", "repository")),
        sa.Column(
            "representatives", postgresql.ARRAY(sa.Text()), server_default=empty, nullable=False
        ),
        *map(_text, ("model", "error_message", "hash")),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'ok', 'fallback')", name="ck_summaries_state"),
        sa.CheckConstraint("source IN ('', 'model', 'template')", name="ck_summaries_source"),
        _to_clusters("summaries"),
        sa.PrimaryKeyConstraint("cluster_id", name="pk_summaries"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_summaries_due",
        "summaries",
        ["due_time"],
        schema=SCHEMA,
        postgresql_where=sa.text("due_time IS NOT NULL"),
    )
    listed = ["scope", "update_time"]
    op.create_index("ix_summaries_scope_update_time", "summaries", listed, schema=SCHEMA)
    op.create_table(
        "summarised",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_summarised"),
        schema=SCHEMA,
    )


def _text(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _id() -> sa.Column[str]:
    return sa.Column("cluster_id", sa.Uuid(as_uuid=False), nullable=False)


def _to_clusters(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["cluster_id"],
        [f"{SCHEMA}.clusters.id"],
        name=f"fk_{table}_cluster_id",
        ondelete="CASCADE",
    )
