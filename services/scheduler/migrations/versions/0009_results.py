"""What posts reached: one row for each look, and when each is looked at next."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

SCHEMA = "scheduler"
COUNTS = ("reach", "impressions", "likes", "comments", "saves", "shares")


def upgrade() -> None:
    """Posts that are out already are looked at from now on."""
    moment = sa.DateTime(timezone=True)
    uuid = sa.Uuid(as_uuid=False)
    op.create_table(
        "post_results",
        sa.Column("publication_id", uuid, primary_key=True),
        sa.Column("collect_time", moment, primary_key=True),
        *(sa.Column(name, sa.BigInteger) for name in COUNTS),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            [f"{SCHEMA}.publications.id"],
            name="post_results_publication_fkey",
            ondelete="RESTRICT",
        ),
        sa.CheckConstraint(
            " AND ".join(f"{name} >= 0" for name in COUNTS), name="post_results_counts_check"
        ),
        schema=SCHEMA,
    )
    op.create_table(
        "result_looks",
        sa.Column("publication_id", uuid, primary_key=True),
        sa.Column("next_time", moment),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            [f"{SCHEMA}.publications.id"],
            name="result_looks_publication_fkey",
            ondelete="RESTRICT",
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "result_looks_due",
        "result_looks",
        ["next_time"],
        schema=SCHEMA,
        postgresql_where=sa.text("next_time IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("result_looks", schema=SCHEMA)
    op.drop_table("post_results", schema=SCHEMA)
