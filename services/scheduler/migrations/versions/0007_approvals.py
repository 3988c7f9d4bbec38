"""Approvals of posts, and channels that ask for them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SCHEMA = "scheduler"


def upgrade() -> None:
    """Nothing is approved, and no channel asks for it."""
    required = sa.Column("approval_required", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("channels", required, schema=SCHEMA)
    for name in ("approved_content", "approver"):
        text = sa.Column(name, sa.Text, nullable=False, server_default="")
        op.add_column("posts", text, schema=SCHEMA)
    op.add_column("posts", sa.Column("approve_time", sa.DateTime(timezone=True)), schema=SCHEMA)


def downgrade() -> None:
    for name in ("approve_time", "approver", "approved_content"):
        op.drop_column("posts", name, schema=SCHEMA)
    op.drop_column("channels", "approval_required", schema=SCHEMA)
