"""The tables of the schema ``clustering``."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
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


# Each is a generation: the vectors of one model of all photos, or of all texts.
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
    Column("modality", Text, nullable=False, server_default="photos"),
    # Whether it becomes active by itself when it is filled.
    Column("automatic", Boolean, nullable=False, server_default="false"),
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
    CheckConstraint("modality IN ('photos', 'texts')", name="modality"),
    Index(
        "uq_collections_active",
        "modality",
        unique=True,
        postgresql_where=text("state = 'active'"),
    ),
    Index(
        "uq_collections_filling",
        "modality",
        unique=True,
        postgresql_where=text("state = 'filling'"),
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
    # Two parts of its quality, each 0..1, that a good hero must not lack.
    Column("sharpness", Float),
    Column("exposure", Float),
    CheckConstraint("state IN ('live', 'closed', 'deleted')", name="state"),
    CheckConstraint("usage IN ('unused', 'scheduled', 'posted')", name="usage"),
    Index("ix_items_scope_name", "scope", "name"),
    Index("ix_items_scope_point_id", "scope", "point_id"),
    Index("ix_items_prose", "prose", postgresql_using="gin"),
    Index("ix_items_unsynced", "name", postgresql_where=text("synced < facts AND state = 'live'")),
    Index(
        "ix_items_undescribed",
        "scope",
        "name",
        postgresql_where=text("NOT described AND state = 'live'"),
    ),
)

# What callers sent, one row an item of a project.
texts = Table(
    "texts",
    metadata,
    Column(
        "item",
        Text,
        # Only looked at on commit: the text is the one to come first, as its key is unique.
        ForeignKey(items.c.name, ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    ),
    Column("scope", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("external_id", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False, server_default=""),
    Column("url", Text, nullable=False, server_default=""),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("repository", Text, nullable=False, server_default=""),
    # Of what is embedded of it.
    Column("text_hash", Text, nullable=False, server_default=""),
    Column("truncated", Boolean, nullable=False, server_default="false"),
    _time("source_time", nullable=True),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("update_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(
        "uq_texts_scope_source_external_id",
        "scope",
        "source",
        "external_id",
        unique=True,
        postgresql_where=text("external_id <> ''"),
    ),
    Index("ix_texts_scope_create_time_item", "scope", "create_time", "item"),
    Index(
        "ix_texts_scope_source_time_item",
        "scope",
        text("coalesce(source_time, create_time)"),
        "item",
    ),
)

# Items that were closed or deleted, and the collection in which the engine's memory has them, if it
# does: their vectors and their places in clusters are still to be removed.
leavers = Table(
    "leavers",
    metadata,
    Column("item", Text, ForeignKey(items.c.name, ondelete="CASCADE"), primary_key=True),
    Column("collection", Text, nullable=False, server_default=""),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
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
    # Whether a run has seen this vector.
    Column("grouped", Boolean, nullable=False, server_default="false"),
    # Of the item; who waits is taken scope by scope, in the order of arrival.
    Column("scope", Text, nullable=False, server_default=""),
    Column("arrival", BigInteger, Identity(), nullable=False),
    # Tries that failed by the item's own fault.
    Column("attempts", Integer, nullable=False, server_default="0"),
    # It waits at least until then: for its next try, or while ``taker`` is at work on it.
    _time("due_time", nullable=True),
    Column("taker", Text, nullable=False, server_default=""),
    # Of the text that its vector was made of.
    Column("text_hash", Text, nullable=False, server_default=""),
    CheckConstraint("state IN ('pending', 'ready', 'quarantined')", name="state"),
    CheckConstraint("state <> 'ready' OR scene <> ''", name="ready"),
    Index(
        "ix_item_vectors_pending",
        "collection",
        "item",
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_item_vectors_waiting",
        "collection",
        "scope",
        "arrival",
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_item_vectors_taker",
        "taker",
        postgresql_where=text("state = 'pending' AND taker <> ''"),
    ),
    Index("ix_item_vectors_told", "collection", "told", postgresql_where=text("state = 'ready'")),
    Index(
        "ix_item_vectors_ungrouped",
        "collection",
        "scope",
        "item",
        postgresql_where=text("state = 'ready' AND NOT grouped"),
    ),
    Index("ix_item_vectors_standing", "scope", "collection", "state", "grouped"),
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
    # The version whose members the memory at ``state_key`` knows.
    Column("memory_version", Integer, nullable=False, server_default="0"),
    # Counts the deletions that changed versions that there were already.
    Column("erasures", Integer, nullable=False, server_default="0"),
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
    Column("algorithm", Text, nullable=False, server_default="mixture"),
    Column("params", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("filter", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("shadow", Boolean, nullable=False, server_default="false"),
    Column("trigger", Text, nullable=False, server_default="demand"),
    Column("report", JSONB),
    CheckConstraint(
        "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelling', 'cancelled')",
        name="state",
    ),
    CheckConstraint(
        "algorithm IN ('mixture', 'nearest', 'hdbscan', 'dbscan', 'agglomerative', 'k_means')",
        name="algorithm",
    ),
    CheckConstraint("trigger IN ('demand', 'schedule', 'generation', 'backfill')", name="trigger"),
    Index("ix_runs_scope_create_time_id", "scope", "create_time", "id"),
    Index(
        "uq_runs_active_scope",
        "scope",
        unique=True,
        postgresql_where=text("state IN ('queued', 'running', 'cancelling')"),
    ),
)

# Parts of a scope that is too large to be grouped in one piece, while a run works on it. What they
# are told and what they answer lies in the blob store.
shards = Table(
    "shards",
    metadata,
    Column(
        "run_id", Uuid(as_uuid=False), ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True
    ),
    Column("number", Integer, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("collection", Text, nullable=False),
    # Point ids, from the first on and before the last, to the end where that is empty.
    Column("first", Text, nullable=False),
    Column("last", Text, nullable=False, server_default=""),
    Column("items", Integer, nullable=False),
    Column("recipes", ARRAY(Text), nullable=False),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("result", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    *lease_columns(),
    CheckConstraint("state IN ('waiting', 'done')", name="state"),
    Index("ix_shards_waiting", "run_id", "number", postgresql_where=text("state = 'waiting'")),
)

# Where the items of such a run ended: the number of a group, or -1. Copies are where the vector is
# that they are a copy of. No foreign keys: a run has a million of these rows, for a few minutes.
placements = Table(
    "placements",
    metadata,
    Column("run_id", Uuid(as_uuid=False), primary_key=True),
    Column("point_id", Uuid(as_uuid=False), primary_key=True),
    Column("label", Integer, nullable=False, server_default="-1"),
    Column("similarity", REAL, nullable=False, server_default="0"),
    Column("copy_of", Uuid(as_uuid=False)),
    Index(
        "ix_placements_copies", "run_id", "copy_of", postgresql_where=text("copy_of IS NOT NULL")
    ),
)

# Of which texts the vectors were that such a run grouped, and those that are others by now.
fitted_texts = Table(
    "fitted_texts",
    metadata,
    Column("run_id", Uuid(as_uuid=False), primary_key=True),
    Column("item", Text, primary_key=True),
    Column("text_hash", Text, nullable=False),
    Column("changed", Boolean, nullable=False, server_default="false"),
    Index("ix_fitted_texts_changed", "run_id", "item", postgresql_where=text("changed")),
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
    # Since when only versions of before show it.
    _time("delete_time", nullable=True),
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


# What a version is and who made it.
versions = Table(
    "versions",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    # The name of the run or edit that made it.
    Column("cause", Text, nullable=False, server_default=""),
    _time("create_time"),
    Column("pinned", Boolean, nullable=False, server_default="false"),
    Column("items", Integer, nullable=False, server_default="0"),
    Column("clustered", Integer, nullable=False, server_default="0"),
    Column("clusters", Integer, nullable=False, server_default="0"),
    Column("duplicates", Integer, nullable=False, server_default="0"),
    Column("diff", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    # Where the engine's memory of it lies, until that of a later one is stored.
    Column("state_key", Text, nullable=False, server_default=""),
    CheckConstraint("kind IN ('run', 'edit', 'undo', 'rollback')", name="kind"),
    Index("ix_versions_create_time", "create_time", postgresql_where=text("NOT pinned")),
    Index("ix_versions_remembered", "scope", postgresql_where=text("state_key <> ''")),
)

# A row shows a cluster from the version ``since`` until the one before ``until``, or still.
cluster_versions = Table(
    "cluster_versions",
    metadata,
    _cluster_id(),
    Column("since", Integer, primary_key=True),
    Column("until", Integer),
    Column("scope", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("title_pinned", Boolean, nullable=False, server_default="false"),
    Column("summary", Text, nullable=False, server_default=""),
    Column("prompt_hint", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("merged_into", Text, nullable=False, server_default=""),
    Column("merge_pinned", Boolean, nullable=False, server_default="false"),
    Column("pinned_hero", Text, nullable=False, server_default=""),
    _time("update_time"),
    Column("row_version", Integer, nullable=False, server_default="1"),
    Column("member_count", Integer, nullable=False),
    Column("cohesion", Float, nullable=False),
    Column("hero_item", Text, nullable=False, server_default=""),
    Column("hero_score", Float, nullable=False, server_default="0"),
    Column("hero_parts", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    CheckConstraint("until > since", name="until"),
    Index(
        "uq_cluster_versions_open",
        "cluster_id",
        unique=True,
        postgresql_where=text("until IS NULL"),
    ),
    Index("ix_cluster_versions_until", "scope", text("coalesce(until, 2147483647)")),
)

# The same for the places of items; who is in no cluster has no row.
members = Table(
    "members",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("since", Integer, primary_key=True),
    Column("until", Integer),
    Column(
        "cluster_id",
        Uuid(as_uuid=False),
        ForeignKey(clusters.c.id, ondelete="CASCADE"),
        nullable=False,
    ),
    Column("similarity", Float),
    Column("duplicate_of", Text, nullable=False, server_default=""),
    Column("locked", Boolean, nullable=False, server_default="false"),
    CheckConstraint("until > since", name="until"),
    Index("uq_members_open", "scope", "item", unique=True, postgresql_where=text("until IS NULL")),
    # In the order in which they are shown: those that were never compared last.
    Index("ix_members_place", "cluster_id", text("(- coalesce(similarity, -2))"), "item"),
    Index("ix_members_since", "scope", "since"),
    Index("ix_members_until", "scope", text("coalesce(until, 2147483647)")),
    Index("ix_members_locked", "scope", postgresql_where=text("locked")),
    Index(
        "ix_members_copies",
        "scope",
        postgresql_where=text("until IS NULL AND duplicate_of <> ''"),
    ),
)

# The members of a version that is too large to be written from memory.
staged_members = Table(
    "staged_members",
    metadata,
    Column("run_id", Uuid(as_uuid=False), primary_key=True),
    Column("item", Text, primary_key=True),
    Column("cluster_id", Uuid(as_uuid=False)),
    Column("similarity", Float),
    Column("duplicate_of", Text, nullable=False, server_default=""),
    Column("locked", Boolean, nullable=False, server_default="false"),
)

# Items that were deleted since the last run, with what the engine's memory still has of them.
departures = Table(
    "departures",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("point_id", Uuid(as_uuid=False), nullable=False),
    Column("collection", Text, nullable=False),
    # Where it was; nothing for one that was in no cluster.
    Column("cluster_id", Uuid(as_uuid=False)),
    # Numbers of 16 bits; nothing where the index did not have it.
    Column("vector", LargeBinary),
    # 0 for a copy of another item, which counts for nothing.
    Column("weight", Float, nullable=False),
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
        "kind IN ('update', 'add_members', 'remove_members', 'merge', 'split', 'hero', 'lock', "
        "'unlock')",
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
    # How often it was told what it is a copy of; 0 while that is nothing.
    Column("copies_version", BigInteger, nullable=False, server_default="0"),
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

# When runs named clusters last: how many members they had, and how many came or left since.
namings = Table(
    "namings",
    metadata,
    _cluster_id(),
    Column("scope", Text, nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("changed", Integer, nullable=False, server_default="0"),
    # The words of its sample, counted with their weights.
    Column("words", Float, nullable=False),
)

# The terms of these samples, for telling what is special about others.
cluster_terms = Table(
    "cluster_terms",
    metadata,
    _cluster_id(),
    Column("term", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("weight", Float, nullable=False),
    Index("ix_cluster_terms_scope_term", "scope", "term"),
)

# What was written about clusters beside their versions.
summaries = Table(
    "summaries",
    metadata,
    _cluster_id(),
    Column("scope", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("source", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("summary", Text, nullable=False, server_default=""),
    Column("issue_title", Text, nullable=False, server_default=""),
    Column("issue_body", Text, nullable=False, server_default=""),
    Column("repository", Text, nullable=False, server_default=""),
    Column("representatives", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("model", Text, nullable=False, server_default=""),
    Column("error_message", Text, nullable=False, server_default=""),
    # Of what it was written from.
    Column("hash", Text, nullable=False, server_default=""),
    # How often in a row it could not be looked at, or the language model failed.
    Column("failures", Integer, nullable=False, server_default="0"),
    # When it is to be looked at; never, while nothing changed.
    _time("due_time", nullable=True),
    _time("update_time"),
    *lease_columns(),
    CheckConstraint("state IN ('pending', 'ok', 'fallback')", name="state"),
    CheckConstraint("source IN ('', 'model', 'template')", name="source"),
    Index("ix_summaries_due", "due_time", postgresql_where=text("due_time IS NOT NULL")),
)

# How often what ``summaries`` shows of a scope was changed.
digest_counts = Table(
    "digest_counts",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Up to which version of each scope changed clusters are known to ``summaries``.
summarised = Table(
    "summarised",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("version", Integer, nullable=False),
)
