"""The notes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_token", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("lease_expire_time", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["parent"], ["notes.notes.id"], name="notes_parent_fkey"),
        schema="notes",
    )


def downgrade() -> None:
    op.drop_table("notes", schema="notes")
