"""Runs the migrations of the catalog."""

from libs.db.migrate import run_env
from services.catalog.tables import METADATA

run_env(METADATA)
