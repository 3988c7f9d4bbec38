"""Plans of posts that came in as a whole."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.catalog.tables.base import ID, METADATA, MOMENT, text
from services.catalog.tables.library import PERSONAS

# The posts are a record of what came in: what becomes of each is told by its suggestion and by the
# post that the scheduler makes of it.
CAMPAIGNS = sa.Table(
    "campaigns",
    METADATA,
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("id", ID, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("display_key", sa.Text, nullable=False),
    text("description"),
    sa.Column("posts", JSONB, nullable=False),
    sa.Column("post_count", sa.Integer, nullable=False),
    sa.Column("create_time", MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["persona_id"], [PERSONAS.c.id], name="campaigns_persona_fkey", ondelete="CASCADE"
    ),
    sa.UniqueConstraint("persona_id", "display_key", name="campaigns_display_key"),
    sa.CheckConstraint("post_count BETWEEN 1 AND 100", name="campaigns_post_count_check"),
    sa.Index("campaigns_listed", "persona_id", "create_time", "id"),
)
