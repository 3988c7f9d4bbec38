"""The account of a library that moves in from an older shape.

Going back does not lose an account that is still needed: its tables wait under other names until
the next upgrade. What ends it is ``colonnade migrate drop``, which needs a gate that passed.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

SCHEMA = "catalog"
TABLES = ("legacy_migrations", "legacy_rows", "legacy_gates")
KEPT = "kept_"


def upgrade() -> None:
    if _exists(KEPT + TABLES[0]):
        for table in TABLES:
            op.rename_table(KEPT + table, table, schema=SCHEMA)
        return
    _create_migrations()
    _create_rows()
    _create_gates()


def downgrade() -> None:
    if _holds_rows():
        for table in TABLES:
            op.rename_table(table, KEPT + table, schema=SCHEMA)
        return
    for table in reversed(TABLES):
        op.drop_table(table, schema=SCHEMA)


def _exists(table: str) -> bool:
    name = {"name": f"{SCHEMA}.{table}"}
    return op.get_bind().execute(sa.text("SELECT to_regclass(:name)"), name).scalar() is not None


def _holds_rows() -> bool:
    return bool(
        op.get_bind().execute(sa.text(f"SELECT EXISTS (SELECT FROM {SCHEMA}.legacy_rows)")).scalar()
    )


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _create_migrations() -> None:
    op.create_table(
        "legacy_migrations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("checksum", sa.Text, nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        _text("backup"),
        _moment("create_time"),
        _moment("update_time"),
        sa.CheckConstraint(
            "state IN ('STAGED', 'APPLYING', 'APPLIED', 'ROLLED_BACK', 'DROPPED')",
            name="legacy_migrations_state_check",
        ),
        schema=SCHEMA,
    )


def _create_rows() -> None:
    op.create_table(
        "legacy_rows",
        sa.Column("migration_id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("row", JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        _text("rule"),
        _text("target"),
        sa.Column("made", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("written", JSONB),
        _text("assigned"),
        _text("reason"),
        _text("message"),
        sa.Column("delivered", sa.Boolean, nullable=False, server_default=sa.false()),
        _moment("update_time"),
        sa.ForeignKeyConstraint(
            ["migration_id"],
            [f"{SCHEMA}.legacy_migrations.id"],
            name="legacy_rows_migration_fkey",
        ),
        sa.CheckConstraint(
            "state IN ('STAGED', 'DONE', 'QUARANTINED', 'SKIPPED', 'GIVEN_UP')",
            name="legacy_rows_state_check",
        ),
        schema=SCHEMA,
    )
    columns = ["migration_id", "kind", "state"]
    op.create_index("legacy_rows_of_state", "legacy_rows", columns, schema=SCHEMA)


def _create_gates() -> None:
    op.create_table(
        "legacy_gates",
        sa.Column("migration_id", sa.Uuid, primary_key=True),
        sa.Column("create_time", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("passed", sa.Boolean, nullable=False),
        sa.Column("report", JSONB, nullable=False),
        sa.ForeignKeyConstraint(
            ["migration_id"],
            [f"{SCHEMA}.legacy_migrations.id"],
            name="legacy_gates_migration_fkey",
        ),
        schema=SCHEMA,
    )
