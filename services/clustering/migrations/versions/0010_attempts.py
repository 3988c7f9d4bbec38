"""Tries of embedding, and what kind of item a collection is for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

SCHEMA = "clustering"
_ACTIVE, _FILLING = sa.text("state = 'active'"), sa.text("state = 'filling'")
_UNGROUPED = sa.text("state = 'ready' AND NOT grouped")
_PENDING = sa.text("state = 'pending'")
_TAKEN = sa.text("state = 'pending' AND taker <> ''")


def upgrade() -> None:
    """Adds the columns; what waits already goes on waiting."""
    # Statements over all items may take longer than others are allowed to.
    op.execute("SET LOCAL statement_timeout = 0")
    _add("collections", sa.Column("modality", sa.Text(), server_default="photos", nullable=False))
    _add(
        "collections", sa.Column("automatic", sa.Boolean(), server_default="false", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_collections_modality"),
        "collections",
        "modality IN ('photos', 'texts')",
        schema=SCHEMA,
    )
    _one_a_state("modality")
    _add("item_vectors", sa.Column("scope", sa.Text(), server_default="", nullable=False))
    _add("item_vectors", sa.Column("arrival", sa.BigInteger(), sa.Identity(), nullable=False))
    _add("item_vectors", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    _add("item_vectors", sa.Column("due_time", sa.DateTime(timezone=True), nullable=True))
    _add("item_vectors", sa.Column("taker", sa.Text(), server_default="", nullable=False))
    _add("item_vectors", sa.Column("text_hash", sa.Text(), server_default="", nullable=False))
    op.execute(
        f"UPDATE {SCHEMA}.item_vectors AS v SET scope = i.scope FROM {SCHEMA}.items AS i"
        " WHERE i.name = v.item"
    )
    op.drop_index("ix_item_vectors_ungrouped", "item_vectors", schema=SCHEMA)
    _index("ix_item_vectors_ungrouped", ["collection", "scope", "item"], _UNGROUPED)
    _index("ix_item_vectors_waiting", ["collection", "scope", "arrival"], _PENDING)
    _index("ix_item_vectors_taker", ["taker"], _TAKEN)


def downgrade() -> None:
    """Drops them, and the vectors of texts, which nothing knew of before."""
    op.execute("SET LOCAL statement_timeout = 0")
    op.drop_index("ix_item_vectors_taker", "item_vectors", schema=SCHEMA)
    op.drop_index("ix_item_vectors_waiting", "item_vectors", schema=SCHEMA)
    op.drop_index("ix_item_vectors_ungrouped", "item_vectors", schema=SCHEMA)
    _index("ix_item_vectors_ungrouped", ["collection", "item"], _UNGROUPED)
    for column in ("text_hash", "taker", "due_time", "attempts", "arrival", "scope"):
        op.drop_column("item_vectors", column, schema=SCHEMA)
    op.execute(f"DELETE FROM {SCHEMA}.collections WHERE modality <> 'photos'")
    _one_a_state("state")
    op.drop_constraint(op.f("ck_collections_modality"), "collections", schema=SCHEMA)
    op.drop_column("collections", "automatic", schema=SCHEMA)
    op.drop_column("collections", "modality", schema=SCHEMA)


def _add(table: str, column: "sa.Column[object]") -> None:
    op.add_column(table, column, schema=SCHEMA)


def _one_a_state(column: str) -> None:
    """One active collection and one that is being filled, for each value of a column."""
    for name, where in (("uq_collections_active", _ACTIVE), ("uq_collections_filling", _FILLING)):
        op.drop_index(name, "collections", schema=SCHEMA)
        op.create_index(
            name, "collections", [column], unique=True, schema=SCHEMA, postgresql_where=where
        )


def _index(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "item_vectors", columns, schema=SCHEMA, postgresql_where=where)
