"""When posts that are due soon were looked over; an index of what failed lately."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

SCHEMA = "scheduler"


def upgrade() -> None:
    op.create_table(
        "prechecks",
        sa.Column("publication_id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("check_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            [f"{SCHEMA}.publications.id"],
            name="prechecks_publication_fkey",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "publications_failed",
        "publications",
        ["end_time"],
        schema=SCHEMA,
        postgresql_where=sa.text("state IN ('failed', 'missed')"),
    )


def downgrade() -> None:
    op.drop_index("publications_failed", table_name="publications", schema=SCHEMA)
    op.drop_table("prechecks", schema=SCHEMA)
