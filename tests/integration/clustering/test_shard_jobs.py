"""Shards as jobs of a worker process: announced by the sweep, done without their run."""

from dataclasses import replace

import pytest

from libs.app import App
from libs.db.engine import Database
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.shards import fit_in_shards
from services.settings import Settings
from tests.integration.clustering.test_module import WORKING, app, embedding, peers, running
from tests.integration.clustering.test_shards import LARGE, Each, Scope, begin, large, scope
from tests.support.clustering.faults import Died
from tests.support.clustering.tables import rows
from tests.support.wait import eventually

__all__ = ["app", "embedding", "large", "peers", "scope"]


async def test_a_worker_takes_the_shards_of_a_run_that_fell_silent(
    app: App[Settings], scope: Scope, large: Worker, database: Database
) -> None:
    async def die() -> None:
        raise Died

    attempt = await begin(large, scope.name)
    silent = replace(large, sharding=replace(large.sharding, queue=Each(large.sharding, die)))
    with pytest.raises(Died):
        await fit_in_shards(silent, attempt, LARGE)
    waiting = "SELECT FROM shards WHERE state = 'waiting'"
    assert len(await rows(database, waiting)) == 5

    async def done() -> bool:
        return not await rows(database, waiting)

    async with running(app, *WORKING):
        await eventually(done, within=60)
    answered = await rows(database, "SELECT result FROM shards")
    assert all("/part-" in row.result for row in answered)
