"""Texts that are changed, closed and opened while a run is at work on them: the engine's memory has
each of them once, with the vector that it has now."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.errors import NotFound
from libs.vectors.qdrant import QdrantIndex
from services.clustering.algorithms.params import Params
from services.clustering.domain.item import Modality
from services.clustering.domain.run import Mode
from services.clustering.domain.text import Draft
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.items import Taken, close_item, create_items, reopen_item
from services.clustering.usecases.leaving import leave_clusters
from tests.integration.clustering.test_steps import assert_exact
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Hooked
from tests.support.clustering.photos import TEXTS, Vector, subject
from tests.support.clustering.runs import NO_KEY
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.tables import rows

P = "projects/lumen"
COUNT = 10


class Tracker:
    """Texts of one project, each with the vector that its title has."""

    def __init__(self, desk: Desk, database: Database) -> None:
        self.desk = desk
        self._database = database
        self._vectors: dict[str, Vector] = {}
        desk.embedder.of_text = self._vectors.__getitem__

    @classmethod
    async def open(cls, desk: Desk, database: Database) -> "Tracker":
        """One whose project nobody had before: what other tests left there is like its texts."""
        with suppress(NotFound):
            await desk.index.delete_collection(TEXTS.name)
        return cls(desk, database)

    async def write(
        self, vectors: dict[str, Vector], title: str = "", source: str = "github"
    ) -> list[str]:
        """Texts of these ids come in, or change, and are embedded; their names."""
        titles = {id: f"{title or 'text'} {id}" for id in vectors}
        self._vectors |= {titles[id]: vector for id, vector in vectors.items()}
        drafts = [Draft(source, id, titles[id]) for id in vectors]
        taken = await create_items(self.desk.store, self.desk.clock, P, drafts, NO_KEY)
        await self.desk.embed(Modality.TEXTS)
        return [result.name for result in taken if isinstance(result, Taken)]

    async def close(self, name: str) -> None:
        await close_item(self.desk.store, self.desk.clock, name, NO_KEY)

    async def reopen(self, name: str) -> None:
        await reopen_item(self.desk.store, self.desk.clock, name, NO_KEY)

    async def leave(self) -> None:
        await leave_clusters(self.desk.store, self.desk.index, self.desk.clock)

    async def homes(self) -> dict[str, str]:
        """The cluster of each text that is in one."""
        found = await rows(
            self._database, "SELECT item, cluster_id FROM members WHERE until IS NULL"
        )
        return {row.item: str(row.cluster_id) for row in found}


@pytest.fixture
async def tracker(desk: Desk, database: Database) -> Tracker:
    return await Tracker.open(desk, database)


@pytest.fixture
def worker(worker: Worker) -> Worker:
    """One that goes on from what is there for long."""
    return replace(worker, params=Params(first_fit=5, growth_when_small=3.0))


@pytest.fixture
async def exact(
    store: PostgresStore, blobs: ObjectBlobs, index: QdrantIndex, database: Database
) -> Callable[[], Awaitable[None]]:
    async def exact() -> None:
        await assert_exact(store, blobs, index, database, P, TEXTS.name)

    return exact


def many(number: int, count: int = COUNT) -> dict[str, Vector]:
    """Vectors of one subject, by the ids of texts."""
    return {f"{number}-{n}": padded(each) for n, each in enumerate(subject(number, count))}


def like(number: int) -> Vector:
    return padded(subject(number, 1, seed=5)[0])


def padded(vector: Vector) -> Vector:
    """As long as those of texts are."""
    return np.pad(vector, (0, TEXTS.dimension - len(vector)))


def reading(worker: Worker, hook: Callable[[], Awaitable[object]]) -> Worker:
    """A worker during whose reading of all vectors something happens, once they are read."""

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(worker.vectors, name)

        async def of_scope(self, collection: str, scope: str) -> AsyncIterator[Any]:
            async for page in worker.vectors.of_scope(collection, scope):
                yield page
            await hook()

    return replace(worker, vectors=cast(Any, Slow()))


def storing(worker: Worker, hook: Callable[[], Awaitable[object]]) -> Worker:
    """A worker to which something happens when all is found and nothing written."""
    return replace(worker, snapshots=cast(Any, Hooked(worker.snapshots, "save", hook)))


@pytest.mark.parametrize("moment", [reading, storing])
async def test_a_text_changed_during_a_refit(
    moment: Any, tracker: Tracker, worker: Worker, exact: Any
) -> None:
    first, *_ = await tracker.write(many(0))
    other, *_ = await tracker.write(many(1))
    await run(worker, P)

    async def change() -> None:
        await tracker.write({"0-0": like(1)}, "changed")

    await run(moment(worker, change), P, Mode.REFIT)
    await exact()
    await run(worker, P)
    await exact()
    homes = await tracker.homes()
    assert len(homes) == 2 * COUNT
    assert homes[first] == homes[other]


@pytest.mark.parametrize("moment", [reading, storing])
async def test_a_new_text_changed_during_its_first_run(
    moment: Any, tracker: Tracker, worker: Worker, exact: Any
) -> None:
    await tracker.write({**many(0), **many(1)})

    async def change() -> None:
        await tracker.write({"0-0": like(1)}, "changed")

    await run(moment(worker, change), P)
    await exact()
    await run(worker, P)
    await exact()
    assert len(await tracker.homes()) == 2 * COUNT


async def test_a_new_text_changed_during_a_step(
    tracker: Tracker, worker: Worker, exact: Any
) -> None:
    await tracker.write({**many(0), **many(1)})
    await run(worker, P)
    (new,) = await tracker.write({"new": like(0)})

    async def change() -> None:
        await tracker.write({"new": like(1)}, "changed")

    await run(storing(worker, change), P)
    await exact()
    await run(worker, P)
    await exact()
    assert new in await tracker.homes()


async def test_a_text_closed_and_opened_again_before_it_left(
    tracker: Tracker, worker: Worker, exact: Any
) -> None:
    first, *_ = await tracker.write({**many(0), **many(1)})
    await run(worker, P)
    await tracker.close(first)
    await tracker.reopen(first)
    await tracker.desk.embed(Modality.TEXTS)
    await run(worker, P)
    await exact()
    await tracker.leave()
    await run(worker, P)
    await exact()
    assert len(await tracker.homes()) == 2 * COUNT


async def test_a_text_closed_and_opened_again_that_leaves_before_it_is_grouped(
    tracker: Tracker, worker: Worker, exact: Any
) -> None:
    first, *_ = await tracker.write({**many(0), **many(1)})
    await run(worker, P)
    await tracker.close(first)
    await tracker.reopen(first)
    await tracker.desk.embed(Modality.TEXTS)
    await tracker.leave()
    await run(worker, P)
    await exact()
    await tracker.leave()
    await run(worker, P)
    await exact()
    assert len(await tracker.homes()) == 2 * COUNT


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.REFIT])
async def test_a_new_text_closed_while_the_run_that_groups_it_stores(
    mode: Mode, tracker: Tracker, worker: Worker, exact: Any
) -> None:
    await tracker.write({**many(0), **many(1)})
    await run(worker, P)
    (new,) = await tracker.write({"new": like(0)})

    async def close() -> None:
        await tracker.close(new)

    await run(storing(worker, close), P, mode)
    await tracker.leave()
    await run(worker, P)
    await exact()
    assert new not in await tracker.homes()
