"""More providers: limits that they told, tokens that end, what an attempt prepared."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

SCHEMA = "scheduler"
CHECK = "channels_provider_check"
TIMES = ("token_expire_time", "renew_time")


def upgrade() -> None:
    served = "'buffer', 'mastodon', 'bluesky', 'webhook', 'postiz', 'instagram'"
    _check(f"provider IN ({served})")
    limits = sa.Column("limits", JSONB, nullable=False, server_default="{}")
    op.add_column("channels", limits, schema=SCHEMA)
    for name in TIMES:
        time = sa.Column(name, sa.DateTime(timezone=True))
        op.add_column("channels", time, schema=SCHEMA)
    op.create_index(
        "channels_to_renew",
        "channels",
        ["renew_time"],
        schema=SCHEMA,
        postgresql_where=sa.text("renew_time IS NOT NULL"),
    )
    handle = sa.Column("handle", sa.Text, nullable=False, server_default="")
    op.add_column("attempts", handle, schema=SCHEMA)


def downgrade() -> None:
    op.drop_column("attempts", "handle", schema=SCHEMA)
    op.drop_index("channels_to_renew", table_name="channels", schema=SCHEMA)
    for name in ("limits", *TIMES):
        op.drop_column("channels", name, schema=SCHEMA)
    _check("provider IN ('buffer')")


def _check(condition: str) -> None:
    op.drop_constraint(CHECK, "channels", schema=SCHEMA, type_="check")
    op.create_check_constraint(CHECK, "channels", condition, schema=SCHEMA)
