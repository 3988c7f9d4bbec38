"""An older library, a catalog to take it in, and what stands in for the other services."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from libs.aio import BlockingPool
from libs.db.migrate import upgrade
from libs.images import ImageLimits
from services.catalog.deps import MIGRATIONS
from services.catalog.legacy.curated import CuratedClusters
from services.catalog.legacy.delivery import Delivery
from services.catalog.legacy.desk import Progress, Tools, silent
from services.catalog.legacy.media import FolderMedia
from services.catalog.legacy.migrating import Migrating
from services.catalog.legacy.past_posts import PastPosts
from services.catalog.legacy.rows import Source
from services.catalog.legacy.source import read_source
from services.catalog.pictures import PooledPictures
from services.catalog.settings import CatalogSettings
from services.catalog.tables import SCHEMA
from services.catalog.usecases.uploads import UploadLimits
from tests.integration.catalog.library import Library
from tests.support.engines import Databases
from tests.support.legacy import sample
from tests.support.legacy.database import LegacyDatabase
from tests.support.legacy.services import Clustering, Scheduler


@dataclass
class Move:
    """A migration of the sample on real engines."""

    lib: Library
    legacy: LegacyDatabase
    files: Path
    tools: Tools
    scheduler: Scheduler = field(default_factory=Scheduler)
    clustering: Clustering = field(default_factory=Clustering)

    def steps(self, progress: Progress = silent) -> Migrating:
        receivers = [PastPosts(self.scheduler), CuratedClusters(self.clustering)]  # type: ignore[arg-type]
        return Migrating(self.tools, Delivery(receivers), progress)

    @property
    def source(self) -> Source:
        return read_source(self.legacy.url)

    async def apply(self) -> dict[str, Any]:
        return await self.steps().apply(self.source, FolderMedia(self.files))

    async def count(self, table: str) -> int:
        rows = await self.lib.rows(f"SELECT count(*) AS n FROM catalog.{table}")
        return int(rows[0].n)


@pytest.fixture
def catalog_url(databases: Databases) -> str:
    """A catalog for each test: a migration is about all that there is."""

    def prepare(url: str) -> None:
        upgrade(url, SCHEMA, MIGRATIONS)

    return databases.fresh(SCHEMA, prepare)


@pytest.fixture
def pool() -> Iterator[BlockingPool]:
    pool = BlockingPool("decode", 2)
    yield pool
    pool.close()


@pytest.fixture
def move(
    lib: Library,
    databases: Databases,
    pool: BlockingPool,
    settings: CatalogSettings,
    tmp_path: Path,
) -> Move:
    pictures = PooledPictures(pool, ImageLimits(settings.max_bytes, settings.max_pixels))
    limits = UploadLimits(settings.max_bytes, settings.spool_bytes)
    tools = Tools(lib.database, lib.blobs, pictures, lib.clock, limits)
    files = sample.write_files(tmp_path / "files")
    return Move(lib, LegacyDatabase(databases.fresh()), files, tools)
