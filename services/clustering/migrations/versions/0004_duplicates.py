"""Hashes of pictures, what is known of pairs of them, and what people decide about those."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = "clustering"
TABLES = ("duplicate_reviews", "duplicate_pairs", "picture_bands", "pictures")


def upgrade() -> None:
    """Adds the tables; what is there already is hashed and compared in the background."""
    op.add_column(
        "items", sa.Column("taken_time", sa.DateTime(timezone=True), nullable=True), schema=SCHEMA
    )
    _make_pictures()
    op.create_table(
        "duplicate_pairs",
        _item("first"),
        _item("second"),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=True),
        sa.Column("orientation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("structure", sa.Float(), nullable=True),
        sa.Column("agreement", sa.Float(), nullable=True),
        sa.Column("overlap", sa.Float(), nullable=True),
        sa.Column("colour", sa.Float(), nullable=True),
        *_to_items("duplicate_pairs", "first", "second"),
        sa.PrimaryKeyConstraint("first", "second", name="pk_duplicate_pairs"),
        schema=SCHEMA,
    )
    _index("ix_clustering_duplicate_pairs_second", "duplicate_pairs", ["second"])
    _index("ix_clustering_duplicate_pairs_scope", "duplicate_pairs", ["scope"])
    _make_reviews()


def downgrade() -> None:
    """Drops them."""
    for table in TABLES:
        op.drop_table(table, schema=SCHEMA)
    op.drop_column("items", "taken_time", schema=SCHEMA)


def _make_pictures() -> None:
    op.create_table(
        "pictures",
        _item("item"),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.Column("compared", sa.Boolean(), server_default="false", nullable=False),
        *_to_items("pictures", "item"),
        sa.PrimaryKeyConstraint("item", name="pk_pictures"),
        schema=SCHEMA,
    )
    _index("ix_pictures_uncompared", "pictures", ["item"], where="NOT compared")
    _index("ix_pictures_scope_uncompared", "pictures", ["scope", "item"], where="NOT compared")
    op.create_table(
        "picture_bands",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("band", sa.SmallInteger(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        _item("item"),
        *_to_items("picture_bands", "item"),
        sa.PrimaryKeyConstraint("scope", "band", "value", "item", name="pk_picture_bands"),
        schema=SCHEMA,
    )
    _index("ix_clustering_picture_bands_item", "picture_bands", ["item"])


def _make_reviews() -> None:
    op.create_table(
        "duplicate_reviews",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        _item("first"),
        _item("second"),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "decision IN ('duplicate', 'variant', 'burst', 'different')",
            name="ck_duplicate_reviews_decision",
        ),
        *_to_items("duplicate_reviews", "first", "second"),
        sa.PrimaryKeyConstraint("id", name="pk_duplicate_reviews"),
        schema=SCHEMA,
    )
    _index("ix_clustering_duplicate_reviews_second", "duplicate_reviews", ["second"])
    _index("uq_duplicate_reviews_pair", "duplicate_reviews", ["first", "second"], unique=True)
    listed = ["scope", "create_time", "id"]
    _index("ix_duplicate_reviews_scope_create_time_id", "duplicate_reviews", listed)


def _item(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _to_items(table: str, *columns: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint(
            [column], [f"{SCHEMA}.items.name"], name=f"fk_{table}_{column}", ondelete="CASCADE"
        )
        for column in columns
    ]


def _index(
    name: str, table: str, columns: list[str], *, unique: bool = False, where: str = ""
) -> None:
    condition: dict[str, Any] = {"postgresql_where": sa.text(where)} if where else {}
    op.create_index(name, table, columns, unique=unique, schema=SCHEMA, **condition)
