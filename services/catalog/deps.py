"""What the catalog's processes are built of."""

import os
from datetime import timedelta
from pathlib import Path

from libs.aio import BlockingPool
from libs.blobs.store import BlobStore
from libs.clock import Clock
from libs.db.engine import Database
from libs.images import ImageLimits
from libs.rpc.call import current_call
from services.catalog.pictures import PooledPictures
from services.catalog.repository.catalog import CatalogDatabase
from services.catalog.settings import CatalogSettings
from services.catalog.usecases.all import UseCases
from services.catalog.usecases.gaps import GapCases
from services.catalog.usecases.media import MediaCases
from services.catalog.usecases.personas import PersonaCases
from services.catalog.usecases.photos import PhotoCases
from services.catalog.usecases.pillars import PillarCases
from services.catalog.usecases.sweeping import SweepBlobs
from services.catalog.usecases.uploads import UploadCases, UploadLimits

MIGRATIONS = Path(__file__).parent / "migrations"


def trace() -> str:
    """The traceparent of the call being served; empty outside of one."""
    call = current_call.get()
    return call.forwarded.get("traceparent", "") if call else ""


def decode_pool(settings: CatalogSettings) -> BlockingPool:
    """The threads in which pictures are decoded."""
    return BlockingPool("decode", settings.decode_threads or os.cpu_count() or 1)


def use_cases(
    settings: CatalogSettings,
    database: Database,
    blobs: BlobStore,
    pool: BlockingPool,
    clock: Clock,
) -> UseCases:
    """Everything that the service can do."""
    catalog = CatalogDatabase(database, clock, trace)
    pictures = PooledPictures(pool, ImageLimits(settings.max_bytes, settings.max_pixels))
    limits = UploadLimits(settings.max_bytes, settings.spool_bytes)
    return UseCases(
        personas=PersonaCases(catalog, clock),
        pillars=PillarCases(catalog, clock),
        photos=PhotoCases(catalog, clock),
        uploads=UploadCases(catalog, blobs, pictures, clock, limits),
        media=MediaCases(catalog, blobs, pictures),
        gaps=GapCases(catalog, clock),
    )


def sweep(
    settings: CatalogSettings, database: Database, blobs: BlobStore, clock: Clock
) -> SweepBlobs:
    """The job that removes blobs that no photo uses."""
    grace = timedelta(seconds=settings.sweep_grace)
    return SweepBlobs(CatalogDatabase(database, clock), blobs, clock, grace)
