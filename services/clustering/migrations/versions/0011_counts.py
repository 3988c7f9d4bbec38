"""What a run counts in its scope, by index alone."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

SCHEMA = "clustering"


def upgrade() -> None:
    """Adds the indexes; on a large library that takes its time."""
    op.execute("SET LOCAL statement_timeout = 0")
    op.create_index(
        "ix_item_vectors_standing",
        "item_vectors",
        ["scope", "collection", "state", "grouped"],
        schema=SCHEMA,
    )
    op.create_index(
        "ix_members_copies",
        "members",
        ["scope"],
        schema=SCHEMA,
        postgresql_where=sa.text("until IS NULL AND duplicate_of <> ''"),
    )


def downgrade() -> None:
    op.drop_index("ix_members_copies", "members", schema=SCHEMA)
    op.drop_index("ix_item_vectors_standing", "item_vectors", schema=SCHEMA)
