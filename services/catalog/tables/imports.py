"""The accounts of imports."""

import sqlalchemy as sa

from services.catalog.domain.photo_import import ImportState, Outcome
from services.catalog.tables.base import ID, METADATA, MOMENT, one_of, text
from services.catalog.tables.library import PERSONAS

PATH_ORDER_CHARACTERS = 500
"""By how much of its path an item is listed; an index takes no more than some 2700 bytes."""

PHOTO_IMPORTS = sa.Table(
    "photo_imports",
    METADATA,
    sa.Column("persona_id", sa.Text, nullable=False),
    sa.Column("id", ID, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("source_sha256", sa.LargeBinary, nullable=False),
    text("pillar_id"),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    # Of a complete import; those of an open one are counted when somebody asks.
    sa.Column("imported", sa.Integer),
    sa.Column("duplicate", sa.Integer),
    sa.Column("skipped", sa.Integer),
    sa.Column("failed", sa.Integer),
    sa.Column("create_time", MOMENT, nullable=False),
    sa.Column("update_time", MOMENT, nullable=False),
    sa.Column("complete_time", MOMENT),
    sa.ForeignKeyConstraint(
        ["persona_id"], [PERSONAS.c.id], name="photo_imports_persona_fkey", ondelete="CASCADE"
    ),
    sa.CheckConstraint(one_of("state", ImportState), name="photo_imports_state_check"),
    sa.Index("photo_imports_listed", "persona_id", "create_time", "id"),
    sa.Index(
        "photo_imports_open",
        "persona_id",
        "source_sha256",
        "dry_run",
        unique=True,
        postgresql_where=sa.text("state = 'OPEN'"),
    ),
)

PHOTO_IMPORT_ITEMS = sa.Table(
    "photo_import_items",
    METADATA,
    sa.Column("import_id", ID, primary_key=True),
    # Paths may be longer than what an index takes.
    sa.Column("path_sha256", sa.LargeBinary, primary_key=True),
    sa.Column("source_path", sa.Text, nullable=False),
    sa.Column("path_order", sa.Text(collation="C"), nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("photo_id", ID),
    text("fingerprint"),
    text("reason"),
    text("message"),
    sa.Column("update_time", MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["import_id"],
        [PHOTO_IMPORTS.c.id],
        name="photo_import_items_import_fkey",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint(one_of("outcome", Outcome), name="photo_import_items_outcome_check"),
    sa.Index("photo_import_items_listed", "import_id", "path_order", "path_sha256"),
    sa.Index("photo_import_items_of_outcome", "import_id", "outcome", "path_order", "path_sha256"),
)
