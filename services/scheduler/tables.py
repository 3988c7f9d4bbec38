"""The tables of the scheduler, in its own schema."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.lease import lease_columns
from libs.db.support import SupportTables
from services.scheduler.domain.channel import ChannelState, Provider
from services.scheduler.domain.counts import Counts
from services.scheduler.domain.post import PostState
from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.remote_check import Drift

SCHEMA = "scheduler"
METADATA = sa.MetaData(schema=SCHEMA)
SUPPORT = SupportTables.of(METADATA)

_MOMENT = sa.DateTime(timezone=True)
_ID = sa.Uuid(as_uuid=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def _times() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("create_time", _MOMENT, nullable=False),
        sa.Column("update_time", _MOMENT, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )


def _one_of(column: str, values: Iterable[str]) -> str:
    allowed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({allowed})"


# Of a publication: whether its picture is on the channel, may be, or is to be. In the other states
# nothing of it is at the provider, and the photo is free again.
TAKES_PHOTO = (
    "(state <> 'cancelled' OR in_doubt) AND state <> 'missed'"
    " AND NOT (state = 'failed' AND provider_post_id = '')"
)

CHANNELS = sa.Table(
    "channels",
    METADATA,
    sa.Column("persona_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    _text("endpoint"),
    sa.Column("account", sa.Text, nullable=False),
    _text("organization"),
    _text("service"),
    sa.Column("sealed_token", sa.Text, nullable=False),
    sa.Column("batch", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    _text("state_reason"),
    sa.Column("check_time", _MOMENT),
    *_times(),
    sa.Column("limits", JSONB, nullable=False, server_default="{}"),
    sa.Column("token_expire_time", _MOMENT),
    sa.Column("renew_time", _MOMENT),
    _flag("approval_required"),
    sa.Column("repeat_window_days", sa.Integer),
    sa.UniqueConstraint("persona_id", "provider", "account", name="channels_account_key"),
    sa.CheckConstraint(_one_of("state", ChannelState), name="channels_state_check"),
    sa.CheckConstraint(_one_of("provider", Provider), name="channels_provider_check"),
    sa.Index("channels_listed", "persona_id", "create_time", "id"),
    sa.Index("channels_of_batch", "batch"),
    sa.Index("channels_to_check", "check_time", postgresql_where=sa.text("check_time IS NOT NULL")),
    sa.Index("channels_to_renew", "renew_time", postgresql_where=sa.text("renew_time IS NOT NULL")),
)

POSTS = sa.Table(
    "posts",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("persona_id", sa.Text, nullable=False),
    _text("photo"),
    _text("photo_sha256"),
    _text("pillar"),
    _text("caption"),
    sa.Column("hashtags", ARRAY(sa.Text), nullable=False),
    _text("final_text"),
    _text("alt_text"),
    sa.Column("scheduled_time", _MOMENT),
    sa.Column("state", sa.Text, nullable=False),
    _text("strategy"),
    _text("slot_reason"),
    sa.Column("posted_time", _MOMENT),
    sa.Column("prepare_time", _MOMENT, nullable=False),
    _text("media_key"),
    _text("media_sha256"),
    _text("media_type"),
    sa.Column("media_bytes", sa.BigInteger, nullable=False, server_default="0"),
    _count("media_width"),
    _count("media_height"),
    *_times(),
    _text("state_reason"),
    _text("suggestion"),
    _text("campaign"),
    _text("external_id"),
    # Where it stands in lists.
    sa.Column(
        "list_time",
        _MOMENT,
        sa.Computed("coalesce(scheduled_time, create_time)", persisted=True),
        nullable=False,
    ),
    _text("approved_content"),
    _text("approver"),
    sa.Column("approve_time", _MOMENT),
    _text("repeat_reason"),
    _text("repeats"),
    # Which one of its photo it is: more than 1 went out again on purpose.
    sa.Column("generation", sa.Integer, nullable=False, server_default="1"),
    sa.CheckConstraint(_one_of("state", PostState), name="posts_state_check"),
    sa.CheckConstraint(
        "state <> 'posted' OR posted_time IS NOT NULL", name="posts_posted_time_check"
    ),
    sa.CheckConstraint(
        "state IN ('draft', 'awaiting_image', 'cancelled') OR photo <> ''",
        name="posts_photo_check",
    ),
    sa.CheckConstraint(
        "state IN ('draft', 'awaiting_image', 'ready', 'cancelled') OR scheduled_time IS NOT NULL",
        name="posts_time_check",
    ),
    sa.Index(
        "posts_photo_key",
        "photo",
        "generation",
        unique=True,
        postgresql_where=sa.text("state <> 'cancelled' AND photo <> ''"),
    ),
    sa.Index("posts_of_photo", "photo", postgresql_where=sa.text("photo <> ''")),
    sa.Index(
        "posts_of_campaign",
        "campaign",
        "suggestion",
        unique=True,
        postgresql_where=sa.text("campaign <> ''"),
    ),
    sa.Index(
        "posts_imported",
        "persona_id",
        "external_id",
        unique=True,
        postgresql_where=sa.text("external_id <> ''"),
    ),
    sa.Index("posts_with_media", "media_key", postgresql_where=sa.text("media_key <> ''")),
    sa.Index(
        "posts_awaiting",
        "suggestion",
        postgresql_where=sa.text("state = 'awaiting_image'"),
    ),
    sa.Index("posts_listed", "persona_id", "list_time", "id"),
    sa.Index("posts_listed_all", "list_time", "id"),
    sa.Index(
        "posts_unprepared",
        "prepare_time",
        postgresql_where=sa.text("media_key = '' AND state = 'scheduled'"),
    ),
)

PUBLICATIONS = sa.Table(
    "publications",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("post_id", _ID, nullable=False),
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("channel_id", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("photo_sha256", sa.Text, nullable=False),
    sa.Column("due_time", _MOMENT, nullable=False),
    sa.Column("media_token", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    _text("state_reason"),
    sa.Column("next_attempt_time", _MOMENT),
    _count("attempts"),
    _count("tries"),
    _flag("was_unknown"),
    _flag("retried_once"),
    _flag("duplicate_refusal"),
    _text("provider_post_id"),
    _text("provider_state"),
    _text("permalink"),
    sa.Column("remote_due_time", _MOMENT),
    sa.Column("submit_time", _MOMENT),
    sa.Column("posted_time", _MOMENT),
    sa.Column("end_time", _MOMENT),
    _text("error_reason"),
    _text("error_message"),
    _flag("error_retryable"),
    _text("error_support_uri"),
    *lease_columns(),
    _flag("in_doubt"),
    sa.Column("generation", sa.Integer, nullable=False, server_default="1"),
    sa.ForeignKeyConstraint(
        ["post_id"], [POSTS.c.id], name="publications_post_fkey", ondelete="RESTRICT"
    ),
    sa.UniqueConstraint("media_token", name="publications_media_token_key"),
    sa.CheckConstraint(_one_of("state", PublicationState), name="publications_state_check"),
    sa.CheckConstraint(
        "state <> 'posted' OR (provider_post_id <> '' AND posted_time IS NOT NULL)",
        name="publications_posted_check",
    ),
    sa.CheckConstraint(
        "state NOT IN ('scheduled', 'publishing') OR provider_post_id <> ''",
        name="publications_scheduled_check",
    ),
    sa.Index("publications_of_post", "post_id", "channel_id", unique=True),
    sa.Index(
        "publications_photo_key",
        "persona_id",
        "channel_id",
        "photo_sha256",
        "generation",
        unique=True,
        postgresql_where=sa.text(TAKES_PHOTO),
    ),
    sa.Index(
        "publications_provider_post_key",
        "provider",
        "provider_post_id",
        unique=True,
        postgresql_where=sa.text("provider_post_id <> ''"),
    ),
    sa.Index(
        "publications_due",
        "next_attempt_time",
        postgresql_where=sa.text("next_attempt_time IS NOT NULL"),
    ),
    sa.Index(
        "publications_failed",
        "end_time",
        postgresql_where=sa.text("state IN ('failed', 'missed')"),
    ),
    sa.Index(
        "publications_waiting",
        "due_time",
        postgresql_where=sa.text("state IN ('ready', 'retry_wait')"),
    ),
    sa.Index(
        "publications_posted",
        "posted_time",
        postgresql_where=sa.text("state = 'posted'"),
    ),
    sa.Index(
        "publications_unfinished",
        "due_time",
        postgresql_where=sa.text("state NOT IN ('draft', 'posted', 'failed', 'cancelled')"),
    ),
)

REMOTE_CHECKS = sa.Table(
    "remote_checks",
    METADATA,
    sa.Column("publication_id", _ID, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    _text("text"),
    sa.Column("check_time", _MOMENT),
    sa.Column("change_time", _MOMENT),
    sa.Column("miss_time", _MOMENT),
    sa.Column("next_check_time", _MOMENT),
    sa.ForeignKeyConstraint(
        ["publication_id"],
        [PUBLICATIONS.c.id],
        name="remote_checks_publication_fkey",
        ondelete="RESTRICT",
    ),
    sa.CheckConstraint(_one_of("state", Drift), name="remote_checks_state_check"),
    sa.Index("remote_checks_in_state", "state"),
    sa.Index(
        "remote_checks_due",
        "next_check_time",
        postgresql_where=sa.text("next_check_time IS NOT NULL"),
    ),
)

POST_RESULTS = sa.Table(
    "post_results",
    METADATA,
    sa.Column("publication_id", _ID, primary_key=True),
    sa.Column("collect_time", _MOMENT, primary_key=True),
    *(sa.Column(field.name, sa.BigInteger) for field in fields(Counts)),
    sa.ForeignKeyConstraint(
        ["publication_id"],
        [PUBLICATIONS.c.id],
        name="post_results_publication_fkey",
        ondelete="RESTRICT",
    ),
    sa.CheckConstraint(
        " AND ".join(f"{field.name} >= 0" for field in fields(Counts)),
        name="post_results_counts_check",
    ),
)

# When the numbers of a publication are asked for next.
RESULT_LOOKS = sa.Table(
    "result_looks",
    METADATA,
    sa.Column("publication_id", _ID, primary_key=True),
    sa.Column("next_time", _MOMENT),
    sa.ForeignKeyConstraint(
        ["publication_id"],
        [PUBLICATIONS.c.id],
        name="result_looks_publication_fkey",
        ondelete="RESTRICT",
    ),
    sa.Index(
        "result_looks_due",
        "next_time",
        postgresql_where=sa.text("next_time IS NOT NULL"),
    ),
)

# Those of which the log told that they are late, and in which way.
LATE_PUBLICATIONS = sa.Table(
    "late_publications",
    METADATA,
    sa.Column("publication_id", _ID, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["publication_id"],
        [PUBLICATIONS.c.id],
        name="late_publications_publication_fkey",
        ondelete="RESTRICT",
    ),
)

ATTEMPTS = sa.Table(
    "attempts",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("publication_id", _ID, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("request_hash", sa.Text, nullable=False),
    sa.Column("due_time", _MOMENT, nullable=False),
    sa.Column("start_time", _MOMENT, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("end_time", _MOMENT),
    _text("outcome"),
    _text("message"),
    _text("provider_post_id"),
    sa.Column("answer", JSONB(none_as_null=True)),
    _text("handle"),
    sa.ForeignKeyConstraint(
        ["publication_id"],
        [PUBLICATIONS.c.id],
        name="attempts_publication_fkey",
        ondelete="RESTRICT",
    ),
    sa.UniqueConstraint("publication_id", "number", name="attempts_number_key"),
    sa.Index(
        "attempts_of_provider_post",
        "provider_post_id",
        postgresql_where=sa.text("provider_post_id <> ''"),
    ),
)

PRECHECKS = sa.Table(
    "prechecks",
    METADATA,
    sa.Column("publication_id", _ID, primary_key=True),
    sa.Column("check_time", _MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["publication_id"],
        [PUBLICATIONS.c.id],
        name="prechecks_publication_fkey",
        ondelete="CASCADE",
    ),
)

PLAN_DECISIONS = sa.Table(
    "plan_decisions",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("post_id", _ID, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("decision", JSONB, nullable=False),
    sa.Column("create_time", _MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["post_id"], [POSTS.c.id], name="plan_decisions_post_fkey", ondelete="CASCADE"
    ),
    sa.UniqueConstraint("post_id", name="plan_decisions_post_key"),
    sa.Index("plan_decisions_listed", "persona_id", "create_time", "id"),
)

PHOTO_RIGHTS = sa.Table(
    "photo_rights",
    METADATA,
    sa.Column("photo", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("embargo_time", _MOMENT),
    sa.Column("expire_time", _MOMENT),
    _flag("held"),
    _flag("archived"),
    _flag("deleted"),
)

PHOTO_COPIES = sa.Table(
    "photo_copies",
    METADATA,
    sa.Column("photo", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    # By the name of the other photo: duplicate or variant.
    sa.Column("copies", JSONB, nullable=False),
)

POST_EVENTS = sa.Table(
    "post_events",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("post_id", _ID, nullable=False),
    sa.Column("publication_id", _ID),
    _text("from_state"),
    sa.Column("to_state", sa.Text, nullable=False),
    _text("reason"),
    _text("message"),
    sa.Column("create_time", _MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["post_id"], [POSTS.c.id], name="post_events_post_fkey", ondelete="CASCADE"
    ),
    sa.Index("post_events_of_post", "post_id", "id"),
)


def _moves(name: str) -> sa.Table:
    """The allowed moves of a state; a trigger refuses all others."""
    return sa.Table(
        name,
        METADATA,
        sa.Column("from_state", sa.Text, primary_key=True),
        sa.Column("to_state", sa.Text, primary_key=True),
    )


POST_MOVES = _moves("post_moves")
PUBLICATION_MOVES = _moves("publication_moves")
