"""Candidates of runs, votes, winners."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

SCHEMA = "catalog"


def upgrade() -> None:
    _extend_runs()
    _create_candidates()
    _create_votes()


def downgrade() -> None:
    op.drop_table("votes", schema=SCHEMA)
    op.drop_table("candidates", schema=SCHEMA)
    for index in ("runs_waiting", "runs_completed", "runs_of_photo"):
        op.drop_index(index, "runs", schema=SCHEMA)
    for column in ("photo_made", "photo_id", "cluster"):
        op.drop_column("runs", column, schema=SCHEMA)


def _moment(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _to(column: str, table: str, name: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{SCHEMA}.{table}.id"], name=name, ondelete=ondelete)


def _extend_runs() -> None:
    op.add_column("runs", _text("cluster"), schema=SCHEMA)
    op.add_column("runs", sa.Column("photo_id", sa.Uuid), schema=SCHEMA)
    made = sa.Column("photo_made", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("runs", made, schema=SCHEMA)
    op.create_foreign_key(
        "runs_photo_fkey",
        "runs",
        "photos",
        ["photo_id"],
        ["id"],
        source_schema=SCHEMA,
        referent_schema=SCHEMA,
        ondelete="SET NULL",
    )
    parts = {
        "runs_of_photo": (["photo_id", "create_time", "id"], "photo_id IS NOT NULL"),
        "runs_waiting": (["persona_id", "pillar_id"], "state = 'WAITING'"),
        "runs_completed": (["persona_id", "create_time", "id"], "state = 'COMPLETED'"),
    }
    for name, (columns, condition) in parts.items():
        where = sa.text(condition)
        op.create_index(name, "runs", columns, schema=SCHEMA, postgresql_where=where)


def _create_candidates() -> None:
    op.create_table(
        "candidates",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("parent_id", sa.Uuid),
        sa.Column("state", sa.Text, nullable=False),
        _text("file_name"),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("mime_type", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("thumbnail_sha256", sa.Text, nullable=False),
        _moment("taken_time"),
        sa.Column("measures", JSONB, nullable=False),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("votes", sa.Integer, nullable=False),
        _moment("create_time", nullable=False),
        _moment("update_time", nullable=False),
        _to("run_id", "runs", "candidates_run_fkey", "CASCADE"),
        _to("parent_id", "candidates", "candidates_parent_fkey", "SET NULL"),
        sa.UniqueConstraint("run_id", "sha256", name="candidates_content_key"),
        sa.CheckConstraint(
            "state IN ('GENERATING', 'ACTIVE', 'REJECTED', 'FAILED', 'WINNER')",
            name="candidates_state_check",
        ),
        sa.CheckConstraint("step >= 1", name="candidates_step_check"),
        sa.CheckConstraint("votes >= 0", name="candidates_votes_check"),
        schema=SCHEMA,
    )
    indexes = {
        "candidates_listed": ["run_id", "create_time", "id"],
        "candidates_of_digest": ["sha256"],
        "candidates_of_thumbnail": ["thumbnail_sha256"],
    }
    for name, columns in indexes.items():
        op.create_index(name, "candidates", columns, schema=SCHEMA)
    op.create_index(
        "candidates_winner",
        "candidates",
        ["run_id"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'WINNER'"),
    )
    op.create_index(
        "candidates_of_parent",
        "candidates",
        ["parent_id"],
        schema=SCHEMA,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )


def _create_votes() -> None:
    op.create_table(
        "votes",
        sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.Column("winner_id", sa.Uuid, nullable=False),
        sa.Column("loser_id", sa.Uuid, nullable=False),
        sa.Column("low_id", sa.Uuid, nullable=False),
        sa.Column("high_id", sa.Uuid, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("retracts", sa.Uuid),
        sa.Column("voter", sa.Text, nullable=False),
        _moment("create_time", nullable=False),
        sa.UniqueConstraint("id", name="votes_id_key"),
        sa.UniqueConstraint("retracts", name="votes_retracts_key"),
        _to("run_id", "runs", "votes_run_fkey", "CASCADE"),
        _to("winner_id", "candidates", "votes_winner_fkey", "CASCADE"),
        _to("loser_id", "candidates", "votes_loser_fkey", "CASCADE"),
        _to("retracts", "votes", "votes_retracts_fkey", "CASCADE"),
        sa.CheckConstraint(
            "low_id = least(winner_id, loser_id) AND high_id = greatest(winner_id, loser_id) "
            "AND low_id < high_id",
            name="votes_pair_check",
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "votes_of_pair",
        "votes",
        ["low_id", "high_id", "round"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("retracts IS NULL"),
    )
    op.create_index("votes_of_run", "votes", ["run_id", "number"], schema=SCHEMA)
    op.create_index("votes_of_winner", "votes", ["winner_id"], schema=SCHEMA)
    op.create_index("votes_of_loser", "votes", ["loser_id"], schema=SCHEMA)
