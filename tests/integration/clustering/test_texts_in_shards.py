"""Texts that are changed while everything is grouped anew in shards: they wait again, and the next
run finds their places."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceStub

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.run import Mode, Run
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Sharding, Worker
from tests.integration.clustering.test_steps import assert_exact
from tests.integration.clustering.test_steps import worker as worker
from tests.integration.clustering.test_texts_during_runs import P, Tracker, like, many
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.faults import Hook
from tests.support.clustering.photos import TEXTS
from tests.support.clustering.runs import cluster
from tests.support.clustering.tables import change as change_rows
from tests.support.clustering.tables import rows

COUNT = 24
# What is written when the vectors are about to be read for the first time, when they are about to
# be read for the last time, and when all is found.
RECIPE, OUTCOME, MEMORY = "recipe", "outcome", "memory"


class During:
    """Snapshots; something happens before the first of this kind is stored."""

    def __init__(self, snapshots: Any, kind: str, hook: Hook) -> None:
        self._snapshots = snapshots
        self._kind = kind
        self._hook: Hook | None = hook

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshots, name)

    async def save(self, key: str, data: bytes) -> None:
        kind = key.rpartition("/")[2] if "/shards/" in key else MEMORY
        if kind.startswith(self._kind) and self._hook is not None:
            hook, self._hook = self._hook, None
            await hook()
        await self._snapshots.save(key, data)


@pytest.fixture
async def tracker(desk: Desk, database: Database) -> Tracker:
    return await Tracker.open(desk, database)


@pytest.fixture
def large(worker: Worker, queue: MemoryQueue) -> Worker:
    """A worker for which ten texts are many."""
    return replace(worker, sharding=Sharding(queue, direct_limit=10, size=9, poll_seconds=0.01))


@pytest.fixture
def exact(
    store: PostgresStore, blobs: ObjectBlobs, index: QdrantIndex, database: Database
) -> Callable[[], Awaitable[None]]:
    async def exact() -> None:
        await assert_exact(store, blobs, index, database, P, TEXTS.name)

    return exact


@pytest.fixture
def regroup(large: Worker) -> Callable[[str, Hook], Awaitable[Run]]:
    async def regroup(kind: str, hook: Hook) -> Run:
        """A refit in shards, during which something happens."""
        during: Any = During(large.snapshots, kind, hook)
        run = await cluster(replace(large, snapshots=during), P, Mode.REFIT)
        assert run.stats.refit
        return run

    return regroup


async def waiting(database: Database) -> list[str]:
    found = await rows(
        database, "SELECT item FROM item_vectors WHERE state = 'ready' AND NOT grouped"
    )
    return [row.item for row in found]


@pytest.mark.parametrize("moment", [OUTCOME, MEMORY])
async def test_a_text_changed_meanwhile_waits_and_finds_its_place_in_the_next_run(
    tracker: Tracker, large: Worker, regroup: Any, exact: Any, database: Database, moment: str
) -> None:
    first, *_ = await tracker.write(many(0, COUNT))
    other, *_ = await tracker.write(many(1, COUNT))
    await cluster(large, P)

    async def change() -> None:
        await tracker.write({"0-0": like(1)}, "changed")

    done = await regroup(moment, change)
    assert await waiting(database) == [first]
    assert (done.stats.items, done.stats.clustered, done.stats.unclustered) == (
        2 * COUNT - 1,
        2 * COUNT - 1,
        0,
    )
    assert first not in await tracker.homes()
    await exact()
    step = await cluster(large, P)
    assert (step.stats.refit, step.stats.items) == (False, 2 * COUNT)
    homes = await tracker.homes()
    assert homes[first] == homes[other]
    assert await waiting(database) == []
    await exact()


@pytest.mark.parametrize("moment", [OUTCOME, MEMORY])
async def test_a_new_text_changed_during_its_first_run_waits_too(
    tracker: Tracker, large: Worker, regroup: Any, database: Database, moment: str
) -> None:
    first, *_ = await tracker.write(many(0, COUNT))
    other, *_ = await tracker.write(many(1, COUNT))

    async def change() -> None:
        await tracker.write({"0-0": like(1)}, "changed")

    await regroup(moment, change)
    assert await waiting(database) == [first]
    assert first not in await tracker.homes()
    await cluster(large, P)
    homes = await tracker.homes()
    assert homes[first] == homes[other]


async def test_a_text_changed_before_the_vectors_are_read_has_its_place_at_once(
    tracker: Tracker, large: Worker, regroup: Any, exact: Any, database: Database
) -> None:
    first, *_ = await tracker.write(many(0, COUNT))
    other, *_ = await tracker.write(many(1, COUNT))
    await cluster(large, P)

    async def change() -> None:
        await tracker.write({"0-0": like(1)}, "changed")

    await regroup(RECIPE, change)
    homes = await tracker.homes()
    assert homes[first] == homes[other]
    assert await waiting(database) == []
    await exact()


async def test_copies_of_a_text_changed_meanwhile_are_copies_no_more(
    tracker: Tracker, large: Worker, regroup: Any, exact: Any, database: Database
) -> None:
    await tracker.write({**many(0, COUNT), "copy": many(0, 1)["0-0"]})
    await tracker.write(many(1, COUNT))
    await cluster(large, P)
    (copy,) = await rows(
        database, "SELECT item, duplicate_of FROM members WHERE duplicate_of <> ''"
    )
    (original,) = await rows(
        database, "SELECT external_id FROM texts WHERE item = :item", item=copy.duplicate_of
    )

    async def change() -> None:
        await tracker.write({original.external_id: like(1)}, "changed")

    await regroup(MEMORY, change)
    assert await waiting(database) == [copy.duplicate_of]
    (left,) = await rows(
        database,
        "SELECT duplicate_of FROM members WHERE item = :item AND until IS NULL",
        item=copy.item,
    )
    assert left.duplicate_of == ""
    await exact()


async def test_nothing_that_was_noted_is_left_behind(
    tracker: Tracker, large: Worker, database: Database
) -> None:
    await tracker.write({**many(0, COUNT), **many(1, COUNT)})
    noted: list[int] = []

    async def look() -> None:
        noted.append(len(await rows(database, "SELECT FROM fitted_texts")))

    during: Any = During(large.snapshots, MEMORY, look)
    await cluster(replace(large, snapshots=during), P)
    assert noted == [2 * COUNT]
    assert await rows(database, "SELECT FROM fitted_texts") == []


async def test_a_locked_text_changed_meanwhile_stays_and_counts_again_after_the_next_run(
    tracker: Tracker,
    large: Worker,
    regroup: Any,
    exact: Any,
    database: Database,
    stub: ClusteringServiceStub,
) -> None:
    first, *_ = await tracker.write(many(0, COUNT))
    await tracker.write(many(1, COUNT))
    await cluster(large, P)
    home = (await tracker.homes())[first]
    await stub.LockClusterMembers(
        api.LockClusterMembersRequest(name=f"{P}/clusters/{home}", items=[first])
    )

    async def change() -> None:
        await tracker.write({"0-0": like(1)}, "changed")

    await regroup(MEMORY, change)
    assert await waiting(database) == [first]
    assert (await tracker.homes())[first] == home
    await cluster(large, P)
    assert (await tracker.homes())[first] == home
    assert await waiting(database) == []
    await exact()


async def test_a_text_embedded_before_texts_had_hashes_waits_too(
    tracker: Tracker, large: Worker, regroup: Any, exact: Any, database: Database
) -> None:
    first, *_ = await tracker.write(many(0, COUNT))
    other, *_ = await tracker.write(many(1, COUNT))
    await cluster(large, P)
    await change_rows(database, "UPDATE item_vectors SET text_hash = ''")

    async def change() -> None:
        await tracker.write({"0-0": like(1)}, "changed")

    await regroup(MEMORY, change)
    assert await waiting(database) == [first]
    await cluster(large, P)
    homes = await tracker.homes()
    assert homes[first] == homes[other]
    await exact()


async def test_what_has_no_vector_is_counted(
    tracker: Tracker, large: Worker, database: Database
) -> None:
    names = await tracker.write({**many(0, COUNT), **many(1, COUNT)})
    for name, state, attempts in ((0, "pending", 0), (1, "pending", 2), (2, "quarantined", 9)):
        await change_rows(
            database,
            "UPDATE item_vectors SET state = :state, attempts = :attempts WHERE item = :item",
            state=state,
            attempts=attempts,
            item=names[name],
        )
    stats = (await cluster(large, P)).stats
    assert (stats.refit, stats.items) == (True, 2 * COUNT - 3)
    assert (stats.missing, stats.failed_embeddings, stats.quarantined) == (2, 1, 1)
