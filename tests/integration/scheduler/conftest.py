from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from libs.db.migrate import upgrade
from services.scheduler.deps import MIGRATIONS
from tests.support.engines import Databases
from tests.support.scheduler_sites import KINDS, Site
from tests.support.scheduler_world import Stage, World, open_stage, open_world
from tests.support.stand_ins import StandIn


@pytest.fixture(scope="package")
def scheduler_url(databases: Databases) -> str:
    def prepare(url: str) -> None:
        upgrade(url, "scheduler", MIGRATIONS)

    return databases.fresh("scheduler", prepare)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stage(scheduler_url: str) -> AsyncIterator[Stage]:
    async with open_stage(scheduler_url) as stage:
        yield stage


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that takes seconds to answer is a busy machine here, and none that is away."""
    monkeypatch.setattr("services.scheduler.usecases.media.DATABASE_PATIENCE", 60.0)


@pytest_asyncio.fixture(loop_scope="package")
async def world(stage: Stage, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(stage, tmp_path) as world:
        yield world


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stand_ins() -> AsyncIterator[dict[str, StandIn]]:
    running = {name: kind.stand_in() for name, kind in KINDS.items()}
    for stand_in in running.values():
        await stand_in.__aenter__()
    yield running
    for stand_in in running.values():
        await stand_in.__aexit__(None, None, None)


@pytest.fixture
def site(world: World, stand_ins: dict[str, StandIn]) -> Callable[[str], Site]:
    def open_site(name: str) -> Site:
        stand_in = stand_ins[name]
        stand_in.reset()
        world.stand_ins.append(stand_in)
        return Site(world, KINDS[name], stand_in)

    return open_site
