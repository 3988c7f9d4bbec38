"""Naming clusters beside those that there are, on PostgreSQL."""

import pytest

from libs.ids import uuid7
from services.clustering.algorithms.titles import Background, Named
from services.clustering.domain.run import Mode
from services.clustering.ports.naming import Naming
from services.clustering.usecases.naming import Sample, due_names, make_names, settle_names
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import cluster


@pytest.fixture
async def photos(desk) -> dict[str, list[str]]:
    """Photos by their tag."""
    return {
        tag: await desk.arrive(subject(number, 5), tags=("studio", tag))
        for number, tag in enumerate(("mug", "boat"))
    }


@pytest.fixture
async def ids(studio) -> list[str]:
    """Three clusters, by id."""
    made = [await studio.create(f"Number {number}") for number in range(3)]
    return [cluster.name.rpartition("/")[2] for cluster in made]


def about(*terms: str, size: int = 10) -> Named:
    return Named("", size, dict.fromkeys(terms, 50.0), 50.0 * len(terms))


async def test_what_a_cluster_is_about_is_told_from_what_others_are(store, pool, desk, photos, ids):
    async with store.begin() as tx:
        others = {ids[0]: about("studio", "lamp"), ids[1]: about("studio", "chair")}
        await settle_names(tx, desk.scope, others, {})
        sample = Sample(5, "", photos["mug"])
        named = await make_names(tx, pool, desk.scope, {ids[2]: sample}, "photos", [])
        assert named[ids[2]].title == "Mug photos"
        taken = ["MUG photos"]
        named = await make_names(tx, pool, desk.scope, {ids[2]: sample}, "photos", taken)
        assert named[ids[2]].title == "Studio mug"
        await settle_names(tx, desk.scope, named, {ids[2]: 5})
        await tx.commit()
    async with store.read() as tx:
        found = await tx.namings.background(desk.scope, ["studio", "mug", "tree"], [ids[0]])
        assert found == Background(2, 115.0, {"studio": 57.5, "mug": 7.5})
        assert await tx.namings.background("personas/other", ["studio"], []) == Background()


async def test_a_cluster_is_due_when_it_is_new_or_a_fifth_of_it_changed(store, desk, ids):
    async with store.begin() as tx:
        assert await due_names(tx, dict.fromkeys(ids, 0)) == set(ids)
        await settle_names(tx, desk.scope, {id: about("lamp") for id in ids}, {})
        assert await due_names(tx, {ids[0]: 1, ids[1]: 2}) == {ids[1]}
        await settle_names(tx, desk.scope, {}, {ids[0]: 1, ids[1]: 0})
        # One came in a run before, and one comes now.
        assert await due_names(tx, {ids[0]: 1, ids[1]: 1}) == {ids[0]}
        await settle_names(tx, desk.scope, {ids[0]: about("lamp", size=12)}, {ids[0]: 1})
        assert await tx.namings.of(ids[:1]) == {ids[0]: Naming(12, 0)}


async def test_clusters_that_are_gone_count_no_more(store, desk, ids):
    async with store.begin() as tx:
        await settle_names(tx, desk.scope, {id: about("lamp") for id in ids}, {})
        await settle_names(tx, desk.scope, {}, {}, gone=ids[1:])
        assert await tx.namings.background(desk.scope, ["lamp"], []) == Background(
            1, 50.0, {"lamp": 50.0}
        )
        assert await tx.namings.of(ids) == {ids[0]: Naming(10, 0)}


async def test_titles_of_the_others(store, studio, desk, ids):
    async with store.read() as tx:
        assert sorted(await tx.namings.titles(desk.scope, ids[:1])) == ["Number 1", "Number 2"]
        assert await tx.namings.titles(f"personas/{uuid7()}", []) == []


async def test_items_that_are_gone_have_no_words(store, desk, photos):
    async with store.read() as tx:
        mug = photos["mug"][0]
        words = await tx.namings.words([mug, f"{desk.scope}/photos/{uuid7()}"])
        assert words == {mug: ("tag:studio", "tag:mug")}


async def test_a_run_names_what_is_new_and_leaves_other_titles_alone(desk, worker, store, studio):
    await desk.arrive(subject(0, 8), tags=("mug", "kitchen"))
    await desk.arrive(subject(1, 8), tags=("boat", "harbour"))
    await cluster(worker, desk.scope)
    before = await studio.list()
    # One fits in and says something else; a whole new subject comes.
    await desk.arrive(subject(0, 1, seed=5), tags=("teapot",))
    await desk.arrive(subject(2, 8), tags=("tree",))
    await cluster(worker, desk.scope)
    after = await studio.list()
    assert set(before) == {"Mug kitchen", "Boat harbour"}
    assert set(after) == {*before, "Tree photos"}
    assert {after[title].name for title in before} == {c.name for c in before.values()}


async def test_people_name_clusters_better(desk, worker, studio):
    await desk.arrive(subject(0, 8), tags=("mug",))
    await desk.arrive(subject(1, 8), tags=("boat",))
    await cluster(worker, desk.scope)
    await studio.update((await studio.list())["Mug photos"], "title", title="Boat PHOTOS 2")
    await desk.arrive(subject(2, 8), tags=("tree",))
    run = await cluster(worker, desk.scope, Mode.REFIT)
    assert run.stats.clusters == 3
    assert set(await studio.list()) == {"Boat photos", "Boat PHOTOS 2", "Tree photos"}
