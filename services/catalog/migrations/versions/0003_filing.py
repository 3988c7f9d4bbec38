"""Photos without a pillar are filed by what they show."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

SCHEMA = "catalog"

_CHECKS = {
    "photos_filing_state_check": "filing_state IN ('CONFIRMED', 'PENDING', 'PROPOSED', 'REVIEW')",
    "photos_filing_confidence_check": "filing_confidence BETWEEN 0 AND 1",
}
_COLUMNS = ("filing_state", "filing_confidence", "filing_reason", "filing_alternatives")


def upgrade() -> None:
    for column in (
        sa.Column("filing_state", sa.Text, nullable=False, server_default="CONFIRMED"),
        sa.Column("filing_confidence", sa.Double, nullable=False, server_default=sa.text("0")),
        sa.Column("filing_reason", sa.Text, nullable=False, server_default=""),
        sa.Column(
            "filing_alternatives", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")
        ),
    ):
        op.add_column("photos", column, schema=SCHEMA)
    for name, condition in _CHECKS.items():
        op.create_check_constraint(name, "photos", condition, schema=SCHEMA)
    op.create_index(
        "photos_not_settled",
        "photos",
        ["persona_id", "filing_state", "create_time", "id"],
        schema=SCHEMA,
        postgresql_where=sa.text("filing_state IN ('PENDING', 'REVIEW')"),
    )
    _create_neighbours()


def downgrade() -> None:
    op.drop_table("photo_neighbours", schema=SCHEMA)
    op.drop_index("photos_not_settled", "photos", schema=SCHEMA)
    for name in _CHECKS:
        op.drop_constraint(name, "photos", schema=SCHEMA)
    for column in _COLUMNS:
        op.drop_column("photos", column, schema=SCHEMA)


def _create_neighbours() -> None:
    op.create_table(
        "photo_neighbours",
        sa.Column("photo_id", sa.Uuid, primary_key=True),
        sa.Column("neighbour_id", sa.Uuid, primary_key=True),
        sa.Column("similarity", sa.REAL, nullable=False),
        sa.Column("distance", sa.REAL, nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [f"{which}_id"],
                [f"{SCHEMA}.photos.id"],
                name=f"photo_neighbours_{which}_fkey",
                ondelete="CASCADE",
            )
            for which in ("photo", "neighbour")
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "photo_neighbours_of_neighbour", "photo_neighbours", ["neighbour_id"], schema=SCHEMA
    )
