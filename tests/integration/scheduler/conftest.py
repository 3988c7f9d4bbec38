from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.db.migrate import upgrade
from services.scheduler.deps import MIGRATIONS
from tests.support.engines import Databases
from tests.support.scheduler_world import Stage, World, open_stage, open_world


@pytest.fixture(scope="package")
def scheduler_url(databases: Databases) -> str:
    def prepare(url: str) -> None:
        upgrade(url, "scheduler", MIGRATIONS)

    return databases.fresh("scheduler", prepare)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stage(scheduler_url: str) -> AsyncIterator[Stage]:
    async with open_stage(scheduler_url) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="package")
async def world(stage: Stage, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(stage, tmp_path) as world:
        yield world
