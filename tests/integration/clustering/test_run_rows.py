"""Asking for runs and reading them: one at a time, in pages, by state; and what the database itself
refuses."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.clustering_run_pb2 import (
    ClusteringFilter,
    ClusteringParams,
    ClusteringRun,
)
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    ClusteringServiceStub,
    add_ClusteringServiceServicer_to_server,
)
from sqlalchemy.exc import IntegrityError

from libs.db.engine import Database
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from libs.ids import uuid7
from libs.lease import Lease, LeaseLost
from libs.rpc.paging import PageTokens
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.run import (
    ALLOWED_MOVES,
    ENDED,
    Algorithm,
    Mode,
    Run,
    RunFilter,
    RunParams,
    RunReport,
    RunState,
    Stats,
    Trigger,
)
from services.clustering.module import SERVICE
from services.clustering.repository.store import PostgresStore
from services.clustering.servicer import ClusteringServicer
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import waiting_runs
from services.clustering.usecases.runs import cancel_run, create_run, run_name
from tests.support.clock import NOON, FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.photos import created, subject
from tests.support.clustering.runs import NO_KEY, ask, cluster, look
from tests.support.clustering.tables import change, expire, rows
from tests.support.rpc import serve

SCOPE = "personas/nora"
OWNER = "worker"


async def ended_runs(database: Database, count: int, *, state: str = "cancelled") -> None:
    """So many runs of a scope that have ended, a second after each other, before noon."""
    await change(
        database,
        """
        INSERT INTO runs (id, scope, mode, state, create_time)
        SELECT gen_random_uuid(), :scope, 'auto', :state,
               CAST(:noon AS timestamptz) - number * interval '1 second'
        FROM generate_series(1, :count) AS number
        """,
        scope=SCOPE,
        state=state,
        noon=NOON,
        count=count,
    )


async def listed(stub: ClusteringServiceStub, **query: Any) -> api.ListClusteringRunsResponse:
    return await stub.ListClusteringRuns(api.ListClusteringRunsRequest(parent=SCOPE, **query))


async def test_parallel_calls_make_one_run_and_the_others_are_told_of_it(
    store: PostgresStore, queue: MemoryQueue, database: Database
) -> None:
    async def create() -> Run:
        wanted = Run(uuid7(), SCOPE, Mode.AUTO, NOON)
        return await create_run(store, queue, FakeClock(), wanted, NO_KEY)

    answers = await asyncio.gather(*(create() for _ in range(8)), return_exceptions=True)
    (made,) = [answer for answer in answers if isinstance(answer, Run)]
    refused = [answer for answer in answers if isinstance(answer, AlreadyExists)]
    assert len(refused) == 7
    assert {error.metadata["run"] for error in refused} == {run_name(SCOPE, made.id)}
    assert {error.reason for error in refused} == {"RUN_ACTIVE"}
    assert len(await rows(database, "SELECT FROM runs")) == len(queue.sent) == 1


async def test_a_run_that_could_not_be_announced_is_found_by_the_sweep(
    store: PostgresStore, queue: MemoryQueue, worker: Worker
) -> None:
    queue.away = True
    wanted = Run(uuid7(), SCOPE, Mode.AUTO, NOON)
    run = await create_run(store, queue, FakeClock(), wanted, NO_KEY)
    assert run.state is RunState.QUEUED and not queue.sent
    assert await waiting_runs(worker) == [run.id]


async def test_what_somebody_asked_for_is_announced_first(
    store: PostgresStore, worker: Worker
) -> None:
    for number, trigger in enumerate((Trigger.SCHEDULE, Trigger.GENERATION, Trigger.DEMAND)):
        run = Run(uuid7(), f"personas/p{number}", Mode.AUTO, NOON, trigger=trigger)
        await create_run(store, MemoryQueue(), FakeClock(), run, NO_KEY)
    first, *_ = await waiting_runs(worker)
    assert first == run.id


async def test_all_that_is_known_of_a_run_is_kept(
    store: PostgresStore, desk: Desk, worker: Worker
) -> None:
    asked = await ask(
        store,
        "projects/radar",
        Mode.REFIT,
        algorithm=Algorithm.NEAREST,
        params=RunParams(min_size=3, threshold=0.0),
        filter=RunFilter(("slack", "mail"), NOON - timedelta(days=1)),
        shadow=True,
        trigger=Trigger.BACKFILL,
    )
    async with store.begin() as tx:
        taken = await tx.ledger.take(asked.id, OWNER, 3)
        assert taken is not None
        run, lease = taken
        report = RunReport(9, 2, 0.25, 0.5, 0.75, (5, 2), 12)
        stats = Stats(items=9, merged=1, split=2, quarantined=3, drift=0.125)
        ended = replace(run, state=RunState.SUCCEEDED, stats=stats, report=report)
        kept = await tx.ledger.end(ended, lease)
        await tx.commit()
    assert (kept.stats, kept.report) == (stats, report)
    same = ("mode", "algorithm", "params", "filter", "shadow", "trigger")
    assert [getattr(kept, name) for name in same] == [getattr(asked, name) for name in same]
    assert kept == await look(store, asked)


async def test_a_filter_leaves_the_others_waiting(
    store: PostgresStore, desk: Desk, worker: Worker
) -> None:
    # So many that two more are no reason to group everything anew.
    await desk.arrive([vector for number in range(3) for vector in subject(number, 20)])
    await cluster(worker, desk.scope)
    early, late = (desk.photo(vector) for vector in subject(0, 2, seed=5))
    await desk.deliver(created(early, time=NOON - timedelta(hours=2)))
    await desk.deliver(created(late, time=NOON - timedelta(minutes=10)))
    chosen = RunFilter(since=NOON - timedelta(hours=1))
    first = await cluster(worker, desk.scope, filter=chosen)
    assert await placed(store, desk.scope, early, late) == {late}
    second = await cluster(worker, desk.scope)
    assert (first.version, second.version) == (2, 3)
    assert await placed(store, desk.scope, early, late) == {early, late}


async def placed(store: PostgresStore, scope: str, *photos: str) -> set[str]:
    """Which of these photos are in a cluster."""
    async with store.read() as tx:
        state = await tx.clusters.scope(scope)
        named = await tx.clusters.member_sets(scope, state.version)
    return {name for members in named.values() for name in members} & {*photos}


async def test_wrong_wishes_name_their_fields(stub: ClusteringServiceStub) -> None:
    later = ClusteringFilter(sources=["slack"])
    later.since_time.FromDatetime(NOON + timedelta(seconds=1))
    wanted = ClusteringRun(
        algorithm=ClusteringRun.ALGORITHM_K_MEANS,
        params=ClusteringParams(granularity=0.4),
        filter=later,
    )
    with pytest.raises(InvalidArgument) as caught:
        await stub.CreateClusteringRun(
            api.CreateClusteringRunRequest(parent=SCOPE, clustering_run=wanted)
        )
    assert [violation.field for violation in caught.value.violations] == [
        "clustering_run.params.granularity",
        "clustering_run.params.cluster_count",
        "clustering_run.filter.sources",
        "clustering_run.filter.since_time",
    ]


async def test_pages_have_no_gap_and_no_repeat_while_new_runs_arrive(
    stub: ClusteringServiceStub, database: Database
) -> None:
    await ended_runs(database, 120)
    there = [row.id for row in await rows(database, "SELECT id FROM runs ORDER BY create_time, id")]
    names: list[str] = []
    token = ""
    while True:
        page = await listed(stub, page_size=17, page_token=token)
        names += [run.name for run in page.clustering_runs]
        await ask_and_cancel(stub)
        token = page.next_page_token
        if not token:
            break
    assert names == [run_name(SCOPE, str(run_id)) for run_id in reversed(there)]
    assert len(await rows(database, "SELECT FROM runs")) == 120 + 8


async def ask_and_cancel(stub: ClusteringServiceStub) -> None:
    run = await stub.CreateClusteringRun(api.CreateClusteringRunRequest(parent=SCOPE))
    await stub.CancelClusteringRun(api.CancelClusteringRunRequest(name=run.name))


async def test_runs_are_listed_by_state_and_trigger(
    stub: ClusteringServiceStub, store: PostgresStore, database: Database
) -> None:
    await ended_runs(database, 3, state="failed")
    await ended_runs(database, 2)
    await ask(store, SCOPE, trigger=Trigger.SCHEDULE)
    for condition, count in (
        ('state = "FAILED"', 3),
        ('state != "FAILED"', 3),
        ('trigger = "SCHEDULE"', 1),
        ('trigger = "DEMAND" AND state = "CANCELLED"', 2),
        ("", 6),
    ):
        assert len((await listed(stub, filter=condition)).clustering_runs) == count, condition
    token = (await listed(stub, filter='state = "FAILED"', page_size=1)).next_page_token
    for wrong in ({"filter": "state = LOST"}, {"filter": "version = 1"}, {"page_token": token}):
        with pytest.raises(InvalidArgument):
            await listed(stub, **wrong)


async def test_the_database_allows_the_moves_that_the_code_makes_and_no_others(
    database: Database,
) -> None:
    for before, after in product(RunState, RunState):
        await change(database, "DELETE FROM runs")
        await ended_runs(database, 1, state=before)
        move = change(database, "UPDATE runs SET state = :after", after=after)
        if after in ALLOWED_MOVES[before] or (after is before and before not in ENDED):
            await move
        else:
            with pytest.raises(IntegrityError, match=before):
                await move


async def test_nothing_of_a_run_that_has_ended_changes(database: Database) -> None:
    for state in ENDED:
        await ended_runs(database, 1, state=state)
    for column in ("phase", "version", "stats", "end_time", "lease_owner"):
        with pytest.raises(IntegrityError, match="does not change any more"):
            await change(database, f"UPDATE runs SET {column} = {column}")


async def test_what_a_run_was_asked_for_does_not_change(
    store: PostgresStore, database: Database
) -> None:
    await ask(store, SCOPE)
    with pytest.raises(IntegrityError, match="asked for"):
        await change(database, "UPDATE runs SET shadow = true")


async def test_whatever_callers_and_workers_do_a_run_makes_only_allowed_moves(
    store: PostgresStore, database: Database, worker: Worker
) -> None:
    """A walk of random steps; the database would refuse every move that is not allowed."""
    ends = set()
    for seed in range(12):
        walk = Walk(store, database, worker, random.Random(seed))
        await walk.go(10)
        ends.add((await look(store, walk.run)).state)
    assert ends >= set(ENDED), "the walks came to each end"


class Walk:
    """Random steps of callers, workers, sweeps and time on one run."""

    def __init__(
        self, store: PostgresStore, database: Database, worker: Worker, chance: random.Random
    ) -> None:
        self._store = store
        self._database = database
        self._worker = worker
        self._chance = chance
        self._leases: list[Lease] = []
        self._attempts = chance.randint(1, 3)

    async def go(self, steps: int) -> None:
        self.run = await ask(self._store, f"personas/p{self._chance.randrange(10**9)}")
        takes = self._take, self._take, self._end, self._put_back
        others = self._renew, self._cancel, self._sweep, self._minute
        before = self.run.state
        for _ in range(steps):
            await self._chance.choice([*takes, *others])()
            after = (await look(self._store, self.run)).state
            assert after is before or after in ALLOWED_MOVES[before] or self._two(before, after)
            before = after

    def _two(self, before: RunState, after: RunState) -> bool:
        return any(after in ALLOWED_MOVES[between] for between in ALLOWED_MOVES[before])

    async def _take(self) -> None:
        async with self._store.begin() as tx:
            taken = await tx.ledger.take(self.run.id, OWNER, self._attempts)
            await tx.commit()
        if taken is not None:
            self._leases.append(taken[1])

    async def _with_lease(self, step: str, *values: Any, state: RunState) -> None:
        if not self._leases:
            return
        run = replace(self.run, state=state)
        try:
            async with self._store.begin() as tx:
                await getattr(tx.ledger, step)(run, self._chance.choice(self._leases), *values)
                await tx.commit()
        except LeaseLost:
            return

    async def _renew(self) -> None:
        await self._with_lease("renew", state=RunState.RUNNING)

    async def _end(self) -> None:
        ended = self._chance.choice([RunState.SUCCEEDED, RunState.FAILED])
        await self._with_lease("end", state=ended)

    async def _put_back(self) -> None:
        delay = timedelta(seconds=self._chance.choice([0, 60]))
        await self._with_lease("put_back", delay, state=RunState.QUEUED)

    async def _cancel(self) -> None:
        try:
            await cancel_run(self._store, run_name(self.run.scope, self.run.id), NO_KEY)
        except FailedPrecondition:
            return

    async def _sweep(self) -> None:
        await waiting_runs(replace(self._worker, max_attempts=self._attempts))

    async def _minute(self) -> None:
        await expire(self._database)


async def test_a_watcher_that_goes_away_frees_the_service(
    store: PostgresStore, index: QdrantIndex, desk: Desk
) -> None:
    watching, freed = asyncio.Event(), asyncio.Event()

    class Watched(ClusteringServicer):
        async def WatchClusteringRun(
            self, request: api.WatchClusteringRunRequest, context: Any
        ) -> AsyncIterator[api.WatchClusteringRunResponse]:
            try:
                async for answer in super().WatchClusteringRun(request, context):
                    watching.set()
                    yield answer
            finally:
                freed.set()

    servicer = Watched(
        store,
        index,
        MemoryQueue(),
        desk.clock,
        PageTokens(b"secret"),
        is_stopping=lambda: False,
    )
    register = add_ClusteringServiceServicer_to_server
    async with (
        serve(servicer, SERVICE, register, ClusteringServiceStub) as stub,
        asyncio.timeout(60),
    ):
        run = await ask(store, desk.scope)
        name = run_name(run.scope, run.id)
        watch = aiter(stub.WatchClusteringRun(api.WatchClusteringRunRequest(name=name)))
        assert (await anext(watch)).clustering_run.name == name
        await watching.wait()
        assert not freed.is_set()
        await watch.aclose()
        await freed.wait()
