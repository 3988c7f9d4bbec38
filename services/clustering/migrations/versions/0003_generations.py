"""Generations of vectors: where each item stands in each, and what searches filter by."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

SCHEMA = "clustering"
# Until this migration ends: statements over all items may take longer than others are allowed to.
_TAKE_TIME = "SET LOCAL statement_timeout = 0"
_USAGES = "usage IN ('unused', 'scheduled', 'posted')"
# Before, an item was in the collection of its own choice; the one with most of them is active.
# What is written about items is looked up again in the background (``described``).
_ADOPT = (
    """
    UPDATE clustering.collections SET id = gen_random_uuid(), state = 'retired', retire_time = now()
    """,
    """
    UPDATE clustering.collections
    SET state = 'active', epoch = 1, activate_time = now(), ready_time = now(), retire_time = NULL
    WHERE name = (
        SELECT c.name FROM clustering.collections AS c
        LEFT JOIN clustering.items AS i ON i.collection = c.name AND i.state = 'ready'
        GROUP BY c.name, c.create_time ORDER BY count(i.name) DESC, c.create_time DESC LIMIT 1
    )
    """,
    """
    INSERT INTO clustering.item_vectors (collection, item, state, scene, told)
    SELECT i.collection, i.name, 'ready', i.scene, c.epoch
    FROM clustering.items AS i JOIN clustering.collections AS c ON c.name = i.collection
    WHERE i.state = 'ready'
    """,
    """
    INSERT INTO clustering.item_vectors (collection, item, state, error_reason, error_message)
    SELECT c.name, i.name, CASE i.state WHEN 'quarantined' THEN 'quarantined' ELSE 'pending' END,
           i.error_reason, i.error_message
    FROM clustering.items AS i, clustering.collections AS c
    WHERE i.state <> 'deleted' AND c.state = 'active'
    ON CONFLICT DO NOTHING
    """,
    """
    UPDATE clustering.near_pairs AS p SET collection = i.collection
    FROM clustering.items AS i WHERE i.name = p.first AND i.state = 'ready'
    """,
    "DELETE FROM clustering.near_pairs WHERE collection = ''",
    "UPDATE clustering.items SET state = 'live' WHERE state <> 'deleted'",
)
_GIVE_BACK = (
    """
    UPDATE clustering.items AS i SET
        state = CASE WHEN i.state = 'deleted' THEN 'deleted' ELSE coalesce(v.state, 'pending') END,
        collection = CASE v.state WHEN 'ready' THEN v.collection ELSE '' END,
        scene = coalesce(v.scene, ''),
        error_reason = coalesce(v.error_reason, ''),
        error_message = coalesce(v.error_message, '')
    FROM clustering.items AS o
    LEFT JOIN clustering.item_vectors AS v ON v.item = o.name
        AND v.collection = (SELECT name FROM clustering.collections WHERE state = 'active')
    WHERE o.name = i.name
    """,
    """
    DELETE FROM clustering.near_pairs AS p
    WHERE p.collection NOT IN (SELECT name FROM clustering.collections WHERE state = 'active')
    """,
    "DELETE FROM clustering.collections WHERE state <> 'active'",
)


def upgrade() -> None:
    """Adds the columns and tables; what is there becomes the first generation, the active one."""
    op.execute(_TAKE_TIME)
    _extend_collections()
    _extend_items()
    _make_item_vectors()
    _make_item_posts()
    op.add_column(
        "near_pairs",
        sa.Column("collection", sa.Text(), server_default="", nullable=False),
        schema=SCHEMA,
    )
    op.drop_constraint("ck_items_ck_items_state", "items", schema=SCHEMA)
    op.drop_constraint("ck_items_ck_items_ready", "items", schema=SCHEMA)
    for statement in _ADOPT:
        op.execute(statement)
    _finish_collections()
    _finish_items()
    _finish_pairs()


def downgrade() -> None:
    """Drops them. Only the active generation stays."""
    op.execute(_TAKE_TIME)
    for name in ("ck_items_state", "ck_items_usage"):
        op.drop_constraint(name, "items", schema=SCHEMA)
    for name in ("ix_items_scope_name", "ix_items_prose", "ix_items_unsynced"):
        op.drop_index(name, "items", schema=SCHEMA)
    op.drop_index("ix_items_undescribed", "items", schema=SCHEMA)
    for column in ("collection", "scene", "error_reason", "error_message"):
        _add("items", sa.Column(column, sa.Text(), server_default="", nullable=False))
    op.alter_column("items", "state", server_default="pending", schema=SCHEMA)
    for statement in _GIVE_BACK:
        op.execute(statement)
    op.create_check_constraint(
        "ck_items_state",
        "items",
        "state IN ('pending', 'ready', 'quarantined', 'deleted')",
        schema=SCHEMA,
    )
    op.create_check_constraint(
        "ck_items_ready",
        "items",
        "state <> 'ready' OR (collection <> '' AND scene <> '')",
        schema=SCHEMA,
    )
    _index("ix_items_scope_state_collection", "items", ["scope", "state", "collection"])
    _index("ix_items_pending", "items", ["name"], postgresql_where=sa.text("state = 'pending'"))
    for column in (
        "pillar",
        "tags",
        "usage",
        "archived",
        "prose",
        "facts",
        "synced",
        "described",
    ):
        op.drop_column("items", column, schema=SCHEMA)
    op.drop_index("ix_near_pairs_collection_scope_score", "near_pairs", schema=SCHEMA)
    op.drop_index("ix_near_pairs_first", "near_pairs", schema=SCHEMA)
    op.drop_constraint("pk_near_pairs", "near_pairs", schema=SCHEMA)
    op.drop_constraint("fk_near_pairs_collection", "near_pairs", schema=SCHEMA)
    op.drop_column("near_pairs", "collection", schema=SCHEMA)
    op.create_primary_key("pk_near_pairs", "near_pairs", ["first", "second"], schema=SCHEMA)
    _index("ix_near_pairs_scope_score", "near_pairs", ["scope", "score"])
    op.drop_table("item_posts", schema=SCHEMA)
    op.drop_table("item_vectors", schema=SCHEMA)
    for name in ("uq_collections_active", "uq_collections_filling"):
        op.drop_index(name, "collections", schema=SCHEMA)
    op.drop_index("ix_collections_create_time_id", "collections", schema=SCHEMA)
    op.drop_constraint("ck_collections_state", "collections", schema=SCHEMA)
    op.drop_constraint("uq_collections_id", "collections", schema=SCHEMA)
    for added in _of_generations():
        op.drop_column("collections", added.name, schema=SCHEMA)


def _of_generations() -> list[sa.Column[Any]]:
    def time(name: str) -> sa.Column[Any]:
        return sa.Column(name, sa.DateTime(timezone=True), nullable=True)

    return [
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("comparison", postgresql.JSONB(), nullable=True),
        sa.Column("error_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        time("ready_time"),
        time("activate_time"),
        time("retire_time"),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        time("lease_expire_time"),
    ]


def _extend_collections() -> None:
    for column in _of_generations():
        _add("collections", column)


def _finish_collections() -> None:
    op.alter_column("collections", "id", nullable=False, schema=SCHEMA)
    op.alter_column("collections", "state", nullable=False, schema=SCHEMA)
    op.create_unique_constraint("uq_collections_id", "collections", ["id"], schema=SCHEMA)
    op.create_check_constraint(
        "state",
        "collections",
        "state IN ('filling', 'ready', 'active', 'retired', 'failed', 'cancelled', 'dropped')",
        schema=SCHEMA,
    )
    for state in ("active", "filling"):
        where = sa.text(f"state = '{state}'")
        _index(
            f"uq_collections_{state}", "collections", ["state"], unique=True, postgresql_where=where
        )
    _index("ix_collections_create_time_id", "collections", ["create_time", "id"])


def _extend_items() -> None:
    for column in (
        sa.Column("pillar", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "tags",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
        sa.Column("usage", sa.Text(), server_default="unused", nullable=False),
        sa.Column("archived", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "prose", postgresql.TSVECTOR(), server_default=sa.text("''::tsvector"), nullable=False
        ),
        sa.Column("facts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("synced", sa.Integer(), server_default="0", nullable=False),
        sa.Column("described", sa.Boolean(), server_default="false", nullable=False),
    ):
        _add("items", column)


def _finish_items() -> None:
    op.drop_index("ix_items_scope_state_collection", "items", schema=SCHEMA)
    op.drop_index("ix_items_pending", "items", schema=SCHEMA)
    for column in ("collection", "scene", "error_reason", "error_message"):
        op.drop_column("items", column, schema=SCHEMA)
    op.alter_column("items", "state", server_default="live", schema=SCHEMA)
    op.create_check_constraint("state", "items", "state IN ('live', 'deleted')", schema=SCHEMA)
    op.create_check_constraint("usage", "items", _USAGES, schema=SCHEMA)
    _index("ix_items_scope_name", "items", ["scope", "name"])
    _index("ix_items_prose", "items", ["prose"], postgresql_using="gin")
    live = "AND state = 'live'"
    where = sa.text(f"synced < facts {live}")
    _index("ix_items_unsynced", "items", ["name"], postgresql_where=where)
    where = sa.text(f"NOT described {live}")
    _index("ix_items_undescribed", "items", ["scope", "name"], postgresql_where=where)


def _make_item_vectors() -> None:
    op.create_table(
        "item_vectors",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("scene", sa.Text(), server_default="", nullable=False),
        sa.Column("error_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("state IN ('pending', 'ready', 'quarantined')", name="state"),
        sa.CheckConstraint("state <> 'ready' OR scene <> ''", name="ready"),
        _to_collection("item_vectors"),
        _to_item("item_vectors"),
        sa.PrimaryKeyConstraint("collection", "item", name="pk_item_vectors"),
        schema=SCHEMA,
    )
    _index("ix_clustering_item_vectors_item", "item_vectors", ["item"])
    where = sa.text("state = 'pending'")
    _index(
        "ix_item_vectors_pending", "item_vectors", ["collection", "item"], postgresql_where=where
    )
    where = sa.text("state = 'ready'")
    _index("ix_item_vectors_told", "item_vectors", ["collection", "told"], postgresql_where=where)


def _make_item_posts() -> None:
    op.create_table(
        "item_posts",
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("post", sa.Text(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(_USAGES, name="usage"),
        _to_item("item_posts"),
        sa.PrimaryKeyConstraint("item", "post", name="pk_item_posts"),
        schema=SCHEMA,
    )


def _finish_pairs() -> None:
    op.alter_column("near_pairs", "collection", server_default=None, schema=SCHEMA)
    op.drop_index("ix_near_pairs_scope_score", "near_pairs", schema=SCHEMA)
    op.drop_constraint("pk_near_pairs", "near_pairs", schema=SCHEMA)
    op.create_primary_key(
        "pk_near_pairs", "near_pairs", ["collection", "first", "second"], schema=SCHEMA
    )
    op.create_foreign_key(
        "fk_near_pairs_collection",
        "near_pairs",
        "collections",
        ["collection"],
        ["name"],
        source_schema=SCHEMA,
        referent_schema=SCHEMA,
        ondelete="CASCADE",
    )
    _index("ix_near_pairs_first", "near_pairs", ["first"])
    listed = ["collection", "scope", "score"]
    _index("ix_near_pairs_collection_scope_score", "near_pairs", listed)


def _to_collection(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["collection"],
        [f"{SCHEMA}.collections.name"],
        name=f"fk_{table}_collection",
        ondelete="CASCADE",
    )


def _to_item(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["item"], [f"{SCHEMA}.items.name"], name=f"fk_{table}_item", ondelete="CASCADE"
    )


def _add(table: str, column: sa.Column[Any]) -> None:
    op.add_column(table, column, schema=SCHEMA)


def _index(name: str, table: str, columns: Sequence[str], **options: Any) -> None:
    op.create_index(name, table, columns, schema=SCHEMA, **options)
