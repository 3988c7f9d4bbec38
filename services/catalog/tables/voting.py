"""What runs gather: candidates, and the votes on them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.catalog.domain.candidate import CandidateState
from services.catalog.tables.base import ID, METADATA, MOMENT, one_of, text
from services.catalog.tables.planning import RUNS

CANDIDATES = sa.Table(
    "candidates",
    METADATA,
    sa.Column("id", ID, primary_key=True),
    sa.Column("run_id", ID, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("parent_id", ID),
    sa.Column("state", sa.Text, nullable=False),
    text("file_name"),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("mime_type", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("thumbnail_sha256", sa.Text, nullable=False),
    sa.Column("taken_time", MOMENT),
    sa.Column("measures", JSONB, nullable=False),
    sa.Column("score", sa.Integer, nullable=False),
    sa.Column("votes", sa.Integer, nullable=False),
    sa.Column("create_time", MOMENT, nullable=False),
    sa.Column("update_time", MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["run_id"], [RUNS.c.id], name="candidates_run_fkey", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(
        ["parent_id"], ["catalog.candidates.id"], name="candidates_parent_fkey", ondelete="SET NULL"
    ),
    sa.UniqueConstraint("run_id", "sha256", name="candidates_content_key"),
    sa.CheckConstraint(one_of("state", CandidateState), name="candidates_state_check"),
    sa.CheckConstraint("step >= 1", name="candidates_step_check"),
    sa.CheckConstraint("votes >= 0", name="candidates_votes_check"),
    sa.Index("candidates_listed", "run_id", "create_time", "id"),
    sa.Index(
        "candidates_winner", "run_id", unique=True, postgresql_where=sa.text("state = 'WINNER'")
    ),
    sa.Index(
        "candidates_of_parent", "parent_id", postgresql_where=sa.text("parent_id IS NOT NULL")
    ),
    # For the sweep of blobs that nobody uses.
    sa.Index("candidates_of_digest", "sha256"),
    sa.Index("candidates_of_thumbnail", "thumbnail_sha256"),
)

# Rows are added and never changed. One that ``retracts`` another takes back that one's points; the
# pair can then be voted on in its next round. In the order of ``number`` they give the scores.
VOTES = sa.Table(
    "votes",
    METADATA,
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("id", ID, nullable=False),
    sa.Column("run_id", ID, nullable=False),
    sa.Column("winner_id", ID, nullable=False),
    sa.Column("loser_id", ID, nullable=False),
    # The same two in order, so that a pair is one pair whichever of them won.
    sa.Column("low_id", ID, nullable=False),
    sa.Column("high_id", ID, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("points", sa.Integer, nullable=False),
    sa.Column("retracts", ID),
    sa.Column("voter", sa.Text, nullable=False),
    sa.Column("create_time", MOMENT, nullable=False),
    sa.UniqueConstraint("id", name="votes_id_key"),
    sa.UniqueConstraint("retracts", name="votes_retracts_key"),
    sa.ForeignKeyConstraint(["run_id"], [RUNS.c.id], name="votes_run_fkey", ondelete="CASCADE"),
    sa.ForeignKeyConstraint(
        ["winner_id"], [CANDIDATES.c.id], name="votes_winner_fkey", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(
        ["loser_id"], [CANDIDATES.c.id], name="votes_loser_fkey", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(
        ["retracts"], ["catalog.votes.id"], name="votes_retracts_fkey", ondelete="CASCADE"
    ),
    sa.CheckConstraint(
        "low_id = least(winner_id, loser_id) AND high_id = greatest(winner_id, loser_id) "
        "AND low_id < high_id",
        name="votes_pair_check",
    ),
    sa.Index(
        "votes_of_pair",
        "low_id",
        "high_id",
        "round",
        unique=True,
        postgresql_where=sa.text("retracts IS NULL"),
    ),
    sa.Index("votes_of_run", "run_id", "number"),
    sa.Index("votes_of_winner", "winner_id"),
    sa.Index("votes_of_loser", "loser_id"),
)
