"""What only led to a version goes: what was staged for it, and the memory that one follows."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from colonnade.clustering.v1.cluster_pb2 import Cluster

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.errors import Unavailable
from libs.ids import uuid7
from services.clustering.adapters import BlobSnapshots
from services.clustering.domain.history import Change
from services.clustering.domain.run import Mode
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases import history
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.history import (
    forget_memories,
    forget_staged,
    prune_history,
)
from services.clustering.usecases.orphans import forget_orphans
from services.clustering.usecases.run_once import run_clustering_once
from services.clustering.usecases.runs import cancel_run, run_name
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Hooked
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import NO_KEY, ask
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import change, rows
from tests.support.wait import eventually

TWO = [*subject(0, 9), *subject(1, 7)]


class Stuck:
    """Blobs that cannot be deleted."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    async def delete(self, key: str) -> None:
        raise Unavailable("the store of blobs is away")


def memories(folder: Path) -> list[Path]:
    return [*folder.rglob("*.npz")]


@pytest.fixture
async def found(desk: Desk, worker: Worker, studio: Studio) -> list[Cluster]:
    await desk.arrive(TWO)
    await run(worker, desk.scope, Mode.REFIT)
    return [*(await studio.list()).values()]


async def keys(database: Database) -> list[str]:
    found = await rows(database, "SELECT state_key FROM versions WHERE state_key <> ''")
    return [row.state_key for row in found]


async def test_what_was_staged_goes_with_the_version(
    found: list[Cluster], database: Database
) -> None:
    assert found
    assert await rows(database, "SELECT FROM staged_members") == []


async def test_what_other_runs_staged_goes_when_they_have_ended(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos = await desk.arrive(TWO)
    asked = await ask(store, desk.scope, Mode.REFIT)

    async def cancel() -> None:
        await cancel_run(store, run_name(desk.scope, asked.id), NO_KEY)

    watched = replace(worker, snapshots=Hooked(worker.snapshots, "save", cancel))
    await run_clustering_once(watched, asked.id)
    active, gone = await ask(store, desk.scope), uuid7()
    async with store.begin() as tx:
        for id in (active.id, gone):
            await tx.versions.stage(id, [Change(photo, None) for photo in photos])
        await tx.commit()
    staged = "SELECT DISTINCT CAST(run_id AS text) FROM staged_members"
    assert {row[0] for row in await rows(database, staged)} == {asked.id, active.id, gone}
    monkeypatch.setattr(history, "_BATCH", 5)
    await forget_staged(store)
    assert [row[0] for row in await rows(database, staged)] == [active.id]
    assert len(await rows(database, "SELECT FROM staged_members")) == len(photos)


async def test_a_memory_goes_when_another_one_follows(
    found: list[Cluster], desk: Desk, worker: Worker, database: Database, tmp_path: Path
) -> None:
    for seed in range(3):
        assert len(memories(tmp_path)) == 1
        await desk.arrive(subject(0, 1, seed=50 + seed))
        assert (await run(worker, desk.scope)).version
    assert len(memories(tmp_path)) == 1
    (scope,) = await rows(database, "SELECT state_key FROM scopes")
    assert await keys(database) == [scope.state_key]
    assert await worker.snapshots.load(scope.state_key) is not None


async def test_a_memory_that_stays_behind_goes_later(
    found: list[Cluster],
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    clock: FakeClock,
    database: Database,
    blobs: ObjectBlobs,
    tmp_path: Path,
) -> None:
    stuck = replace(worker, snapshots=BlobSnapshots(cast(Any, Stuck(blobs))))
    await desk.arrive(subject(0, 1, seed=50))
    await run(stuck, desk.scope)
    assert len(memories(tmp_path)) == len(await keys(database)) == 2
    clock.advance(timedelta(days=1))
    kept = await prune_history(store, stuck.snapshots, clock, older=timedelta())
    assert kept.versions == 0, "the version still leads to it"
    assert len(memories(tmp_path)) == len(await keys(database)) == 2
    gone = await prune_history(store, worker.snapshots, clock, older=timedelta())
    assert gone.versions == 1
    assert len(memories(tmp_path)) == len(await keys(database)) == 1


async def test_the_memories_of_other_scopes_are_left_alone(
    found: list[Cluster], worker: Worker, store: PostgresStore, database: Database
) -> None:
    await change(
        database,
        "INSERT INTO scopes (scope, version, state_key) VALUES ('personas/other', 2, 'b')",
    )
    await change(
        database,
        "INSERT INTO versions (scope, version, kind, create_time, state_key)"
        " SELECT 'personas/other', number, 'run', now(), key"
        " FROM (VALUES (1, 'a'), (2, 'b')) AS given(number, key)",
    )
    (own,) = await rows(database, "SELECT state_key FROM scopes WHERE state_key <> 'b'")
    await forget_memories(store, worker.snapshots, "personas/nobody")
    assert {*await keys(database)} == {own.state_key, "a", "b"}
    await forget_memories(store, worker.snapshots)
    assert {*await keys(database)} == {own.state_key, "b"}


async def test_what_is_pinned_while_versions_are_pruned_stays(
    found: list[Cluster],
    desk: Desk,
    worker: Worker,
    studio: Studio,
    store: PostgresStore,
    clock: FakeClock,
    database: Database,
) -> None:
    await desk.arrive(subject(2, 8))
    await run(worker, desk.scope, Mode.REFIT)
    await studio.merge(*found[:2])
    clock.advance(timedelta(days=1))
    everything = await rows(database, "SELECT * FROM members ORDER BY item, since")

    async def waits() -> bool:
        return bool(
            await rows(
                database,
                "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())",
            )
        )

    async with store.begin() as tx:
        await tx.items.lock([desk.scope])
        pruning = asyncio.create_task(
            prune_history(store, worker.snapshots, clock, older=timedelta())
        )
        await eventually(waits)
        await tx.versions.pin(desk.scope, 1, pinned=True)
        await tx.commit()
    assert (await pruning).versions == 0
    assert await rows(database, "SELECT * FROM members ORDER BY item, since") == everything


async def test_each_scope_is_pruned_by_itself(
    found: list[Cluster],
    desk: Desk,
    worker: Worker,
    studio: Studio,
    store: PostgresStore,
    clock: FakeClock,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await studio.update(found[0], "title", title="One")
    await studio.update(found[0], "title", title="Two")
    other = await studio.create("Best", "personas/another")
    await studio.update(other, "title", title="Worst")
    await studio.update(other, "title", title="Third")
    clock.advance(timedelta(days=1))
    monkeypatch.setattr(history, "_SCOPES", 1)
    monkeypatch.setattr(history, "_BATCH", 1)
    planned = await prune_history(store, worker.snapshots, clock, older=timedelta(), dry_run=True)
    assert await prune_history(store, worker.snapshots, clock, older=timedelta()) == planned
    left = await rows(database, "SELECT scope, version FROM versions ORDER BY scope, version")
    assert {*map(tuple, left)} == {(desk.scope, 1), (desk.scope, 3), ("personas/another", 3)}
    assert planned.versions == 3
    # Broken off after a version, before what only that showed.
    await studio.update(other, "title", title="Fourth")
    await change(database, "DELETE FROM versions WHERE scope = 'personas/another' AND version = 3")
    gone = await prune_history(store, worker.snapshots, clock, older=timedelta(days=9))
    assert (gone.versions, gone.clusters) == (0, 1)


async def test_what_a_killed_worker_had_just_written_goes_when_its_run_has_ended(
    found: list[Cluster],
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    blobs: ObjectBlobs,
    database: Database,
    tmp_path: Path,
) -> None:
    assert found
    (kept,) = memories(tmp_path)
    await desk.arrive(subject(3, 8))
    killed = await ask(store, desk.scope, Mode.REFIT)

    class Killed:
        """Everything that is said to the store after the memory was written is lost."""

        def __getattr__(self, name: str) -> Any:
            return getattr(worker.snapshots, name)

        async def save(self, key: str, data: bytes) -> None:
            await worker.snapshots.save(key, data)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run_clustering_once(replace(worker, snapshots=cast(Any, Killed())), killed.id)
    await blobs.put(f"clustering/{desk.scope}/shards/{killed.id}/part-1.npz", b"part")
    await blobs.put("clustering/notes.txt", b"of somebody else")
    assert len(memories(tmp_path)) == 3
    assert await forget_orphans(store, worker.snapshots) == 0, "its run goes on with another worker"
    await change(
        database,
        "UPDATE runs SET lease_expire_time = now() - interval '1 second' WHERE state = 'running'",
    )
    done = await run_clustering_once(worker, killed.id)
    assert done is not None and done.version == 2
    assert await forget_orphans(store, worker.snapshots) == 2
    (newest,) = memories(tmp_path)
    assert newest.name in (await keys(database))[0] and newest != kept
    assert await blobs.exists("clustering/notes.txt")
    assert await forget_orphans(store, worker.snapshots) == 0
