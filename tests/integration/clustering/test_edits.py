"""Merging, splitting, and taking edits back."""

from datetime import timedelta

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_edit_pb2 import ClusterEdit
from colonnade.clustering.v1.cluster_pb2 import Cluster

from libs.db.engine import Database
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from libs.ids import uuid7
from services.clustering.domain.run import Mode
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.edits import forget_edits
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import axis, deleted, subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio, nobody
from tests.support.clustering.tables import rows

THREE = [*subject(0, 9), *subject(1, 8), *subject(2, 7)]

# Everything of the newest version, but what changes with every edit.
SNAPSHOT = """
    SELECT clusters.id, clusters.title, clusters.title_pinned, clusters.summary, clusters.state,
        clusters.merged_into, clusters.merge_pinned, clusters.pinned_hero,
        shown.title, shown.title_pinned, shown.summary, shown.state, shown.merged_into,
        shown.merge_pinned, shown.pinned_hero,
        member_count, cohesion, hero_item, hero_score, hero_parts::text,
        (SELECT array_agg(row(item, similarity, duplicate_of, locked)::text ORDER BY item)
         FROM members WHERE members.cluster_id = clusters.id AND members.until IS NULL),
        (SELECT array_agg(row(item, kind)::text ORDER BY item, kind)
         FROM refusals WHERE refusals.cluster_id = clusters.id)
    FROM clusters JOIN cluster_versions AS shown ON cluster_id = clusters.id
    WHERE shown.until IS NULL
    ORDER BY clusters.id
"""


async def snapshot(database: Database) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await rows(database, SNAPSHOT)]


@pytest.fixture
async def clusters(desk: Desk, worker: Worker, studio: Studio) -> list[Cluster]:
    """Three that a run found, largest first, and a curated one."""
    await desk.arrive(THREE)
    await run(worker, desk.scope)
    found = [*(await studio.list()).values()]
    return [*found, await studio.create("Best")]


async def test_a_merged_cluster_gives_all_members_away(
    studio: Studio, clusters: list[Cluster]
) -> None:
    one, other, _, best = clusters
    before = await studio.content()
    answer = await studio.merge(best, one, other)
    assert answer.cluster.member_count == 17
    assert {*await studio.members(best)} == {*before[one.name], *before[other.name]}
    positions = [member.position for member in (await studio.members(best)).values()]
    assert positions == [*range(1, 18)]
    assert (answer.edit.kind, answer.edit.item_count) == (ClusterEdit.KIND_MERGE, 17)
    gone = await studio.get(one)
    assert (gone.state, gone.merged_into) == (Cluster.STATE_RETIRED, best.name)
    assert gone.member_count == 0
    assert one.title not in await studio.list()


async def test_what_cannot_be_merged(studio: Studio, clusters: list[Cluster]) -> None:
    one, other, third, _ = clusters
    foreign = await studio.create("Best", "personas/other")
    for sources in ([one], [foreign], []):
        with pytest.raises(InvalidArgument):
            await studio.merge(one, *sources)
    with pytest.raises(NotFound):
        await studio.merge(one, nobody(studio.scope))
    await studio.merge(one, other)
    for target, source in ((other, third), (third, other)):
        with pytest.raises(FailedPrecondition) as caught:
            await studio.merge(target, source)
        assert caught.value.reason == "CLUSTER_RETIRED"


async def test_a_split_makes_a_curated_cluster(studio: Studio, clusters: list[Cluster]) -> None:
    one, *_ = clusters
    items = [*await studio.members(one)]
    answer = await studio.split(one, " Close  ups ", items[:3])
    made = answer.cluster
    assert (made.title, made.origin, made.member_count) == ("Close ups", Cluster.ORIGIN_CURATED, 3)
    assert [*await studio.members(made)] == sorted(items[:3]), "nobody compared them yet"
    assert (await studio.get(one)).member_count == 6
    with pytest.raises(NotFound):
        await studio.split(one, "Others", items[2:4])
    with pytest.raises(AlreadyExists):
        await studio.split(one, "close ups", items[4:5])
    with pytest.raises(InvalidArgument):
        await studio.split(one, "  ", items[4:5])
    assert {*await studio.list()} == {c.title for c in clusters} | {"Close ups"}
    await studio.undo(answer.edit)
    assert [*await studio.members(one)] == items
    with pytest.raises(NotFound):
        await studio.get(made)


@pytest.mark.parametrize(
    "change",
    ["merge", "merge all", "add", "remove", "hero", "veto", "rename", "archive"],
)
async def test_undoing_an_edit_leaves_everything_as_it_was(
    studio: Studio, clusters: list[Cluster], database: Database, change: str
) -> None:
    one, other, third, best = clusters
    items = [*await studio.members(one)]
    await studio.remove(one, items.pop())
    await studio.veto(one, items[4])
    before = await snapshot(database)
    match change:
        case "merge":
            await studio.merge(one, other)
        case "merge all":
            await studio.merge(best, one, other, third)
        case "add":
            await studio.add(best, *{one.hero.item, *items[:3]})
        case "remove":
            await studio.remove(one, one.hero.item, items[3])
        case "hero":
            await studio.pin(one, items[4])
        case "veto":
            await studio.veto(one, one.hero.item)
        case "rename":
            await studio.update(one, title="Mine", summary="of me")
        case "archive":
            await studio.stub.ArchiveCluster(api.ArchiveClusterRequest(name=one.name))
    assert await snapshot(database) != before
    newest, *_ = await studio.edits()
    undone = await studio.undo(newest)
    assert undone.HasField("undo_time")
    assert await snapshot(database) == before
    with pytest.raises(FailedPrecondition) as caught:
        await studio.undo(newest)
    assert caught.value.reason == "EDIT_UNDONE"


async def test_the_latest_edit_of_a_cluster_is_undone_first(
    studio: Studio, clusters: list[Cluster], database: Database
) -> None:
    one, other, third, best = clusters
    before = await snapshot(database)
    items = [*await studio.members(one)]
    first = (await studio.add(best, items[0])).edit
    second = (await studio.merge(one, other)).edit
    elsewhere = await studio.update(third, title="Mine")
    with pytest.raises(FailedPrecondition) as caught:
        await studio.undo(first)
    assert caught.value.reason == "EDIT_OVERLAID"
    assert caught.value.metadata["edit"] == second.name
    await studio.undo(second)
    await studio.undo(first)
    assert (await studio.get(elsewhere)).title == "Mine"
    await studio.undo((await studio.edits(cluster=third.name))[0])
    assert await snapshot(database) == before


async def test_an_edit_can_be_undone_for_a_day(
    studio: Studio,
    clusters: list[Cluster],
    clock: FakeClock,
    store: PostgresStore,
    database: Database,
) -> None:
    one, other, third, best = clusters
    first = (await studio.merge(one, other)).edit
    second = (await studio.merge(best, third)).edit
    assert first.expire_time.seconds - first.create_time.seconds == 24 * 3600
    clock.advance(timedelta(hours=24))
    await forget_edits(store, clock)
    await studio.undo(second)
    clock.advance(1)
    with pytest.raises(FailedPrecondition) as caught:
        await studio.undo(first)
    assert caught.value.reason == "EDIT_EXPIRED"
    await forget_edits(store, clock)
    assert await rows(database, "SELECT FROM cluster_edits WHERE before IS NOT NULL") == []
    assert len(await studio.edits()) == 2


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.REFIT])
async def test_a_merge_is_undone_after_a_run(
    studio: Studio, clusters: list[Cluster], desk: Desk, worker: Worker, mode: Mode
) -> None:
    one, other, *_ = clusters
    before = await studio.content()
    merged = (await studio.merge(one, other)).edit
    await desk.arrive([axis(30)])
    await run(worker, desk.scope, mode)
    await studio.undo(merged)
    assert await studio.content() == before
    await desk.arrive([axis(29)])
    await run(worker, desk.scope, mode)
    after = await studio.content()
    assert {name: {*items} for name, items in after.items()} == {
        name: {*items} for name, items in before.items()
    }


async def test_what_was_deleted_since_does_not_come_back(
    studio: Studio, clusters: list[Cluster], desk: Desk
) -> None:
    one, other, _, best = clusters
    first, second, *_ = [*await studio.members(one)]
    moved = (await studio.add(best, first, second)).edit
    await desk.deliver(deleted(first))
    await studio.undo(moved)
    items = {*await studio.members(one)}
    assert first not in items and second in items
    assert (await studio.get(one)).member_count == len(items) == 8
    assert (await studio.get(best)).member_count == 0
    assert (await studio.get(other)).member_count == 8


async def test_a_title_that_was_given_away_cannot_be_taken_back(
    studio: Studio, clusters: list[Cluster]
) -> None:
    best = clusters[-1]
    await studio.update(best, title="Other")
    (edit,) = await studio.edits()
    taken = await studio.create("Best")
    with pytest.raises(AlreadyExists) as caught:
        await studio.undo(edit)
    assert caught.value.name == taken.name
    assert (await studio.get(best)).title == "Other"


async def test_edits_are_listed_newest_first_in_pages(
    studio: Studio, clusters: list[Cluster]
) -> None:
    for number in range(5):
        await studio.update(clusters[number % 2], title=f"Title {number}")
    edits = await studio.edits()
    assert [edit.clusters[0] for edit in edits] == [
        clusters[number % 2].name for number in (4, 3, 2, 1, 0)
    ]
    found: list[str] = []
    token = ""
    while True:
        answer = await studio.stub.ListClusterEdits(
            api.ListClusterEditsRequest(parent=studio.scope, page_size=2, page_token=token)
        )
        found += [edit.name for edit in answer.cluster_edits]
        token = answer.next_page_token
        if not token:
            break
    assert found == [edit.name for edit in edits]
    assert len(await studio.edits(cluster=clusters[1].name)) == 2
    with pytest.raises(NotFound):
        await studio.edits(cluster=nobody("personas/other").name)


async def test_undoing_once_and_of_nothing(studio: Studio, clusters: list[Cluster]) -> None:
    edit = (await studio.merge(clusters[0], clusters[1])).edit
    request = api.UndoClusterEditRequest(name=edit.name, request_id=uuid7())
    first = await studio.stub.UndoClusterEdit(request)
    assert await studio.stub.UndoClusterEdit(request) == first
    foreign = edit.name.replace(studio.scope, "personas/other")
    for name in (foreign, f"{studio.scope}/clusterEdits/{uuid7()}"):
        with pytest.raises(NotFound):
            await studio.stub.UndoClusterEdit(api.UndoClusterEditRequest(name=name))
