"""People put items into clusters and take them out; what is counted is what is there."""

import asyncio
import random

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from google.rpc import code_pb2

from libs.db.engine import Database
from libs.errors import FailedPrecondition, InvalidArgument
from libs.ids import uuid7
from services.clustering.usecases.attempt import Worker
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import (
    at_attempt,
    axis,
    created,
    deleted,
    photo_in,
    subject,
)
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import rows

TWO = [*subject(0, 7), *subject(1, 6)]


def codes(answer: api.AddClusterMembersResponse | api.RemoveClusterMembersResponse) -> list[int]:
    return [result.status.code for result in answer.results]


async def test_items_are_locked_where_people_put_them(studio: Studio, desk: Desk) -> None:
    photos = await desk.arrive([axis(number) for number in range(3)])
    made = await studio.create("Best")
    answer = await studio.add(made, *photos[:2])
    assert codes(answer) == [code_pb2.OK] * 2
    assert answer.cluster.member_count == 2
    assert answer.cluster.hero.item in photos[:2]
    assert answer.edit.item_count == 2
    members = await studio.members(made)
    assert [*members] == photos[:2]
    assert all(member.locked for member in members.values())
    assert [member.position for member in members.values()] == [1, 2]
    again = await studio.add(made, photos[0], photos[2])
    assert [*await studio.members(made)] == photos
    assert again.edit.item_count == 1, "one was there already"
    assert not (await studio.add(made, photos[0])).HasField("edit")


async def test_an_item_is_in_one_cluster_so_adding_moves_it(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    await desk.arrive(TWO)
    await run(worker, desk.scope)
    large, small = (await studio.list()).values()
    made = await studio.create("Best")
    moving = [large.hero.item, *[*(await studio.members(small))][:2]]
    answer = await studio.add(made, *moving)
    assert [*await studio.members(made)] == sorted(moving)
    assert await studio.counts() == {large.title: (6, 6), small.title: (4, 4), "Best": (3, 3)}
    after = await studio.get(large)
    assert after.hero.item in await studio.members(large), "the hero went, another one came"
    assert after.etag != large.etag
    assert {*answer.edit.clusters} == {made.name, large.name, small.name}


async def test_adding_a_member_of_the_cluster_only_locks_it(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    await desk.arrive(TWO)
    await run(worker, desk.scope)
    large, _ = (await studio.list()).values()
    before = await studio.members(large)
    (item, *_) = before
    await studio.add(large, item)
    after = await studio.members(large)
    assert after[item].locked
    after[item].locked = False
    assert after == before


async def test_each_item_has_a_result_of_its_own(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    (mine,) = await desk.arrive([axis(0)])
    (foreign,) = await desk.arrive_elsewhere([axis(1)])
    (gone,) = await desk.arrive([axis(2)])
    await desk.deliver(deleted(gone))
    unknown = photo_in(desk.scope)
    made = await studio.create("Best")
    answer = await studio.add(made, foreign, mine, unknown, gone, "nonsense")
    missing = code_pb2.NOT_FOUND
    assert codes(answer) == [missing, code_pb2.OK, missing, missing, missing]
    assert answer.results[0].item == foreign
    assert foreign in answer.results[0].status.message
    assert [*await studio.members(made)] == [mine]
    out = await studio.remove(made, mine, unknown)
    assert codes(out) == [code_pb2.OK, missing]
    assert out.cluster.member_count == 0
    assert not out.cluster.HasField("hero")


async def test_there_are_limits_to_a_request(studio: Studio, desk: Desk) -> None:
    made = await studio.create("Best")
    one = photo_in(desk.scope)
    for items in ([], [photo_in(desk.scope) for _ in range(201)], [one, one]):
        with pytest.raises(InvalidArgument):
            await studio.add(made, *items)


async def test_a_request_that_comes_again_answers_the_same(studio: Studio, desk: Desk) -> None:
    (photo,) = await desk.arrive([axis(0)])
    made = await studio.create("Best")
    request = api.AddClusterMembersRequest(
        name=made.name, items=[photo, photo_in(desk.scope)], request_id=uuid7()
    )
    first = await studio.stub.AddClusterMembers(request)
    assert await studio.stub.AddClusterMembers(request) == first
    assert len(await studio.edits()) == 1


async def test_a_thousand_changes_at_once_are_all_counted(studio: Studio, desk: Desk) -> None:
    photos = await desk.arrive([axis(number % 32) for number in range(40)])
    clusters = [await studio.create(f"Cluster {number}") for number in range(3)]
    chance = random.Random(7)
    room = asyncio.Semaphore(20)

    async def change() -> None:
        cluster, items = chance.choice(clusters), chance.sample(photos, 2)
        act = studio.add if chance.random() < 0.6 else studio.remove
        async with room:
            await act(cluster, *items)

    await asyncio.gather(*(change() for _ in range(1000)))
    counts = await studio.counts()
    assert all(shown == real for shown, real in counts.values()), counts
    inside = [item for cluster in clusters for item in await studio.members(cluster)]
    assert len(inside) == len(set(inside)) == sum(real for _, real in counts.values())
    for cluster in clusters:
        now = await studio.get(cluster)
        assert now.member_count == 0 or now.hero.item in await studio.members(cluster)


async def test_a_photo_that_is_deleted_leaves_its_cluster(
    studio: Studio, desk: Desk, database: Database
) -> None:
    photos = await desk.arrive([axis(0), axis(1)])
    made = await studio.create("Best")
    hero = (await studio.add(made, *photos)).cluster.hero.item
    await studio.pin(made, hero)
    await desk.deliver(deleted(hero))
    now = await studio.get(made)
    assert (now.member_count, len(await studio.members(made))) == (1, 1)
    assert now.hero.item == ({*photos} - {hero}).pop() and not now.hero.pinned
    await studio.remove(made, now.hero.item)
    await desk.deliver(deleted(now.hero.item))
    assert await rows(database, "SELECT FROM refusals") == []
    assert await studio.counts() == {"Best": (0, 0)}


async def test_a_photo_that_was_made_for_a_cluster_joins_it(studio: Studio, desk: Desk) -> None:
    made = await studio.create("Best")
    event = created(desk.photo(axis(0)), cluster=made.name)
    assert await desk.errors(event) == [None]
    (member,) = (await studio.members(made)).values()
    assert (member.item, member.locked) == (event.subject, True)
    assert (await studio.get(made)).hero.item == event.subject
    await studio.remove(made, event.subject)
    await desk.deliver(at_attempt(event, 2))
    assert await studio.members(made) == {}, "the event had its effect already"


async def test_a_cluster_that_a_photo_cannot_join_is_passed_over(
    studio: Studio, desk: Desk, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.arrive(TWO)
    await run(worker, desk.scope)
    large, _ = (await studio.list()).values()
    foreign = await studio.create("Best", "personas/other")
    names = [large.name, foreign.name, f"{desk.scope}/clusters/{uuid7()}", "nonsense"]
    names.append(f"{desk.scope}/clusters/no-uuid")
    for name in names:
        assert await desk.errors(created(desk.photo(axis(9)), cluster=name)) == [None]
        assert name in caplog.text
    assert (await studio.get(large)).member_count == 7
    assert await studio.members(foreign) == {}


async def test_nothing_goes_into_a_cluster_that_was_merged(studio: Studio, desk: Desk) -> None:
    (photo,) = await desk.arrive([axis(0)])
    one, other = await studio.create("One"), await studio.create("Other")
    await studio.merge(one, other)
    with pytest.raises(FailedPrecondition) as caught:
        await studio.add(other, photo)
    assert caught.value.reason == "CLUSTER_RETIRED"
    assert caught.value.metadata["merged_into"] == one.name
