"""What both faces of this service, the served one and the working one, are built of."""

from pathlib import Path

from libs.app import App
from libs.db.engine import Database
from services.clustering.domain.verdict import Thresholds
from services.clustering.repository.store import PostgresStore
from services.clustering.settings import ClusteringSettings
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


def duplicate_thresholds(settings: ClusteringSettings) -> Thresholds:
    """Where this installation has verdicts begin; the cosine of one scene is the model's."""
    return Thresholds(
        min_structure=settings.copy_structure,
        max_distance=settings.copy_distance,
        min_cosine=settings.duplicate_floor,
        burst_seconds=settings.burst_seconds,
    )
