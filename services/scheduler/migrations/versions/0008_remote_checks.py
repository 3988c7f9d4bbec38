"""How published posts are at their providers, and which publications are late."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SCHEMA = "scheduler"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "remote_checks",
        sa.Column("publication_id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False, server_default=""),
        sa.Column("check_time", moment),
        sa.Column("change_time", moment),
        sa.Column("miss_time", moment),
        sa.Column("next_check_time", moment),
        _of_publication("remote_checks_publication_fkey"),
        sa.CheckConstraint(
            "state IN ('unchanged', 'edited', 'removed')", name="remote_checks_state_check"
        ),
        schema=SCHEMA,
    )
    op.create_index("remote_checks_in_state", "remote_checks", ["state"], schema=SCHEMA)
    op.create_index(
        "remote_checks_due",
        "remote_checks",
        ["next_check_time"],
        schema=SCHEMA,
        postgresql_where=sa.text("next_check_time IS NOT NULL"),
    )
    op.create_table(
        "late_publications",
        sa.Column("publication_id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        _of_publication("late_publications_publication_fkey"),
        schema=SCHEMA,
    )
    op.create_index(
        "publications_posted",
        "publications",
        ["posted_time"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'posted'"),
    )
    op.create_index(
        "publications_unfinished",
        "publications",
        ["due_time"],
        schema=SCHEMA,
        postgresql_where=sa.text("state NOT IN ('draft', 'posted', 'failed', 'cancelled')"),
    )


def downgrade() -> None:
    for name in ("publications_unfinished", "publications_posted"):
        op.drop_index(name, "publications", schema=SCHEMA)
    for name in ("late_publications", "remote_checks"):
        op.drop_table(name, schema=SCHEMA)


def _of_publication(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["publication_id"], [f"{SCHEMA}.publications.id"], name=name, ondelete="RESTRICT"
    )
