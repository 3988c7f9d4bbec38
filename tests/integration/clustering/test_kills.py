"""Workers that are killed between any two statements: the next one finds what a clean run finds."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from libs.db.engine import Database
from services.clustering.domain.run import Mode, RunState
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Died, Fuse, Mortal, MortalStore
from tests.support.clustering.photos import deleted, subject
from tests.support.clustering.runs import ask, cluster, look
from tests.support.clustering.tables import expire, told

KILLS = 25
# More steps than any run takes.
ENDLESS = 10_000


@dataclass
class Library:
    """Photos of three subjects, of which some come and some go between runs."""

    desk: Desk
    chance: random.Random
    photos: dict[int, list[str]] = field(default_factory=dict)

    async def begin(self) -> None:
        for number in range(3):
            self.photos[number] = await self.desk.arrive(subject(number, 20))

    async def go_on(self, step: int) -> None:
        """One more photo of each of two subjects, one less of the third."""
        first, second, third = self.chance.sample(range(3), 3)
        vectors = [*subject(first, 1, seed=step + 100), *subject(second, 1, seed=step + 100)]
        for number, photo in zip((first, second), await self.desk.arrive(vectors), strict=True):
            self.photos[number].append(photo)
        gone = self.photos[third].pop(self.chance.randrange(len(self.photos[third])))
        await self.desk.deliver(deleted(gone))

    def expected(self) -> set[frozenset[str]]:
        """The groups that a clean run finds."""
        return {frozenset(photos) for photos in self.photos.values()}


def mortal(worker: Worker, database: Database, fuse: Fuse) -> Worker:
    return replace(
        worker,
        owner="worker that dies",
        store=MortalStore(database, worker.clock, fuse),
        vectors=Mortal(worker.vectors, fuse),
        snapshots=Mortal(worker.snapshots, fuse),
    )


async def groups(store: PostgresStore, scope: str) -> list[Sequence[str]]:
    async with store.read() as tx:
        state = await tx.clusters.scope(scope)
        return [*(await tx.clusters.member_sets(scope, state.version)).values()]


async def version(store: PostgresStore, scope: str) -> int:
    async with store.read() as tx:
        return (await tx.clusters.scope(scope)).version


@pytest.mark.parametrize("mode", Mode)
async def test_killed_anywhere_the_groups_are_those_of_a_clean_run(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database, mode: Mode
) -> None:
    chance = random.Random(mode)
    library = Library(desk, chance)
    await library.begin()
    assert (await cluster(worker, desk.scope)).version == 1
    await library.go_on(0)
    counting = Fuse(ENDLESS)
    await run_clustering_once(
        mortal(worker, database, counting), (await ask(store, desk.scope, mode)).id
    )
    assert {frozenset(names) for names in await groups(store, desk.scope)} == library.expected()
    steps = ENDLESS - counting.left
    assert steps > KILLS
    for step in chance.sample(range(steps), KILLS):
        if mode is Mode.AUTO:  # a refit works without anything new
            await library.go_on(step)
        run = await ask(store, desk.scope, mode)
        try:
            await run_clustering_once(mortal(worker, database, Fuse(step)), run.id)
        except Died:
            await expire(database)
        await run_clustering_once(worker, run.id)
        assert (await look(store, run)).state is RunState.SUCCEEDED
        found = await groups(store, desk.scope)
        assert {frozenset(names) for names in found} == library.expected(), f"killed at {step}"
        assert sum(map(len, found)) == sum(map(len, library.expected())), "nobody is twice in it"
    assert await version(store, desk.scope) == KILLS + 2, "each run made one version"
    versions = [message.version for message in await told(database, "clusters.updated")]
    assert versions == list(range(1, KILLS + 3))
