"""Shadow runs report and change nothing; other algorithms group the scope anew."""

from collections.abc import Mapping

import pytest

from libs.db.engine import Database
from services.clustering.domain.run import Algorithm, Run, RunParams, RunState
from services.clustering.repository.store import PostgresStore
from services.clustering.tables import metadata
from services.clustering.usecases.attempt import Worker
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import cluster
from tests.support.clustering.tables import rows, told

SUBJECTS = [photo for number in range(4) for photo in subject(number, 8)]
WANTED = {
    Algorithm.K_MEANS: RunParams(cluster_count=4),
    Algorithm.NEAREST: RunParams(threshold=0.5),
}
# A run is noted here; nothing else may change.
RUNS = {"runs", "requests"}


async def everything(database: Database) -> Mapping[str, list[str]]:
    """The rows of all tables but those that tell of runs."""
    names = [table.name for table in metadata.sorted_tables if table.name not in RUNS]
    return {
        name: sorted(repr(row) for row in await rows(database, f"SELECT * FROM {name}"))
        for name in names
    }


async def places(database: Database, run: Run) -> Mapping[str, set[str]]:
    """The items of each cluster in the version that a run wrote."""
    found = await rows(
        database,
        "SELECT cluster_id, item FROM members WHERE scope = :scope AND since <= :version"
        " AND (until IS NULL OR until > :version)",
        scope=run.scope,
        version=run.version,
    )
    members: dict[str, set[str]] = {}
    for row in found:
        members.setdefault(str(row.cluster_id), set()).add(row.item)
    return members


@pytest.mark.parametrize("algorithm", Algorithm)
async def test_a_shadow_run_changes_no_cluster(
    desk: Desk, worker: Worker, database: Database, algorithm: Algorithm
) -> None:
    await desk.arrive(SUBJECTS)
    shown = await cluster(worker, desk.scope)
    await desk.arrive(subject(4, 8))
    before = await everything(database)
    wanted = WANTED.get(algorithm, RunParams())
    run = await cluster(worker, desk.scope, algorithm=algorithm, params=wanted, shadow=True)
    assert (run.state, run.version) == (RunState.SUCCEEDED, 0)
    assert await everything(database) == before
    assert len(await told(database, "clusters.updated")) == 1
    assert run.report is not None
    assert run.report.items == len(SUBJECTS) + 8
    assert run.report.clusters == len(run.report.sizes) >= 4
    assert 0.5 < run.report.agreement <= 1.0
    assert shown.version == 1


async def test_a_shadow_of_the_same_algorithm_agrees(desk: Desk, worker: Worker) -> None:
    await desk.arrive(SUBJECTS)
    await cluster(worker, desk.scope)
    run = await cluster(worker, desk.scope, shadow=True)
    assert run.report is not None
    assert (run.report.clusters, run.report.agreement) == (4, 1.0)
    assert run.report.sizes == (8, 8, 8, 8)


async def test_a_shadow_run_of_an_empty_scope_reports_nothing(desk: Desk, worker: Worker) -> None:
    run = await cluster(worker, desk.scope, shadow=True)
    assert run.state is RunState.SUCCEEDED
    assert run.report is not None
    assert (run.report.items, run.report.clusters) == (0, 0)


@pytest.mark.parametrize("algorithm", [a for a in Algorithm if a is not Algorithm.MIXTURE])
async def test_another_algorithm_groups_anew_and_ids_live_on(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database, algorithm: Algorithm
) -> None:
    await desk.arrive(SUBJECTS)
    first = await places(database, await cluster(worker, desk.scope))
    wanted = WANTED.get(algorithm, RunParams())
    run = await cluster(worker, desk.scope, algorithm=algorithm, params=wanted)
    assert run.state is RunState.SUCCEEDED
    if run.version:
        now = await places(database, run)
        assert all(now[id] & first[id] for id in now.keys() & first.keys())
        assert len(now.keys() & first.keys()) == 4
    await desk.arrive(subject(4, 8))
    after = await cluster(worker, desk.scope)
    assert after.stats.refit
    assert (await places(database, after)).keys() >= first.keys()
