"""Of which texts the vectors were that a large run grouped."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

SCHEMA = "clustering"


def upgrade() -> None:
    """Adds the table; a run that is at work notes its texts from its next shard on."""
    op.create_table(
        "fitted_texts",
        sa.Column("run_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.Text(), nullable=False),
        sa.Column("changed", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("run_id", "item", name="pk_fitted_texts"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_fitted_texts_changed",
        "fitted_texts",
        ["run_id", "item"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("changed"),
    )


def downgrade() -> None:
    """Drops it, and what older programs cannot read in the statistics of runs."""
    op.drop_table("fitted_texts", schema=SCHEMA)
    # Which keeps runs that have ended as they are.
    op.execute("ALTER TABLE clustering.runs DISABLE TRIGGER check_move")
    op.execute("UPDATE clustering.runs SET stats = stats - 'failed_embeddings'")
    op.execute("ALTER TABLE clustering.runs ENABLE TRIGGER check_move")
