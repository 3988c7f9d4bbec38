"""Runs over a part of what waits: whatever they do, the others go on waiting."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.db.engine import Database
from services.clustering.algorithms.params import Params
from services.clustering.domain.run import Mode, RunFilter
from services.clustering.usecases.attempt import Worker
from tests.integration.clustering.test_texts_during_runs import P, Tracker, many
from tests.support.clustering.desk import Desk
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.tables import change, rows

SLACK = RunFilter(sources=("slack",))


@pytest.fixture
async def tracker(desk: Desk, database: Database) -> Tracker:
    return await Tracker.open(desk, database)


async def waiting(database: Database) -> set[str]:
    found = await rows(database, "SELECT item FROM item_vectors WHERE NOT grouped")
    return {row.item for row in found}


async def test_the_first_run_groups_what_it_is_asked_for(
    tracker: Tracker, worker: Worker, database: Database
) -> None:
    others = await tracker.write(many(0), source="github")
    nothing = await run(worker, P, filter=SLACK)
    assert (nothing.stats.noop, nothing.version) == (True, 0)
    chosen = await tracker.write({**many(1), **many(2)}, source="slack")
    done = await run(worker, P, filter=SLACK)
    assert (done.version, done.stats.refit, done.stats.items) == (1, True, len(chosen))
    assert (await tracker.homes()).keys() == {*chosen}
    assert await waiting(database) == {*others}


@pytest.mark.parametrize("due", [True, False])
async def test_a_refit_leaves_the_others_waiting_too(
    tracker: Tracker, worker: Worker, database: Database, due: bool
) -> None:
    # It is due with every item, or only asked for.
    worker = replace(worker, params=Params(growth_when_small=1.01 if due else 9.0, first_fit=5))
    before = await tracker.write(many(0), source="github")
    await run(worker, P)
    others = await tracker.write(many(1), source="github")
    chosen = await tracker.write(many(2), source="slack")
    done = await run(worker, P, Mode.AUTO if due else Mode.REFIT, filter=SLACK)
    assert done.stats.refit
    assert (await tracker.homes()).keys() == {*before, *chosen}
    assert await waiting(database) == {*others}
    rest = await run(worker, P)
    assert rest.stats.items == 30
    assert (await tracker.homes()).keys() == {*before, *chosen, *others}
    assert await waiting(database) == set()


async def test_only_what_came_in_since_is_looked_at(
    tracker: Tracker, worker: Worker, database: Database, desk: Desk
) -> None:
    old = await tracker.write(many(0))
    await change(database, "UPDATE items SET create_time = create_time - interval '1 hour'")
    new = await tracker.write({**many(1), **many(2)})
    since = RunFilter(since=desk.now() - timedelta(minutes=30))
    await run(worker, P, filter=since)
    assert (await tracker.homes()).keys() == {*new}
    assert await waiting(database) == {*old}


async def test_a_shadow_run_reports_of_the_same(
    tracker: Tracker, worker: Worker, database: Database
) -> None:
    await tracker.write(many(0), source="github")
    chosen = await tracker.write(many(1), source="slack")
    done = await run(worker, P, filter=SLACK, shadow=True)
    assert done.report is not None
    assert done.report.items == len(chosen)
    assert len(await waiting(database)) == 20
