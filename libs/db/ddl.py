"""What a service's first migration calls to make the support tables.

Frozen: once a release has run it, a change to these tables is a new function and a new migration.
"""

import sqlalchemy as sa


def create_support_tables(schema: str) -> None:
    """Makes ``outbox`` (with the trigger that wakes the relay), ``inbox`` and ``request_log``."""
    from alembic import op

    _create_outbox(schema)
    now = sa.func.now()
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("create_time", moment, nullable=False, server_default=now, index=True),
        schema=schema,
    )
    op.create_table(
        "request_log",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False, server_default=""),
        sa.Column("create_time", moment, nullable=False, server_default=now, index=True),
        schema=schema,
    )


def drop_support_tables(schema: str) -> None:
    """Undoes ``create_support_tables``."""
    from alembic import op

    for table in ("request_log", "inbox", "outbox"):
        op.drop_table(table, schema=schema)
    op.execute(f'DROP FUNCTION "{schema}".wake_relay()')


def _create_outbox(schema: str) -> None:
    from alembic import op

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("ordering_key", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("trace", sa.Text, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        schema=schema,
    )
    op.execute(f"""
        CREATE FUNCTION "{schema}".wake_relay() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify(TG_TABLE_SCHEMA || '_outbox', '');
            RETURN NULL;
        END $$
    """)
    op.execute(f"""
        CREATE TRIGGER wake_relay AFTER INSERT ON "{schema}".outbox
        FOR EACH STATEMENT EXECUTE FUNCTION "{schema}".wake_relay()
    """)
