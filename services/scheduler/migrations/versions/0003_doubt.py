"""A post that is cancelled while it may be out keeps its photo taken on its channel."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = "scheduler"
TABLE = "publications"
INDEX = "publications_photo_key"
ENDED = "AND NOT (state = 'failed' AND provider_post_id = '')"


def upgrade() -> None:
    flag = sa.Column("in_doubt", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column(TABLE, flag, schema=SCHEMA)
    _index(f"(state <> 'cancelled' OR in_doubt) AND state <> 'missed' {ENDED}")


def downgrade() -> None:
    _index(f"state NOT IN ('cancelled', 'missed') {ENDED}")
    op.drop_column(TABLE, "in_doubt", schema=SCHEMA)


def _index(where: str) -> None:
    op.drop_index(INDEX, table_name=TABLE, schema=SCHEMA)
    op.create_index(
        INDEX,
        TABLE,
        ["persona_id", "channel_id", "photo_sha256"],
        schema=SCHEMA,
        unique=True,
        postgresql_where=sa.text(where),
    )
