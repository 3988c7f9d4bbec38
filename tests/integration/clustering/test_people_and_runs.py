"""Runs keep to what people decided about clusters."""

from dataclasses import replace

import pytest

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.errors import InvalidArgument
from services.clustering.domain.run import Mode
from services.clustering.usecases.attempt import Worker
from tests.integration.clustering.test_run_once import recount
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Hooked
from tests.support.clustering.photos import axis, created, deleted, subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import change

THREE = [*subject(0, 20), *subject(1, 20), *subject(2, 20)]
MODES = (Mode.AUTO, Mode.REFIT)


async def three(desk: Desk, worker: Worker, studio: Studio) -> tuple[list[str], list[str]]:
    """Photos of three subjects, grouped; their names, and the names of the clusters in the order of
    the subjects."""
    photos = await desk.arrive(THREE)
    await run(worker, desk.scope)
    content = await studio.content()
    home = {item: name for name, items in content.items() for item in items}
    return photos, [home[photos[number]] for number in (0, 20, 40)]


async def grow(desk: Desk, worker: Worker, mode: Mode) -> None:
    """Five per cent more items, and a run."""
    await desk.arrive(subject(0, 3, seed=5))
    await run(worker, desk.scope, mode)


@pytest.mark.parametrize("mode", MODES)
async def test_locked_items_stay_where_people_put_them(
    desk: Desk, worker: Worker, studio: Studio, mode: Mode
) -> None:
    photos, names = await three(desk, worker, studio)
    home = {c.name: c for c in (await studio.list()).values()}[names[1]]
    await studio.add(home, photos[0], photos[40])
    await grow(desk, worker, mode)
    members = await studio.members(home)
    assert {photos[0], photos[40], *photos[20:40]} == {*members}
    assert [item for item, member in members.items() if member.locked] == [photos[0], photos[40]]
    assert members[photos[0]].similarity == 0, "the engine did not compare it with these"
    assert [member.position for member in members.values()] == [*range(1, 23)]
    now = await studio.get(home)
    assert (now.member_count, now.version) == (22, 3)
    assert now.cohesion == pytest.approx(
        sum(m.similarity for m in members.values() if m.similarity) / 20
    )


@pytest.mark.parametrize("mode", MODES)
async def test_a_curated_cluster_survives_every_run_with_its_id(
    desk: Desk, worker: Worker, studio: Studio, mode: Mode
) -> None:
    photos, names = await three(desk, worker, studio)
    best, empty = await studio.create("Best"), await studio.create("Empty")
    await studio.add(best, photos[0], photos[20])
    waiting = desk.photo(axis(30))
    await desk.deliver(created(waiting, cluster=best.name))
    await grow(desk, worker, mode)
    content = await studio.content()
    assert {*content[best.name]} == {photos[0], photos[20], waiting}
    assert content[empty.name] == ()
    assert {*names} < {*content}, "the found ones keep their ids too"
    now = await studio.get(best)
    assert (now.title, now.member_count, now.version) == ("Best", 3, 6)
    assert now.hero.item in content[best.name]


@pytest.mark.parametrize("mode", MODES)
async def test_a_renamed_cluster_keeps_its_name(
    desk: Desk, worker: Worker, studio: Studio, mode: Mode
) -> None:
    _, names = await three(desk, worker, studio)
    clusters = {c.name: c for c in (await studio.list()).values()}
    await studio.update(clusters[names[0]], title="Mine")
    await grow(desk, worker, mode)
    now = await studio.get(clusters[names[0]])
    assert (now.title, now.title_pinned, now.member_count) == ("Mine", True, 23)
    assert {c.name for c in (await studio.list()).values()} == {*names}


async def test_titles_of_runs_differ_from_those_of_people(
    desk: Desk, worker: Worker, studio: Studio
) -> None:
    await studio.create("BREAD photos")
    await studio.create("bread")
    await desk.arrive(subject(0, 6), tags=["bread"])
    await desk.arrive(subject(1, 6), tags=["shoe"])
    await run(worker, desk.scope)
    titles = [title.casefold() for title in await studio.list()]
    assert len(titles) == len({*titles}) == 4


@pytest.mark.parametrize("mode", MODES)
async def test_what_people_took_out_does_not_come_back(
    desk: Desk, worker: Worker, studio: Studio, mode: Mode
) -> None:
    photos, names = await three(desk, worker, studio)
    clusters = {c.name: c for c in (await studio.list()).values()}
    out = await studio.remove(clusters[names[0]], *photos[:2])
    assert out.cluster.member_count == 18
    await grow(desk, worker, mode)
    content = await studio.content()
    assert not {*photos[:2]} & {item for items in content.values() for item in items}
    await studio.add(clusters[names[0]], photos[0])
    await grow(desk, worker, mode)
    assert photos[0] in (await studio.content())[names[0]]


async def test_a_found_cluster_lives_while_people_have_members_in_it(
    desk: Desk, worker: Worker, studio: Studio
) -> None:
    photos, names = await three(desk, worker, studio)
    clusters = {c.name: c for c in (await studio.list()).values()}
    (stranger,) = await desk.arrive([axis(30)])
    await studio.add(clusters[names[0]], stranger)
    for photo in photos[:20]:
        await desk.deliver(deleted(photo))
    done = await run(worker, desk.scope)
    now = await studio.get(clusters[names[0]])
    assert (now.state, now.member_count, now.hero.item) == (now.STATE_ACTIVE, 1, stranger)
    assert done.stats.retired == 0
    await studio.remove(now, stranger)
    await run(worker, desk.scope, Mode.REFIT)
    assert (await studio.get(now)).state == now.STATE_RETIRED


@pytest.mark.parametrize("mode", MODES)
async def test_merged_clusters_stay_together(
    desk: Desk, worker: Worker, studio: Studio, mode: Mode
) -> None:
    photos, names = await three(desk, worker, studio)
    clusters = {c.name: c for c in (await studio.list()).values()}
    best = await studio.create("Best")
    await studio.merge(clusters[names[1]], clusters[names[0]])
    await studio.merge(best, clusters[names[1]])
    more = await desk.arrive([*subject(0, 2, seed=5), *subject(1, 2, seed=5)])
    await run(worker, desk.scope, mode)
    content = await studio.content()
    assert {*content} == {best.name, names[2]}
    assert {*content[best.name]} == {*photos[:40], *more}
    assert not any(member.locked for member in (await studio.members(best)).values())
    gone = await studio.get(clusters[names[0]])
    assert (gone.state, gone.merged_into) == (gone.STATE_RETIRED, names[1])


@pytest.mark.parametrize("mode", MODES)
async def test_pinned_and_vetoed_heroes(
    desk: Desk, worker: Worker, studio: Studio, mode: Mode
) -> None:
    _, names = await three(desk, worker, studio)
    clusters = {c.name: c for c in (await studio.list()).values()}
    pinned, vetoed = clusters[names[0]], clusters[names[1]]
    last = [*await studio.members(pinned)][-1]
    assert (await studio.pin(pinned, last)).hero.item == last
    before = vetoed.hero.item
    assert (await studio.veto(vetoed, before)).hero.item != before
    await grow(desk, worker, mode)
    hero = (await studio.get(pinned)).hero
    assert (hero.item, hero.pinned) == (last, True)
    assert {part.id for part in hero.parts} >= {"centrality", "recency"}
    assert (await studio.get(vetoed)).hero.item != before
    await studio.pin(pinned, "")
    await studio.veto(vetoed, before, allow=True)
    assert (await studio.get(pinned)).hero.item != last
    assert (await studio.get(vetoed)).hero.item == before


async def test_a_pin_and_a_veto_of_the_same_item_replace_each_other(
    desk: Desk, studio: Studio
) -> None:
    photos = await desk.arrive([axis(0), axis(1)])
    made = await studio.create("Best")
    await studio.add(made, *photos)
    await studio.pin(made, photos[0])
    assert (await studio.veto(made, photos[0])).hero.item == photos[1]
    now = await studio.pin(made, photos[0])
    assert (now.hero.item, now.hero.pinned) == (photos[0], True)
    await studio.veto(made, photos[1])
    assert not (await studio.veto(made, photos[0])).HasField("hero")


@pytest.mark.parametrize("mode", MODES)
async def test_what_people_made_before_the_first_run_stays(
    desk: Desk, worker: Worker, studio: Studio, mode: Mode
) -> None:
    best = await studio.create("Best")
    photos = await desk.arrive(THREE)
    await studio.add(best, photos[0], photos[20])
    assert (await studio.get(best)).version == 2
    await run(worker, desk.scope, mode)
    content = await studio.content()
    assert {*content[best.name]} == {photos[0], photos[20]}
    assert sorted(len(items) for items in content.values()) == [2, 19, 19, 20]


async def test_edits_while_a_run_is_under_way_are_kept(
    desk: Desk, worker: Worker, studio: Studio
) -> None:
    photos, names = await three(desk, worker, studio)
    clusters = {c.name: c for c in (await studio.list()).values()}
    best = await studio.create("Best")

    async def meanwhile() -> None:
        await studio.add(best, *photos[:3])
        await studio.update(clusters[names[1]], title="Mine")
        await studio.remove(clusters[names[2]], photos[40])

    snapshots = Hooked(worker.snapshots, "save", meanwhile)
    await run(replace(worker, snapshots=snapshots), desk.scope, Mode.REFIT)
    content = await studio.content()
    assert {*content[best.name]} == {*photos[:3]}
    assert {*content[names[0]]} == {*photos[3:20]}
    assert photos[40] not in content[names[2]]
    assert (await studio.get(clusters[names[1]])).title == "Mine"


async def test_statistics_are_those_of_the_database(
    desk: Desk, worker: Worker, studio: Studio, database: Database
) -> None:
    photos, names = await three(desk, worker, studio)
    clusters = {c.name: c for c in (await studio.list()).values()}
    best = await studio.create("Best")
    await studio.add(best, *photos[:3])
    await studio.remove(clusters[names[1]], photos[20])
    await desk.arrive([axis(30)])
    await desk.deliver(created(desk.photo(InvalidArgument("no picture"))))
    await desk.note(created(desk.photo(axis(31))))
    done = await run(worker, desk.scope)
    count = await recount(database, desk.scope)
    assert (count["missing"], count["failed_embeddings"]) == (2, 1)
    assert {name: getattr(done.stats, name) for name in count} == count
    assert (done.stats.clusters, done.stats.born, done.stats.unclustered) == (4, 0, 2)
    again = (await run(worker, desk.scope)).stats
    assert again.noop
    assert {name: getattr(again, name) for name in count} == count


async def test_a_memory_that_is_lost_loses_nothing_that_people_locked(
    desk: Desk, worker: Worker, studio: Studio, blobs: ObjectBlobs
) -> None:
    photos, names = await three(desk, worker, studio)
    clusters = {c.name: c for c in (await studio.list()).values()}
    best = await studio.create("Best")
    await studio.add(best, *photos[:5])
    await studio.update(clusters[names[0]], title="Mine")
    async for key in blobs.list("clustering"):
        await blobs.delete(key)
    await run(worker, desk.scope)
    content = await studio.content()
    assert {*content} == {*names, best.name}
    assert {*content[best.name]} == {*photos[:5]}
    assert (await studio.get(clusters[names[0]])).title == "Mine"


@pytest.mark.parametrize("named", [True, False])
async def test_when_two_clusters_turn_out_to_be_one_the_named_one_lives_on(
    desk: Desk,
    worker: Worker,
    studio: Studio,
    database: Database,
    blobs: ObjectBlobs,
    named: bool,
) -> None:
    await desk.arrive([*subject(0, 9), *subject(1, 7)])
    await run(worker, desk.scope)
    large, _ = (await studio.list()).values()
    # As if an earlier run had taken the first subject for two groups.
    await change(
        database,
        """
        WITH part AS (
            INSERT INTO clusters (id, scope, key, title, title_pinned, create_time, update_time)
            SELECT gen_random_uuid(), scope, 'g9', 'Small', :named, create_time, update_time
            FROM clusters WHERE id = :id RETURNING id
        ), counted AS (
            INSERT INTO cluster_versions (scope, since, cluster_id, title, state, update_time,
                                          member_count, cohesion)
            SELECT :scope, 1, id, 'Small', 'active', now(), 3, 0.5 FROM part
        ), rest AS (
            UPDATE cluster_versions SET member_count = 6 WHERE cluster_id = :id
        ), far AS (
            SELECT item FROM members WHERE cluster_id = :id ORDER BY similarity LIMIT 3
        )
        UPDATE members SET cluster_id = part.id FROM part WHERE item IN (SELECT item FROM far)
        """,
        id=large.name.rpartition("/")[2],
        scope=desk.scope,
        named=named,
    )
    async for key in blobs.list("clustering"):
        await blobs.delete(key)
    await run(worker, desk.scope, Mode.REFIT)
    (whole,) = [c for c in (await studio.list()).values() if c.member_count == 9]
    assert (whole.name == large.name) == (not named)
