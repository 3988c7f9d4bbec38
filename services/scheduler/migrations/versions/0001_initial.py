"""Channels, posts, their publications, and what happened to them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.ddl import create_support_tables, drop_support_tables

revision = "0001"
down_revision = None

SCHEMA = "scheduler"


def upgrade() -> None:
    create_support_tables(SCHEMA)
    _create_channels()
    _create_posts()
    _index_posts()
    _create_publications()
    _index_publications()
    _create_attempts()
    _create_post_events()


def downgrade() -> None:
    for table in ("post_events", "attempts", "publications", "posts", "channels"):
        op.drop_table(table, schema=SCHEMA)
    drop_support_tables(SCHEMA)


def _id(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(as_uuid=False), **{"nullable": False, **options})


def _given(name: str, kind: Any = sa.Text, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def _text(name: str) -> sa.Column[Any]:
    return _given(name, server_default="")


def _flag(name: str) -> sa.Column[Any]:
    return _given(name, sa.Boolean, server_default=sa.false())


def _count(name: str, kind: Any = sa.Integer) -> sa.Column[Any]:
    return _given(name, kind, server_default="0")


def _moment(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _times() -> list[sa.Column[Any]]:
    return [
        _moment("create_time", nullable=False),
        _moment("update_time", nullable=False),
        _given("version", sa.BigInteger),
    ]


def _index(
    name: str, table: str, *columns: str, where: str | None = None, unique: bool = False
) -> None:
    condition: dict[str, Any] = {} if where is None else {"postgresql_where": sa.text(where)}
    op.create_index(name, table, list(columns), schema=SCHEMA, unique=unique, **condition)


def _create_channels() -> None:
    op.create_table(
        "channels",
        _given("persona_id", primary_key=True),
        _given("id", primary_key=True),
        _given("display_name"),
        _given("provider"),
        _text("endpoint"),
        _given("account"),
        _text("organization"),
        _text("service"),
        _given("sealed_token"),
        _given("batch"),
        _given("state"),
        _text("state_reason"),
        _moment("check_time"),
        *_times(),
        sa.UniqueConstraint("persona_id", "provider", "account", name="channels_account_key"),
        sa.CheckConstraint(
            "state IN ('connected', 'paused', 'needs_attention')", name="channels_state_check"
        ),
        sa.CheckConstraint("provider IN ('buffer')", name="channels_provider_check"),
        schema=SCHEMA,
    )
    _index("channels_listed", "channels", "persona_id", "create_time", "id")
    _index("channels_of_batch", "channels", "batch")
    _index("channels_to_check", "channels", "check_time", where="check_time IS NOT NULL")


def _create_posts() -> None:
    op.create_table(
        "posts",
        _id("id", primary_key=True),
        _given("persona_id"),
        _given("photo"),
        _given("photo_sha256"),
        _text("pillar"),
        _text("caption"),
        _given("hashtags", ARRAY(sa.Text)),
        _text("final_text"),
        _text("alt_text"),
        _moment("scheduled_time", nullable=False),
        _given("state"),
        _text("strategy"),
        _text("slot_reason"),
        _moment("posted_time"),
        _moment("prepare_time", nullable=False),
        _text("media_key"),
        _text("media_sha256"),
        _text("media_type"),
        _count("media_bytes", sa.BigInteger),
        _count("media_width"),
        _count("media_height"),
        *_times(),
        sa.CheckConstraint(
            "state IN ('draft', 'awaiting_image', 'ready', 'scheduled', 'posting', 'posted',"
            " 'failed', 'cancelled')",
            name="posts_state_check",
        ),
        sa.CheckConstraint(
            "state <> 'posted' OR posted_time IS NOT NULL", name="posts_posted_time_check"
        ),
        schema=SCHEMA,
    )


def _index_posts() -> None:
    _index("posts_photo_key", "posts", "photo", where="state <> 'cancelled'", unique=True)
    _index("posts_listed", "posts", "persona_id", "scheduled_time", "id")
    _index("posts_listed_all", "posts", "scheduled_time", "id")
    _index(
        "posts_unprepared",
        "posts",
        "prepare_time",
        where="media_key = '' AND state = 'scheduled'",
    )


def _create_publications() -> None:
    op.create_table(
        "publications",
        _id("id", primary_key=True),
        _id("post_id"),
        _given("persona_id"),
        _given("channel_id"),
        _given("provider"),
        _given("photo_sha256"),
        _moment("due_time", nullable=False),
        _given("media_token"),
        _given("state"),
        _text("state_reason"),
        _moment("next_attempt_time"),
        _count("attempts"),
        _count("tries"),
        _flag("was_unknown"),
        _flag("retried_once"),
        _flag("duplicate_refusal"),
        _text("provider_post_id"),
        _text("provider_state"),
        _text("permalink"),
        _moment("remote_due_time"),
        _moment("submit_time"),
        _moment("posted_time"),
        _moment("end_time"),
        _text("error_reason"),
        _text("error_message"),
        _flag("error_retryable"),
        _text("error_support_uri"),
        sa.Column("lease_owner", sa.Text),
        _count("lease_token", sa.BigInteger),
        _moment("lease_expire_time"),
        sa.ForeignKeyConstraint(
            ["post_id"],
            [f"{SCHEMA}.posts.id"],
            name="publications_post_fkey",
            ondelete="RESTRICT",
        ),
        sa.UniqueConstraint("media_token", name="publications_media_token_key"),
        *_publication_checks(),
        schema=SCHEMA,
    )


def _publication_checks() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(
            "state IN ('draft', 'ready', 'submitting', 'retry_wait', 'unknown', 'reconciling',"
            " 'scheduled', 'publishing', 'posted', 'failed', 'cancelled', 'missed',"
            " 'needs_review')",
            name="publications_state_check",
        ),
        sa.CheckConstraint(
            "state <> 'posted' OR (provider_post_id <> '' AND posted_time IS NOT NULL)",
            name="publications_posted_check",
        ),
        sa.CheckConstraint(
            "state NOT IN ('scheduled', 'publishing') OR provider_post_id <> ''",
            name="publications_scheduled_check",
        ),
    ]


def _index_publications() -> None:
    table = "publications"
    _index("publications_of_post", table, "post_id", "channel_id", unique=True)
    _index(
        "publications_photo_key",
        table,
        "persona_id",
        "channel_id",
        "photo_sha256",
        where="state NOT IN ('cancelled', 'missed')"
        " AND NOT (state = 'failed' AND provider_post_id = '')",
        unique=True,
    )
    _index(
        "publications_provider_post_key",
        table,
        "provider",
        "provider_post_id",
        where="provider_post_id <> ''",
        unique=True,
    )
    _index("publications_due", table, "next_attempt_time", where="next_attempt_time IS NOT NULL")
    _index("publications_waiting", table, "due_time", where="state IN ('ready', 'retry_wait')")


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        _id("id", primary_key=True),
        _id("publication_id"),
        _given("number", sa.Integer),
        _given("fingerprint"),
        _given("request_hash"),
        _moment("due_time", nullable=False),
        _moment("start_time", nullable=False),
        _given("worker"),
        _given("token", sa.BigInteger),
        _moment("end_time"),
        _text("outcome"),
        _text("message"),
        _text("provider_post_id"),
        sa.Column("answer", JSONB),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            [f"{SCHEMA}.publications.id"],
            name="attempts_publication_fkey",
            ondelete="RESTRICT",
        ),
        sa.UniqueConstraint("publication_id", "number", name="attempts_number_key"),
        schema=SCHEMA,
    )
    _index(
        "attempts_of_provider_post",
        "attempts",
        "provider_post_id",
        where="provider_post_id <> ''",
    )


def _create_post_events() -> None:
    op.create_table(
        "post_events",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        _id("post_id"),
        _id("publication_id", nullable=True),
        _text("from_state"),
        _given("to_state"),
        _text("reason"),
        _text("message"),
        _moment("create_time", nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            [f"{SCHEMA}.posts.id"],
            name="post_events_post_fkey",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    _index("post_events_of_post", "post_events", "post_id", "id")
