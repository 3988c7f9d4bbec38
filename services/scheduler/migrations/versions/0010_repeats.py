"""Copies of photos, and photos that go out again on purpose."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"

SCHEMA = "scheduler"
_KEYS = {
    "posts_photo_key": ("posts", ["photo"], "state <> 'cancelled' AND photo <> ''"),
    "publications_photo_key": (
        "publications",
        ["persona_id", "channel_id", "photo_sha256"],
        "(state <> 'cancelled' OR in_doubt) AND state <> 'missed'"
        " AND NOT (state = 'failed' AND provider_post_id = '')",
    ),
}


def upgrade() -> None:
    """No photo is known to be a copy, and nothing went out twice."""
    op.add_column("channels", sa.Column("repeat_window_days", sa.Integer), schema=SCHEMA)
    for name in ("repeat_reason", "repeats"):
        text = sa.Column(name, sa.Text, nullable=False, server_default="")
        op.add_column("posts", text, schema=SCHEMA)
    for table in ("posts", "publications"):
        number = sa.Column("generation", sa.Integer, nullable=False, server_default="1")
        op.add_column(table, number, schema=SCHEMA)
    _make_keys("generation")
    is_there = sa.text("photo <> ''")
    op.create_index("posts_of_photo", "posts", ["photo"], schema=SCHEMA, postgresql_where=is_there)
    op.create_table(
        "photo_copies",
        sa.Column("photo", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("copies", JSONB, nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Only where no photo went out twice: else a unique index cannot be made."""
    op.drop_table("photo_copies", schema=SCHEMA)
    op.drop_index("posts_of_photo", table_name="posts", schema=SCHEMA)
    _make_keys()
    for table in ("publications", "posts"):
        op.drop_column(table, "generation", schema=SCHEMA)
    for name in ("repeats", "repeat_reason"):
        op.drop_column("posts", name, schema=SCHEMA)
    op.drop_column("channels", "repeat_window_days", schema=SCHEMA)


def _make_keys(*more: str) -> None:
    for name, (table, columns, where) in _KEYS.items():
        op.drop_index(name, table_name=table, schema=SCHEMA)
        op.create_index(
            name,
            table,
            [*columns, *more],
            unique=True,
            schema=SCHEMA,
            postgresql_where=sa.text(where),
        )
