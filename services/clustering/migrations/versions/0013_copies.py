"""How often it was told what a photo is a copy of."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

SCHEMA = "clustering"


def upgrade() -> None:
    """Nobody was told yet: all that was compared is looked through once more."""
    count = sa.Column("copies_version", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("pictures", count, schema=SCHEMA)
    op.execute(f"UPDATE {SCHEMA}.pictures SET compared = false WHERE compared")


def downgrade() -> None:
    op.drop_column("pictures", "copies_version", schema=SCHEMA)
