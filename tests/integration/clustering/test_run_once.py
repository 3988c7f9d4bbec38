"""What runs find: versions, stable ids, statistics. How they end: test_run_endings.py."""

from dataclasses import replace

import pytest

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.errors import InvalidArgument, Unavailable
from libs.rpc.paging import PageRequest
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.cluster import Cluster, ClusterState
from services.clustering.domain.run import Mode, RunState, Stats
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import FakeEmbedder
from tests.support.clustering.photos import (
    COLLECTION,
    axis,
    created,
    deleted,
    subject,
    tilted,
    updated,
)
from tests.support.clustering.runs import cluster
from tests.support.clustering.tables import change, rows, told

THREE = [*subject(0, 7), *subject(1, 7), *subject(2, 6)]
FIVE_MORE = [*subject(0, 3, seed=1), *subject(1, 2, seed=1)]


async def shown(store: PostgresStore, scope: str) -> list[Cluster]:
    """The clusters of the newest version."""
    async with store.read() as tx:
        state = await tx.clusters.scope(scope)
        return [*(await tx.clusters.list(scope, state.version, PageRequest(200))).rows]


async def members_of(store: PostgresStore, cluster: Cluster) -> set[str]:
    async with store.read() as tx:
        return {m.item for m in await tx.clusters.all_members(cluster.id, cluster.version)}


async def ids(store: PostgresStore, scope: str) -> set[str]:
    return {cluster.id for cluster in await shown(store, scope)}


async def recount(database: Database, scope: str) -> dict[str, int]:
    """What the statistics of the newest version must be, from the tables."""
    (count,) = await rows(
        database,
        """
        WITH here AS (SELECT * FROM members WHERE scope = :scope AND until IS NULL),
             standing AS (SELECT v.state, v.attempts FROM item_vectors AS v
                          JOIN items AS i ON i.name = v.item WHERE i.scope = :scope)
        SELECT (SELECT count(*) FROM standing WHERE state = 'ready') AS items,
               (SELECT count(*) FROM here) AS clustered,
               (SELECT count(DISTINCT cluster_id) FROM here) AS clusters,
               (SELECT count(*) FROM here WHERE duplicate_of <> '') AS duplicates,
               (SELECT count(*) FROM standing WHERE state = 'pending') AS missing,
               (SELECT count(*) FROM standing WHERE state = 'pending' AND attempts > 0)
                   AS failed_embeddings,
               (SELECT count(*) FROM standing WHERE state = 'quarantined') AS quarantined
        """,
        scope=scope,
    )
    return {**count._mapping, "unclustered": count.items - count.clustered}


async def test_three_subjects_are_three_clusters(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    photos = await desk.arrive(THREE)
    run = await cluster(worker, desk.scope)
    assert (run.state, run.version, run.attempt, run.phase) == (
        RunState.SUCCEEDED,
        1,
        1,
        "done",
    )
    assert run.start_time is not None and run.end_time is not None
    clusters = await shown(store, desk.scope)
    found = [await members_of(store, cluster) for cluster in clusters]
    assert sorted(found, key=sorted) == sorted(
        [set(photos[:7]), set(photos[7:14]), set(photos[14:])], key=sorted
    )
    for one, members in zip(clusters, found, strict=True):
        assert one.hero is not None and one.hero.item in members
        assert (one.state, one.version, one.member_count) == (
            ClusterState.ACTIVE,
            1,
            len(members),
        )
    (message,) = await told(database, "clusters.updated")
    assert (message.scope, message.version) == (desk.scope, 1)


async def test_a_second_run_finds_nothing_new(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    await desk.arrive(THREE)
    first = await cluster(worker, desk.scope)
    before = await shown(store, desk.scope)
    second = await cluster(worker, desk.scope)
    assert second.state is RunState.SUCCEEDED
    assert second.stats.noop and second.version == 0
    assert await shown(store, desk.scope) == before
    assert len(await told(database, "clusters.updated")) == 1
    same = replace(second.stats, noop=False, duration_millis=0)
    assert same == replace(first.stats, born=0, refit=False, duration_millis=0)


async def test_more_photos_keep_the_ids(desk: Desk, worker: Worker, store: PostgresStore) -> None:
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    before = await ids(store, desk.scope)
    more = await desk.arrive(FIVE_MORE)
    run = await cluster(worker, desk.scope)
    assert (run.version, run.stats.born, run.stats.retired, run.stats.updated) == (2, 0, 0, 2)
    assert await ids(store, desk.scope) == before
    counts = {cluster.member_count for cluster in await shown(store, desk.scope)}
    assert counts == {10, 9, 6}
    assert run.stats.items == 25 and len(more) == 5


async def test_many_photos_are_added_without_grouping_all_anew(
    desk: Desk, worker: Worker, store: PostgresStore
) -> None:
    await desk.arrive([v for number in range(4) for v in subject(number, 26)])
    assert (await cluster(worker, desk.scope)).stats.refit
    before = await ids(store, desk.scope)
    await desk.arrive(FIVE_MORE)
    run = await cluster(worker, desk.scope)
    assert not run.stats.refit and run.stats.updated == 2
    assert await ids(store, desk.scope) == before


async def test_a_refit_keeps_the_ids(desk: Desk, worker: Worker, store: PostgresStore) -> None:
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    before = await ids(store, desk.scope)
    run = await cluster(worker, desk.scope, Mode.REFIT)
    assert (run.version, run.stats.refit, run.stats.noop) == (2, True, False)
    assert (run.stats.born, run.stats.retired, run.stats.updated) == (0, 0, 0)
    assert await ids(store, desk.scope) == before


async def test_a_memory_that_is_lost_is_made_anew_with_the_same_ids(
    desk: Desk, worker: Worker, store: PostgresStore, blobs: ObjectBlobs
) -> None:
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    before = await ids(store, desk.scope)
    async for key in blobs.list("clustering"):
        await blobs.delete(key)
    await desk.arrive(FIVE_MORE)
    run = await cluster(worker, desk.scope)
    assert (run.version, run.stats.refit) == (2, True)
    assert await ids(store, desk.scope) == before


async def test_a_memory_that_cannot_be_read_is_made_anew(
    desk: Desk, worker: Worker, store: PostgresStore, blobs: ObjectBlobs
) -> None:
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    before = await ids(store, desk.scope)
    async for key in blobs.list("clustering"):
        await blobs.put(key, b"nonsense")
    await desk.arrive(FIVE_MORE)
    run = await cluster(worker, desk.scope)
    assert run.state is RunState.SUCCEEDED and run.stats.refit
    assert await ids(store, desk.scope) == before


async def test_keys_of_groups_that_are_gone_are_not_given_again(
    desk: Desk, worker: Worker, database: Database, blobs: ObjectBlobs
) -> None:
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    for photo in photos[14:]:
        await desk.deliver(deleted(photo))
    await cluster(worker, desk.scope)
    async for key in blobs.list("clustering"):
        await blobs.delete(key)
    await desk.arrive(subject(9, 6))
    await cluster(worker, desk.scope)
    clusters = await rows(database, "SELECT key, state FROM clusters ORDER BY key")
    assert [row.key for row in clusters] == ["g1", "g2", "g3", "g4"]
    assert sorted(row.state for row in clusters) == ["active", "active", "active", "retired"]


async def test_the_newest_memory_alone_is_kept(
    desk: Desk, worker: Worker, blobs: ObjectBlobs
) -> None:
    await desk.arrive(THREE)
    for _ in range(3):
        await cluster(worker, desk.scope, Mode.REFIT)
    assert len([key async for key in blobs.list("clustering")]) == 1


async def test_statistics_are_those_of_the_database(
    desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive([*THREE, THREE[0], THREE[0]])
    await desk.arrive([axis(20), axis(21)])
    await desk.deliver(created(desk.photo(InvalidArgument("this is no picture"))))
    run = await cluster(worker, desk.scope)
    count = await recount(database, desk.scope)
    assert {name: getattr(run.stats, name) for name in count} == count
    assert (count["duplicates"], count["unclustered"], count["missing"]) == (2, 2, 1)


async def test_versions_follow_each_other_and_keep_only_what_changed(
    desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive(THREE)
    written = [(await cluster(worker, desk.scope, Mode.REFIT)).version for _ in range(5)]
    assert written == [1, 2, 3, 4, 5]
    kept = await rows(database, "SELECT version, kind FROM versions ORDER BY version")
    assert [(row.version, row.kind) for row in kept] == [(number, "run") for number in written]
    for table in ("cluster_versions", "members"):
        since = await rows(database, f"SELECT DISTINCT since, until FROM {table}")
        assert [(row.since, row.until) for row in since] == [(1, None)], table


async def test_a_scope_without_photos_has_no_version(
    desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive([axis(0)])
    run = await cluster(worker, "personas/empty")
    assert (run.state, run.version, run.stats) == (
        RunState.SUCCEEDED,
        0,
        Stats(noop=True, duration_millis=run.stats.duration_millis),
    )
    assert await rows(database, "SELECT FROM scopes") == []


async def test_when_the_last_photo_goes_the_clusters_retire(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    for photo in photos:
        await desk.deliver(deleted(photo))
    for empty in await shown(store, desk.scope):
        assert (empty.member_count, empty.hero, empty.cohesion) == (0, None, 0)
    run = await cluster(worker, desk.scope)
    assert (run.version, run.stats.clusters, run.stats.items) == (2, 0, 0)
    assert await shown(store, desk.scope) == []
    states = await rows(database, "SELECT state FROM clusters")
    assert [row.state for row in states] == ["retired"] * 3
    assert (await cluster(worker, desk.scope)).stats.noop


async def test_scopes_have_nothing_to_do_with_each_other(
    desk: Desk, worker: Worker, store: PostgresStore
) -> None:
    await desk.arrive(THREE)
    for vector in [*subject(0, 6, seed=5), *subject(5, 6)]:
        await desk.deliver(created(desk.photo(vector, scope="personas/other")))
    await cluster(worker, desk.scope)
    run = await cluster(worker, "personas/other")
    assert (run.version, run.stats.items, run.stats.clusters) == (1, 12, 2)
    assert len(await shown(store, desk.scope)) == 3


async def test_photos_that_wait_for_a_vector_are_counted_not_waited_for(
    desk: Desk, worker: Worker, index: QdrantIndex, store: PostgresStore
) -> None:
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    (lost,) = await desk.arrive(subject(0, 1, seed=3))
    async with store.read() as tx:
        item = await tx.items.get(lost)
    assert item is not None
    await index.delete(COLLECTION.name, [item.point_id])
    run = await cluster(worker, desk.scope)
    assert (run.stats.noop, run.stats.missing, run.stats.items) == (True, 1, len(photos))


async def test_titles_follow_what_is_written_on_the_photos(
    desk: Desk, worker: Worker, store: PostgresStore
) -> None:
    photos = await desk.arrive(subject(0, 6), tags=["old bicycle"])
    await desk.arrive(subject(1, 6), tags=["bread"])
    await cluster(worker, desk.scope)
    before = {c.id: c.title for c in await shown(store, desk.scope)}
    assert any("icycle" in title for title in before.values())
    for photo in photos:
        await desk.deliver(updated(photo, tags=["racing car"], time=desk.clock.advance(1)))
    await cluster(worker, desk.scope, Mode.REFIT)
    after = {c.id: c.title for c in await shown(store, desk.scope)}
    assert after.keys() == before.keys()
    assert any("car" in title.casefold() for title in after.values())
    assert not any("icycle" in title for title in after.values())


async def test_a_group_that_merges_into_another_names_it(
    desk: Desk, worker: Worker, database: Database, store: PostgresStore
) -> None:
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    # As if an earlier run had taken the first subject for two groups.
    kept, *_ = sorted(await shown(store, desk.scope), key=lambda c: -c.member_count)
    await change(
        database,
        """
        INSERT INTO clusters (id, scope, key, title, create_time, update_time)
        SELECT gen_random_uuid(), scope, 'g0', 'Split', create_time, update_time
        FROM clusters WHERE id = :kept
        """,
        kept=kept.id,
    )
    await change(
        database,
        """
        WITH part AS (SELECT id FROM clusters WHERE key = 'g0'),
             rest AS (UPDATE cluster_versions SET member_count = 4 WHERE cluster_id = :kept),
             far AS (SELECT item FROM members WHERE cluster_id = :kept
                     ORDER BY similarity LIMIT 3),
             moved AS (UPDATE members SET cluster_id = part.id FROM part
                       WHERE item IN (SELECT item FROM far))
        INSERT INTO cluster_versions (scope, since, cluster_id, title, state, update_time,
                                      member_count, cohesion)
        SELECT :scope, 1, id, 'Split', 'active', now(), 3, 0.5 FROM part
        """,
        kept=kept.id,
        scope=desk.scope,
    )
    await cluster(worker, desk.scope, Mode.REFIT)
    (ended,) = await rows(database, "SELECT * FROM clusters WHERE key = 'g0'")
    assert (ended.state, ended.merged_into, ended.row_version) == ("retired", kept.id, 2)


async def test_a_model_that_changed_does_not_make_the_clusters_vanish(
    desk: Desk, worker: Worker, store: PostgresStore
) -> None:
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    before = await ids(store, desk.scope)
    newer = replace(COLLECTION, name="photos-test-r2-f2", revision="r2", fingerprint="f2")
    desk.embedder = FakeEmbedder(newer)
    photo = desk.photo(tilted(3, 0.9, 4))
    with pytest.raises(Unavailable, match="create a generation"):
        await desk.deliver(created(photo))
    run = await cluster(worker, desk.scope)
    assert (run.stats.noop, run.stats.missing) == (True, 1)
    assert await ids(store, desk.scope) == before


@pytest.mark.parametrize("changed", ["title", "nothing"])
async def test_the_row_of_a_cluster_changes_only_when_it_does(
    desk: Desk, worker: Worker, database: Database, changed: str
) -> None:
    photos = await desk.arrive(subject(0, 5), tags=["bread"])
    await desk.arrive(subject(1, 6), tags=["shoes"])
    await cluster(worker, desk.scope)
    if changed == "title":
        for photo in photos:
            await desk.deliver(updated(photo, tags=["cake"], time=desk.clock.advance(1)))
    await cluster(worker, desk.scope, Mode.REFIT)
    versions = await rows(database, "SELECT row_version FROM clusters ORDER BY row_version")
    assert [row.row_version for row in versions] == ([1, 2] if changed == "title" else [1, 1])
