"""The tables of the schema ``clustering``."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.lease import lease_columns
from libs.db.support import SupportTables

SCHEMA = "clustering"
metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)
support = SupportTables.of(metadata)


def _time(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


collections = Table(
    "collections",
    metadata,
    Column("name", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("scene_threshold", Float, nullable=False),
    Column("duplicate_threshold", Float, nullable=False),
    _time("create_time"),
)

items = Table(
    "items",
    metadata,
    Column("name", Text, primary_key=True),
    Column("point_id", Uuid(as_uuid=False), nullable=False, unique=True),
    Column("scope", Text, nullable=False),
    Column("blob_key", Text, nullable=False),
    Column("words", ARRAY(Text), nullable=False),
    _time("words_time"),
    Column("pixels", BigInteger, nullable=False),
    Column("quality", Float),
    _time("create_time"),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("collection", Text, nullable=False, server_default=""),
    Column("scene", Text, nullable=False, server_default=""),
    Column("error_reason", Text, nullable=False, server_default=""),
    Column("error_message", Text, nullable=False, server_default=""),
    CheckConstraint("state IN ('pending', 'ready', 'quarantined', 'deleted')", name="state"),
    CheckConstraint("state <> 'ready' OR (collection <> '' AND scene <> '')", name="ready"),
    Index("ix_items_scope_state_collection", "scope", "state", "collection"),
    Index("ix_items_pending", "name", postgresql_where=text("state = 'pending'")),
)

near_pairs = Table(
    "near_pairs",
    metadata,
    Column("first", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True),
    Column(
        "second", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True, index=True
    ),
    Column("scope", Text, nullable=False),
    Column("score", Float, nullable=False),
    Index("ix_near_pairs_scope_score", "scope", "score"),
)

scopes = Table(
    "scopes",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("state_key", Text, nullable=False, server_default=""),
    Column("next_key", Integer, nullable=False, server_default="1"),
    Column("collection", Text, nullable=False, server_default=""),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),
    Column("phase", Text, nullable=False, server_default=""),
    Column("error_reason", Text, nullable=False, server_default=""),
    Column("error_message", Text, nullable=False, server_default=""),
    Column("stats", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    _time("create_time"),
    _time("start_time", nullable=True),
    _time("end_time", nullable=True),
    *lease_columns(),
    CheckConstraint(
        "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelling', 'cancelled')",
        name="state",
    ),
    Index("ix_runs_scope_create_time_id", "scope", "create_time", "id"),
    Index(
        "uq_runs_active_scope",
        "scope",
        unique=True,
        postgresql_where=text("state IN ('queued', 'running', 'cancelling')"),
    ),
)

clusters = Table(
    "clusters",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("title_pinned", Boolean, nullable=False, server_default="false"),
    Column("summary", Text, nullable=False, server_default=""),
    Column("prompt_hint", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default="active"),
    Column("origin", Text, nullable=False, server_default="found"),
    Column("merged_into", Text, nullable=False, server_default=""),
    Column("merge_pinned", Boolean, nullable=False, server_default="false"),
    Column("pinned_hero", Text, nullable=False, server_default=""),
    _time("create_time"),
    _time("update_time"),
    Column("row_version", Integer, nullable=False, server_default="1"),
    CheckConstraint("state IN ('active', 'draft', 'archived', 'retired')", name="state"),
    CheckConstraint("origin IN ('found', 'curated')", name="origin"),
    Index("uq_clusters_scope_key", "scope", "key", unique=True),
    # Of those that people gave; runs keep theirs apart from each other and from these.
    Index(
        "uq_clusters_scope_title",
        "scope",
        text("lower(title)"),
        unique=True,
        postgresql_where=text("title_pinned AND state <> 'retired'"),
    ),
)


def _cluster_id() -> Column[str]:
    key = ForeignKey(clusters.c.id, ondelete="CASCADE")
    return Column("cluster_id", Uuid(as_uuid=False), key, primary_key=True)


cluster_versions = Table(
    "cluster_versions",
    metadata,
    _cluster_id(),
    Column("version", Integer, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("member_count", Integer, nullable=False),
    Column("cohesion", Float, nullable=False),
    Column("hero_item", Text, nullable=False, server_default=""),
    Column("hero_score", Float, nullable=False, server_default="0"),
    Column("hero_parts", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Index("ix_cluster_versions_size", "scope", "version", "member_count", "cluster_id"),
)

members = Table(
    "members",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("item", Text, primary_key=True),
    Column(
        "cluster_id",
        Uuid(as_uuid=False),
        ForeignKey(clusters.c.id, ondelete="CASCADE"),
        nullable=False,
    ),
    Column("similarity", Float),
    Column("position", Integer, nullable=False),
    Column("duplicate_of", Text, nullable=False, server_default=""),
    Column("locked", Boolean, nullable=False, server_default="false"),
    Index("ix_members_place", "cluster_id", "version", "position", "item"),
    Index("ix_members_item", "item"),
    Index("ix_members_locked", "scope", "version", postgresql_where=text("locked")),
)

refusals = Table(
    "refusals",
    metadata,
    _cluster_id(),
    Column("item", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    CheckConstraint("kind IN ('member', 'hero')", name="kind"),
    Index("ix_refusals_item", "item"),
)

cluster_pillars = Table(
    "cluster_pillars",
    metadata,
    _cluster_id(),
    Column("pillar", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("primary", Boolean, nullable=False, server_default="false"),
    Column("notes", Text, nullable=False, server_default=""),
    _time("create_time"),
    Index(
        "uq_cluster_pillars_primary",
        "cluster_id",
        unique=True,
        postgresql_where=text('"primary"'),
    ),
    Index("ix_cluster_pillars_scope", "scope", "create_time", "cluster_id", "pillar"),
)

cluster_edits = Table(
    "cluster_edits",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("clusters", ARRAY(Uuid(as_uuid=False)), nullable=False),
    Column("item_count", Integer, nullable=False),
    # What an undo needs; gone when the time for that is over.
    Column("before", JSONB),
    _time("create_time"),
    _time("undo_time", nullable=True),
    CheckConstraint(
        "kind IN ('update', 'add_members', 'remove_members', 'merge', 'split', 'hero')",
        name="kind",
    ),
    Index("ix_cluster_edits_scope_create_time_id", "scope", "create_time", "id"),
    Index("ix_cluster_edits_kept", "create_time", postgresql_where=text("before IS NOT NULL")),
)
