"""How often what is written about clusters changed, and which versions have a memory."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

SCHEMA = "clustering"


def upgrade() -> None:
    """Adds the table and an index; scopes about which something is written begin with 1."""
    op.create_table(
        "digest_counts",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_digest_counts"),
        schema=SCHEMA,
    )
    op.execute(
        f"INSERT INTO {SCHEMA}.digest_counts SELECT DISTINCT scope, 1 FROM {SCHEMA}.summaries"
    )
    op.drop_index("ix_summaries_scope_update_time", "summaries", schema=SCHEMA)
    op.create_index(
        "ix_versions_remembered",
        "versions",
        ["scope"],
        schema=SCHEMA,
        postgresql_where=sa.text("state_key <> ''"),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_index("ix_versions_remembered", "versions", schema=SCHEMA)
    listed = ["scope", "update_time"]
    op.create_index("ix_summaries_scope_update_time", "summaries", listed, schema=SCHEMA)
    op.drop_table("digest_counts", schema=SCHEMA)
