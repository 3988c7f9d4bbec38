"""What edits of clusters cost: at most five statements each, whatever their size."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Cluster

from services.clustering.usecases.attempt import Worker
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import statements

# The lock, what there is, the version, its event; and the members where a hero is to be chosen.
_SMALL, _WITH_A_HERO = 4, 5
# One more that finds the edit.
_UNDO = 6


@pytest.fixture
async def pair(desk: Desk, worker: Worker, studio: Studio) -> list[Cluster]:
    await desk.arrive([*subject(0, 12), *subject(1, 9)])
    await run(worker, desk.scope)
    return [*(await studio.list()).values(), await studio.create("Best")]


async def test_each_edit_takes_few_statements(studio: Studio, pair: list[Cluster]) -> None:
    large, small, best = pair
    stub, hero = studio.stub, large.hero.item
    items = [item for item in await studio.members(large) if item != hero]

    async def undo() -> None:
        newest = next(edit for edit in await studio.edits() if not edit.HasField("undo_time"))
        with statements() as sent:
            await studio.undo(newest)
        assert len(sent) <= _UNDO, "\n".join(sent)

    acts: list[tuple[str, int, Callable[[], Awaitable[Any]]]] = [
        ("create", _SMALL, lambda: studio.create("Other")),
        ("update", _SMALL, lambda: studio.update(large, title="Mine")),
        ("first members", _WITH_A_HERO, lambda: studio.add(best, *items[:4])),
        ("more members", _SMALL, lambda: studio.add(best, items[4])),
        ("remove", _SMALL, lambda: studio.remove(large, items[5])),
        ("remove the hero", _WITH_A_HERO, lambda: studio.remove(large, hero)),
        ("lock", _SMALL, lambda: studio.lock(large, *items[6:9])),
        ("unlock", _SMALL, lambda: studio.unlock(large, *items[6:9])),
        ("pin", _WITH_A_HERO, lambda: studio.pin(large, items[6])),
        ("veto", _WITH_A_HERO, lambda: studio.veto(large, items[6])),
        ("split", _WITH_A_HERO, lambda: studio.split(large, "Close", items[6:8])),
        ("merge", _SMALL, lambda: studio.merge(large, small)),
        (
            "archive",
            _SMALL,
            lambda: stub.ArchiveCluster(api.ArchiveClusterRequest(name=large.name)),
        ),
        (
            "unarchive",
            _SMALL,
            lambda: stub.UnarchiveCluster(api.UnarchiveClusterRequest(name=large.name)),
        ),
    ]
    for what, most, act in acts:
        with statements() as sent:
            await act()
        assert len(sent) <= most, (what, "\n".join(sent))
    for _ in range(4):
        await undo()
    other = (await studio.list())["Other"]
    with statements() as sent:
        await stub.DeleteCluster(api.DeleteClusterRequest(name=other.name))
    assert len(sent) <= _SMALL


async def test_many_items_cost_no_more_than_one(studio: Studio, desk: Desk) -> None:
    photos = await desk.arrive(subject(0, 60))
    one, many = await studio.create("One"), await studio.create("Many")
    counts = []
    for cluster, items in ((one, photos[:1]), (many, photos[1:])):
        with statements() as sent:
            await studio.add(cluster, *items)
        counts.append(len(sent))
    with statements() as sent:
        await studio.merge(one, many)
    assert counts == [_WITH_A_HERO] * 2
    assert len(sent) <= _SMALL
