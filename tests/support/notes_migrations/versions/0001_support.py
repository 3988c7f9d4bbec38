"""The support tables."""

from libs.db.ddl import create_support_tables, drop_support_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_support_tables("notes")


def downgrade() -> None:
    drop_support_tables("notes")
