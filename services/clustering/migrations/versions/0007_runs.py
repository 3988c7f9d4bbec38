"""What runs are asked for and what shadow runs report; which changes of a run are allowed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

SCHEMA = "clustering"
MOVES = {
    "queued": "running failed cancelled",
    "running": "queued succeeded failed cancelling",
    "cancelling": "cancelled",
}
ASKED = ("id", "scope", "mode", "algorithm", "params", "filter", "shadow", "trigger", "create_time")
CHECKS = {
    "algorithm": ("mixture", "nearest", "hdbscan", "dbscan", "agglomerative", "k_means"),
    "trigger": ("demand", "schedule", "generation", "backfill"),
}


def upgrade() -> None:
    """Adds the columns; runs of before were asked for by somebody, with the settings as they were.

    From here on a run that has ended cannot be changed, nor what any run was asked for.
    """
    _add("algorithm", sa.Text(), "mixture")
    _add("params", postgresql.JSONB(), sa.text("'{}'::jsonb"))
    _add("filter", postgresql.JSONB(), sa.text("'{}'::jsonb"))
    _add("shadow", sa.Boolean(), "false")
    _add("trigger", sa.Text(), "demand")
    op.add_column("runs", sa.Column("report", postgresql.JSONB(), nullable=True), schema=SCHEMA)
    for column, values in CHECKS.items():
        listed = ", ".join(f"'{value}'" for value in values)
        op.create_check_constraint(
            op.f(f"ck_runs_{column}"), "runs", f"{column} IN ({listed})", schema=SCHEMA
        )
    _guard()


def downgrade() -> None:
    """Drops them."""
    op.execute(f"DROP TRIGGER check_move ON {SCHEMA}.runs")
    op.execute(f"DROP FUNCTION {SCHEMA}.check_run_move()")
    for column in CHECKS:
        op.drop_constraint(op.f(f"ck_runs_{column}"), "runs", schema=SCHEMA)
    for column in ("report", "trigger", "shadow", "filter", "params", "algorithm"):
        op.drop_column("runs", column, schema=SCHEMA)


def _add(name: str, kind: Any, default: Any) -> None:
    column = sa.Column(name, kind, server_default=default, nullable=False)
    op.add_column("runs", column, schema=SCHEMA)


def _guard() -> None:
    moves = " OR ".join(
        f"(OLD.state = '{state}' AND NEW.state = ANY ('{{{','.join(to.split())}}}'::text[]))"
        for state, to in MOVES.items()
    )
    before, after = (", ".join(f"{row}.{name}" for name in ASKED) for row in ("OLD", "NEW"))
    op.execute(f"""
        CREATE FUNCTION {SCHEMA}.check_run_move() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.state IN ('succeeded', 'failed', 'cancelled') THEN
                RAISE EXCEPTION 'run % is % and does not change any more', OLD.id, OLD.state
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'runs_move_check';
            END IF;
            IF OLD.state IS DISTINCT FROM NEW.state AND NOT ({moves}) THEN
                RAISE EXCEPTION 'run % is %, it cannot become %', OLD.id, OLD.state, NEW.state
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'runs_move_check';
            END IF;
            IF ({before}) IS DISTINCT FROM ({after}) THEN
                RAISE EXCEPTION 'what run % was asked for does not change', OLD.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'runs_asked_check';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(f"""
        CREATE TRIGGER check_move BEFORE UPDATE ON {SCHEMA}.runs
        FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.check_run_move()
    """)
