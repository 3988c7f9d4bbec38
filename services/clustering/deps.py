"""What both faces of this service, the served one and the working one, are built of."""

import os
import socket
from pathlib import Path

from libs.aio import BlockingPool
from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.clock import Clock
from libs.db.engine import Database
from libs.jobs.queue import JobQueue
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.domain.verdict import Thresholds
from services.clustering.repository.store import PostgresStore
from services.clustering.settings import ClusteringSettings
from services.clustering.tables import SCHEMA
from services.clustering.usecases.attempt import Sharding, Worker
from services.engines import Engines
from services.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(app: App[Settings], purpose: str) -> Database:
    """A pool of connections to this service's schema."""
    limits = app.settings.database_of(SCHEMA)
    return Database(
        app.need(Engines).database_url(SCHEMA),
        application_name=f"colonnade clustering {purpose}",
        pool_size=limits.pool_size,
        pool_timeout=limits.timeout,
        statement_timeout=limits.timeout,
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


def engine_params(settings: ClusteringSettings) -> Params:
    """How this installation groups items."""
    return Params(granularity=settings.granularity, min_size=settings.min_size)


def make_worker(
    settings: ClusteringSettings,
    store: PostgresStore,
    index: QdrantIndex,
    blobs: ObjectBlobs,
    queue: JobQueue,
    pool: BlockingPool,
    clock: Clock,
) -> Worker:
    """Who does clustering runs, whether they come from the queue or from the command line."""
    return Worker(
        store=store,
        vectors=IndexVectors(index),
        snapshots=BlobSnapshots(blobs),
        pool=pool,
        clock=clock,
        params=engine_params(settings),
        owner=process_name(),
        max_attempts=settings.max_attempts,
        sharding=Sharding(queue, settings.direct_limit, settings.shard_size),
    )


def process_name() -> str:
    """This process, for others who look at a lease."""
    return f"{socket.gethostname()}/{os.getpid()}"
