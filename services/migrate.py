"""Brings the schemas of the services up to date."""

import logging
from pathlib import Path

from libs.db.migrate import upgrade
from services.engines import DATABASES, Engines

log = logging.getLogger(__name__)


def migrate(engines: Engines) -> None:
    """Runs the missing migrations of every service. Blocks."""
    for service in DATABASES:
        folder = Path(__file__).parent / service / "migrations"
        if upgrade(engines.database_url(service), service, folder):
            log.info("migrated the schema %s", service)
