"""Alembic's entry to the schema ``scheduler``."""

from libs.db.migrate import run_env
from services.scheduler.tables import METADATA

run_env(METADATA)
