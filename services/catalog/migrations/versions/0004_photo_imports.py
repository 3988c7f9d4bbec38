"""Accounts of imports, file by file."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = "catalog"


def upgrade() -> None:
    _create_imports()
    _create_items()


def downgrade() -> None:
    op.drop_table("photo_import_items", schema=SCHEMA)
    op.drop_table("photo_imports", schema=SCHEMA)


def _create_imports() -> None:
    op.create_table(
        "photo_imports",
        sa.Column("persona_id", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("source_sha256", sa.LargeBinary, nullable=False),
        _text("pillar_id"),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        *(sa.Column(count, sa.Integer) for count in ("imported", "duplicate", "skipped", "failed")),
        _moment("create_time"),
        _moment("update_time"),
        _moment("complete_time", nullable=True),
        sa.ForeignKeyConstraint(
            ["persona_id"],
            [f"{SCHEMA}.personas.id"],
            name="photo_imports_persona_fkey",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("state IN ('OPEN', 'COMPLETED')", name="photo_imports_state_check"),
        schema=SCHEMA,
    )
    listed = ["persona_id", "create_time", "id"]
    op.create_index("photo_imports_listed", "photo_imports", listed, schema=SCHEMA)
    op.create_index(
        "photo_imports_open",
        "photo_imports",
        ["persona_id", "source_sha256", "dry_run"],
        schema=SCHEMA,
        unique=True,
        postgresql_where=sa.text("state = 'OPEN'"),
    )


def _create_items() -> None:
    op.create_table(
        "photo_import_items",
        sa.Column("import_id", sa.Uuid, primary_key=True),
        sa.Column("path_sha256", sa.LargeBinary, primary_key=True),
        sa.Column("source_path", sa.Text, nullable=False),
        sa.Column("path_order", sa.Text(collation="C"), nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("photo_id", sa.Uuid),
        _text("fingerprint"),
        _text("reason"),
        _text("message"),
        _moment("update_time"),
        sa.ForeignKeyConstraint(
            ["import_id"],
            [f"{SCHEMA}.photo_imports.id"],
            name="photo_import_items_import_fkey",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "outcome IN ('IMPORTED', 'DUPLICATE', 'SKIPPED', 'FAILED')",
            name="photo_import_items_outcome_check",
        ),
        schema=SCHEMA,
    )
    by_path = ["path_order", "path_sha256"]
    for name, columns in {
        "photo_import_items_listed": ["import_id", *by_path],
        "photo_import_items_of_outcome": ["import_id", "outcome", *by_path],
    }.items():
        op.create_index(name, "photo_import_items", columns, schema=SCHEMA)


def _moment(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")
