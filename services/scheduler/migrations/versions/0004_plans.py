"""Posts that wait for a photo or a time, posts from before, and what is known of photos' rights."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = "scheduler"
POSTS = "posts"
NEW_TEXTS = ("state_reason", "suggestion", "campaign", "external_id")
CHECKS = {
    "posts_photo_check": "state IN ('draft', 'awaiting_image', 'cancelled') OR photo <> ''",
    "posts_time_check": "state IN ('draft', 'awaiting_image', 'ready', 'cancelled')"
    " OR scheduled_time IS NOT NULL",
}


def upgrade() -> None:
    for column in ("photo", "photo_sha256"):
        op.alter_column(POSTS, column, server_default="", schema=SCHEMA)
    op.alter_column(POSTS, "scheduled_time", nullable=True, schema=SCHEMA)
    for name in NEW_TEXTS:
        text = sa.Column(name, sa.Text, nullable=False, server_default="")
        op.add_column(POSTS, text, schema=SCHEMA)
    listed = sa.Computed("coalesce(scheduled_time, create_time)", persisted=True)
    moment = sa.Column("list_time", sa.DateTime(timezone=True), listed, nullable=False)
    op.add_column(POSTS, moment, schema=SCHEMA)
    for name, condition in CHECKS.items():
        op.create_check_constraint(name, POSTS, condition, schema=SCHEMA)
    _list_by("list_time")
    _photo_key("state <> 'cancelled' AND photo <> ''")
    _index("posts_of_campaign", "campaign", "suggestion", where="campaign <> ''", unique=True)
    _index("posts_imported", "persona_id", "external_id", where="external_id <> ''", unique=True)
    _index("posts_with_media", "media_key", where="media_key <> ''")
    _index("posts_awaiting", "suggestion", where="state = 'awaiting_image'")
    _create_photo_rights()


def downgrade() -> None:
    op.drop_table("photo_rights", schema=SCHEMA)
    for index in ("posts_of_campaign", "posts_imported", "posts_with_media", "posts_awaiting"):
        op.drop_index(index, table_name=POSTS, schema=SCHEMA)
    # The posts that the former schema cannot hold were made by the version that is given up.
    unfit = f"SELECT id FROM {SCHEMA}.posts WHERE photo = '' OR scheduled_time IS NULL"
    op.execute(f"DELETE FROM {SCHEMA}.posts WHERE id IN ({unfit})")
    _photo_key("state <> 'cancelled'")
    _list_by("scheduled_time")
    for name in CHECKS:
        op.drop_constraint(name, POSTS, schema=SCHEMA)
    for name in (*NEW_TEXTS, "list_time"):
        op.drop_column(POSTS, name, schema=SCHEMA)
    op.alter_column(POSTS, "scheduled_time", nullable=False, schema=SCHEMA)
    for column in ("photo", "photo_sha256"):
        op.alter_column(POSTS, column, server_default=None, schema=SCHEMA)


def _index(name: str, *columns: str, where: str, unique: bool = False) -> None:
    op.create_index(
        name, POSTS, list(columns), schema=SCHEMA, unique=unique, postgresql_where=sa.text(where)
    )


def _list_by(time: str) -> None:
    for name, columns in (
        ("posts_listed", ["persona_id", time, "id"]),
        ("posts_listed_all", [time, "id"]),
    ):
        op.drop_index(name, table_name=POSTS, schema=SCHEMA)
        op.create_index(name, POSTS, columns, schema=SCHEMA)


def _photo_key(where: str) -> None:
    op.drop_index("posts_photo_key", table_name=POSTS, schema=SCHEMA)
    _index("posts_photo_key", "photo", where=where, unique=True)


def _create_photo_rights() -> None:
    op.create_table(
        "photo_rights",
        sa.Column("photo", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("embargo_time", sa.DateTime(timezone=True)),
        sa.Column("expire_time", sa.DateTime(timezone=True)),
        *(
            sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
            for name in ("held", "archived", "deleted")
        ),
        schema=SCHEMA,
    )
