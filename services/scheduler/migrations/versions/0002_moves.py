"""The allowed moves of posts and publications, and triggers that refuse all others."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "scheduler"

POST_MOVES = {
    "draft": "awaiting_image ready scheduled cancelled",
    "awaiting_image": "ready cancelled",
    "ready": "scheduled cancelled",
    "scheduled": "posting draft cancelled",
    "posting": "posted failed scheduled",
    "failed": "scheduled cancelled",
}
PUBLICATION_MOVES = {
    "draft": "ready failed cancelled",
    "ready": "draft submitting failed cancelled missed",
    "submitting": "ready retry_wait unknown scheduled publishing posted failed",
    "retry_wait": "draft submitting failed cancelled missed",
    "unknown": "reconciling",
    "reconciling": "unknown scheduled retry_wait needs_review",
    "scheduled": "draft publishing posted failed cancelled needs_review",
    "publishing": "posted failed needs_review",
    "failed": "ready cancelled",
    "missed": "ready cancelled",
    "needs_review": "ready reconciling scheduled posted failed cancelled",
}


def upgrade() -> None:
    _guard("posts", "post_moves", POST_MOVES)
    _guard("publications", "publication_moves", PUBLICATION_MOVES)


def downgrade() -> None:
    for table, moves in (("publications", "publication_moves"), ("posts", "post_moves")):
        op.execute(f"DROP TRIGGER check_move ON {SCHEMA}.{table}")
        op.execute(f"DROP FUNCTION {SCHEMA}.check_{moves}()")
        op.drop_table(moves, schema=SCHEMA)


def _guard(table: str, moves: str, allowed: dict[str, str]) -> None:
    made = op.create_table(
        moves,
        sa.Column("from_state", sa.Text, primary_key=True),
        sa.Column("to_state", sa.Text, primary_key=True),
        schema=SCHEMA,
    )
    rows = [
        {"from_state": state, "to_state": to}
        for state, following in allowed.items()
        for to in following.split()
    ]
    op.bulk_insert(made, rows)
    op.execute(f"""
        CREATE FUNCTION {SCHEMA}.check_{moves}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM {SCHEMA}.{moves} AS move
                WHERE move.from_state = OLD.state AND move.to_state = NEW.state
            ) THEN
                RAISE EXCEPTION '% is %, it cannot become %', OLD.id, OLD.state, NEW.state
                    USING ERRCODE = 'check_violation', CONSTRAINT = '{table}_move_check';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(f"""
        CREATE TRIGGER check_move BEFORE UPDATE ON {SCHEMA}.{table}
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
        EXECUTE FUNCTION {SCHEMA}.check_{moves}()
    """)
