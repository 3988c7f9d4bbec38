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
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

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


# Each is a generation: the vectors of one model of all photos.
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
    Column("id", Uuid(as_uuid=False), nullable=False, unique=True),
    Column("state", Text, nullable=False),
    # Grows with each switch: what was told of an item in an earlier one has to be told again.
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("comparison", JSONB),
    Column("error_reason", Text, nullable=False, server_default=""),
    Column("error_message", Text, nullable=False, server_default=""),
    _time("ready_time", nullable=True),
    _time("activate_time", nullable=True),
    _time("retire_time", nullable=True),
    *lease_columns(),
    CheckConstraint(
        "state IN ('filling', 'ready', 'active', 'retired', 'failed', 'cancelled', 'dropped')",
        name="state",
    ),
    Index("uq_collections_active", "state", unique=True, postgresql_where=text("state = 'active'")),
    Index(
        "uq_collections_filling", "state", unique=True, postgresql_where=text("state = 'filling'")
    ),
    Index("ix_collections_create_time_id", "create_time", "id"),
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
    Column("state", Text, nullable=False, server_default="live"),
    Column("pillar", Text, nullable=False, server_default=""),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("usage", Text, nullable=False, server_default="unused"),
    Column("archived", Boolean, nullable=False, server_default="false"),
    # What is written about it, for looking for words.
    Column("prose", TSVECTOR, nullable=False, server_default=text("''::tsvector")),
    # Counts the changes of what the index keeps beside its vectors; ``synced`` is the last of them
    # that every vector has.
    Column("facts", Integer, nullable=False, server_default="1"),
    Column("synced", Integer, nullable=False, server_default="0"),
    # Whether pillar, tags and usage were ever told; those of before are asked for.
    Column("described", Boolean, nullable=False, server_default="false"),
    # When the picture was taken, where its file says so.
    _time("taken_time", nullable=True),
    CheckConstraint("state IN ('live', 'deleted')", name="state"),
    CheckConstraint("usage IN ('unused', 'scheduled', 'posted')", name="usage"),
    Index("ix_items_scope_name", "scope", "name"),
    Index("ix_items_prose", "prose", postgresql_using="gin"),
    Index("ix_items_unsynced", "name", postgresql_where=text("synced < facts AND state = 'live'")),
    Index(
        "ix_items_undescribed",
        "scope",
        "name",
        postgresql_where=text("NOT described AND state = 'live'"),
    ),
)

# Where each item stands in each generation.
item_vectors = Table(
    "item_vectors",
    metadata,
    Column(
        "collection",
        Text,
        ForeignKey(collections.c.name, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column(
        "item", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True, index=True
    ),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("scene", Text, nullable=False, server_default=""),
    Column("error_reason", Text, nullable=False, server_default=""),
    Column("error_message", Text, nullable=False, server_default=""),
    # The epoch in which others were last told of it.
    Column("told", Integer, nullable=False, server_default="0"),
    CheckConstraint("state IN ('pending', 'ready', 'quarantined')", name="state"),
    CheckConstraint("state <> 'ready' OR scene <> ''", name="ready"),
    Index(
        "ix_item_vectors_pending",
        "collection",
        "item",
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_item_vectors_told", "collection", "told", postgresql_where=text("state = 'ready'")),
)

# The posts that use an item, for knowing how it is used when one of them changes.
item_posts = Table(
    "item_posts",
    metadata,
    Column("item", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True),
    Column("post", Text, primary_key=True),
    Column("usage", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    CheckConstraint("usage IN ('unused', 'scheduled', 'posted')", name="usage"),
)

near_pairs = Table(
    "near_pairs",
    metadata,
    Column(
        "collection",
        Text,
        ForeignKey(collections.c.name, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("first", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True),
    Column(
        "second", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True, index=True
    ),
    Column("scope", Text, nullable=False),
    Column("score", Float, nullable=False),
    Index("ix_near_pairs_first", "first"),
    Index("ix_near_pairs_collection_scope_score", "collection", "scope", "score"),
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

# The hash of each item's picture; bits of no bytes where there is none.
pictures = Table(
    "pictures",
    metadata,
    Column("item", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("bits", LargeBinary, nullable=False),
    # Whether it was compared with the others since it came or was embedded last.
    Column("compared", Boolean, nullable=False, server_default="false"),
    Index("ix_pictures_uncompared", "item", postgresql_where=text("NOT compared")),
    Index("ix_pictures_scope_uncompared", "scope", "item", postgresql_where=text("NOT compared")),
)

# Parts of those hashes, each to be found by its value: close hashes have one in common.
picture_bands = Table(
    "picture_bands",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("band", SmallInteger, primary_key=True),
    Column("value", Integer, primary_key=True),
    Column(
        "item", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True, index=True
    ),
)

# What is known of two pictures, whatever the model.
duplicate_pairs = Table(
    "duplicate_pairs",
    metadata,
    Column("first", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True),
    Column(
        "second", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True, index=True
    ),
    Column("scope", Text, nullable=False, index=True),
    Column("distance", Integer),
    Column("orientation", Integer, nullable=False, server_default="0"),
    # What laying them over each other showed, if that was done.
    Column("structure", Float),
    Column("agreement", Float),
    Column("overlap", Float),
    Column("colour", Float),
)

duplicate_reviews = Table(
    "duplicate_reviews",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("first", Text, ForeignKey(items.c.name, ondelete="CASCADE"), nullable=False),
    Column(
        "second", Text, ForeignKey(items.c.name, ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("decision", Text, nullable=False),
    _time("create_time"),
    CheckConstraint("decision IN ('duplicate', 'variant', 'burst', 'different')", name="decision"),
    Index("uq_duplicate_reviews_pair", "first", "second", unique=True),
    Index("ix_duplicate_reviews_scope_create_time_id", "scope", "create_time", "id"),
)
