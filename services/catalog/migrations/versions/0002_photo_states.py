"""Photos can be archived, are sorted by quality, and are measured again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "catalog"

_CHECK = "photos_state_check"
_LISTED = ["create_time", "id"]
_INDEXES: dict[str, list[str | sa.TextClause]] = {
    "photos_of_state": ["persona_id", "state", *_LISTED],
    # One expression, so that a page of photos that have no quality can follow one of those that do.
    "photos_by_quality": ["persona_id", sa.text("coalesce(quality, -1)"), *_LISTED],
}
_TO_MEASURE = "photos_to_measure"
_COLUMNS = ("state", "quality", "measure_due", "measure_attempts")

# A part at a time, each well within the time that a statement may take.
_MEAN = sa.text(
    f"""
    UPDATE {SCHEMA}.photos SET
        quality = (
            SELECT avg((measure ->> 'value')::double precision)
            FROM jsonb_array_elements(measures) AS measure
        ),
        measure_due = now()
    WHERE id IN (SELECT id FROM {SCHEMA}.photos WHERE measure_due IS NULL LIMIT 5000)
    """
)


def upgrade() -> None:
    for column in (
        sa.Column("state", sa.Text, nullable=False, server_default="ACTIVE"),
        sa.Column("quality", sa.Double),
        sa.Column("measure_due", sa.DateTime(timezone=True)),
        sa.Column("measure_attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    ):
        op.add_column("photos", column, schema=SCHEMA)
    op.create_check_constraint(_CHECK, "photos", "state IN ('ACTIVE', 'ARCHIVED')", schema=SCHEMA)
    # What is there already lacks the measures that came later, so it is due.
    while op.get_bind().execute(_MEAN).rowcount:
        pass
    for name, columns in _INDEXES.items():
        op.create_index(name, "photos", columns, schema=SCHEMA)
    op.create_index(
        _TO_MEASURE,
        "photos",
        ["measure_due"],
        schema=SCHEMA,
        postgresql_where=sa.text("measure_due IS NOT NULL"),
    )


def downgrade() -> None:
    for name in (_TO_MEASURE, *_INDEXES):
        op.drop_index(name, "photos", schema=SCHEMA)
    op.drop_constraint(_CHECK, "photos", schema=SCHEMA)
    for column in _COLUMNS:
        op.drop_column("photos", column, schema=SCHEMA)
