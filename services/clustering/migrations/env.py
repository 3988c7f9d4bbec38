"""Alembic's entry to the schema ``clustering``."""

from libs.db.migrate import run_env
from services.clustering.tables import metadata

run_env(metadata)
