"""What both faces of this service, the served one and the working one, are built of."""

from pathlib import Path

from libs.app import App
from libs.db.engine import Database
from services.clustering.repository.store import PostgresStore
from services.clustering.tables import SCHEMA
from services.engines import Engines
from services.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(app: App[Settings], purpose: str) -> Database:
    """A pool of connections to this service's schema."""
    return Database(
        app.need(Engines).database_url(SCHEMA),
        application_name=f"colonnade clustering {purpose}",
        pool_size=app.settings.database.pool_size,
    )


def open_store(app: App[Settings], database: Database) -> PostgresStore:
    """Where everything of this service is kept."""
    return PostgresStore(database, app.clock)
