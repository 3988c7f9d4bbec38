"""Why the planner chose photos."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

SCHEMA = "scheduler"


def upgrade() -> None:
    id = sa.Uuid(as_uuid=False)
    op.create_table(
        "plan_decisions",
        sa.Column("id", id, primary_key=True),
        sa.Column("persona_id", sa.Text, nullable=False),
        sa.Column("post_id", id, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("decision", JSONB, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            [f"{SCHEMA}.posts.id"],
            name="plan_decisions_post_fkey",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("post_id", name="plan_decisions_post_key"),
        schema=SCHEMA,
    )
    op.create_index(
        "plan_decisions_listed",
        "plan_decisions",
        ["persona_id", "create_time", "id"],
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.drop_table("plan_decisions", schema=SCHEMA)
