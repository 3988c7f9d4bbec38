"""Campaigns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

SCHEMA = "catalog"


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("persona_id", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("display_key", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("posts", JSONB, nullable=False),
        sa.Column("post_count", sa.Integer, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["persona_id"],
            [f"{SCHEMA}.personas.id"],
            name="campaigns_persona_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("persona_id", "display_key", name="campaigns_display_key"),
        sa.CheckConstraint("post_count BETWEEN 1 AND 100", name="campaigns_post_count_check"),
        schema=SCHEMA,
    )
    op.create_index(
        "campaigns_listed", "campaigns", ["persona_id", "create_time", "id"], schema=SCHEMA
    )


def downgrade() -> None:
    op.drop_table("campaigns", schema=SCHEMA)
