"""The account of a library that moves in from an older shape: what was read, what became of it."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.catalog.tables.base import ID, METADATA, MOMENT, one_of, text

MIGRATION_STATES = ("STAGED", "APPLYING", "APPLIED", "ROLLED_BACK", "DROPPED")
ROW_STATES = ("STAGED", "DONE", "QUARANTINED", "SKIPPED", "GIVEN_UP")

LEGACY_MIGRATIONS = sa.Table(
    "legacy_migrations",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    # Of everything that was read, so that another source is not taken for this one.
    sa.Column("digest", sa.Text, nullable=False),
    # Of the (id, path) of the photos, as the source had them.
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Column("counts", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    text("backup"),
    sa.Column("create_time", MOMENT, nullable=False),
    sa.Column("update_time", MOMENT, nullable=False),
    sa.CheckConstraint(one_of("state", MIGRATION_STATES), name="legacy_migrations_state_check"),
)

LEGACY_ROWS = sa.Table(
    "legacy_rows",
    METADATA,
    sa.Column("migration_id", ID, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    # The row as it was read, with the columns that nobody here knows.
    sa.Column("row", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    text("rule"),
    # The name of what it became, and whether that was made for it.
    text("target"),
    sa.Column("made", sa.Boolean, nullable=False, server_default=sa.false()),
    # What was written, to tell later whether people changed it.
    sa.Column("written", JSONB(none_as_null=True)),
    # The pillar that a person chose.
    text("assigned"),
    text("reason"),
    text("message"),
    # Whether the service that it concerns besides the catalog was told.
    sa.Column("delivered", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("update_time", MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["migration_id"], [LEGACY_MIGRATIONS.c.id], name="legacy_rows_migration_fkey"
    ),
    sa.CheckConstraint(one_of("state", ROW_STATES), name="legacy_rows_state_check"),
    sa.Index("legacy_rows_of_state", "migration_id", "kind", "state"),
)

LEGACY_GATES = sa.Table(
    "legacy_gates",
    METADATA,
    sa.Column("migration_id", ID, primary_key=True),
    sa.Column("create_time", MOMENT, primary_key=True),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("report", JSONB, nullable=False),
    sa.ForeignKeyConstraint(
        ["migration_id"], [LEGACY_MIGRATIONS.c.id], name="legacy_gates_migration_fkey"
    ),
)
