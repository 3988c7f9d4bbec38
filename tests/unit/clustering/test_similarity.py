from dataclasses import replace

import numpy as np
import pytest

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from services.clustering.domain.item import ItemState, Neighbour
from services.clustering.usecases.similarity import (
    find_duplicates,
    similar_to_item,
    similar_to_vector,
)
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryIndex
from tests.support.clustering.memory import MemoryStore
from tests.support.clustering.photos import COLLECTION, Vector, axis, photo_in, tilted


async def near_item(
    desk: Desk, item: str, limit: int = 0, min_score: float | None = None
) -> list[Neighbour]:
    _, found = await similar_to_item(desk.store, desk.index, desk.scope, item, limit, min_score)
    return found


async def near_vector(desk: Desk, vector: Vector) -> tuple[str, list[Neighbour]]:
    return await similar_to_vector(desk.store, desk.index, desk.scope, vector, 0, None)


async def test_the_nearest_come_first_without_the_item_itself(desk: Desk) -> None:
    item, near, far = await desk.arrive([axis(0), tilted(0, 0.8, 1), tilted(0, 0.3, 1)])
    found = await near_item(desk, item)
    assert [neighbour.name for neighbour in found] == [near, far]
    assert [neighbour.score for neighbour in found] == pytest.approx([0.8, 0.3])


async def test_limit_and_least_score(desk: Desk) -> None:
    item, near, far = await desk.arrive([axis(0), tilted(0, 0.8, 1), tilted(0, 0.3, 1)])
    assert [n.name for n in await near_item(desk, item, limit=1)] == [near]
    assert [n.name for n in await near_item(desk, item, min_score=0.5)] == [near]
    assert [n.name for n in await near_item(desk, item, min_score=-1)] == [near, far]


async def test_ten_are_found_unless_told_otherwise(desk: Desk) -> None:
    item, *_ = await desk.arrive([tilted(0, 0.9 - 0.02 * n, 1) for n in range(15)])
    assert len(await near_item(desk, item)) == 10


async def test_what_is_not_ready_or_gone_is_never_answered(
    desk: Desk, store: MemoryStore, index: MemoryIndex
) -> None:
    item, other, gone = await desk.arrive([axis(0), axis(0), axis(0)])
    store.data.items[other] = replace(store.data.items[other], state=ItemState.PENDING)
    del store.data.items[gone]
    assert len(index.collections[COLLECTION.name]) == 3
    assert await near_item(desk, item) == []


async def test_an_item_without_a_vector(desk: Desk, store: MemoryStore) -> None:
    (item,) = await desk.arrive([axis(0)])
    for state, text in ((ItemState.PENDING, "yet"), (ItemState.QUARANTINED, "can be made")):
        store.data.items[item] = replace(store.data.items[item], state=state)
        with pytest.raises(FailedPrecondition, match=text) as caught:
            await near_item(desk, item)
        assert caught.value.reason == "NOT_EMBEDDED"


async def test_a_vector_that_the_index_has_lost(desk: Desk, index: MemoryIndex) -> None:
    (item,) = await desk.arrive([axis(0)])
    index.collections[COLLECTION.name].clear()
    with pytest.raises(FailedPrecondition) as caught:
        await near_item(desk, item)
    assert caught.value.reason == "NOT_EMBEDDED"


async def test_an_item_of_another_scope_is_not_found(desk: Desk) -> None:
    other = desk.photo(axis(0), scope="personas/other")
    for name in (other, photo_in(desk.scope)):
        with pytest.raises(NotFound):
            await near_item(desk, name)


async def test_what_names_no_item_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidArgument, match="item: must look like"):
        await near_item(desk, "nora")


async def test_searching_with_a_vector(desk: Desk) -> None:
    near, _ = await desk.arrive([axis(0), axis(1)])
    model, found = await near_vector(desk, tilted(0, 0.9, 2) * 3)
    assert model == COLLECTION.model
    assert found[0].name == near
    assert found[0].score == pytest.approx(0.9)


async def test_an_empty_scope_has_nothing_similar(desk: Desk) -> None:
    assert await near_vector(desk, axis(0)) == ("", [])


async def test_a_vector_of_another_length(desk: Desk) -> None:
    await desk.arrive([axis(0)])
    with pytest.raises(InvalidArgument) as caught:
        await near_vector(desk, np.ones(3, np.float32))
    assert caught.value.reason == "WRONG_DIMENSION"
    assert caught.value.violations[0].field == "vector.dimension"


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
async def test_a_vector_of_no_direction(desk: Desk, value: float) -> None:
    await desk.arrive([axis(0)])
    vector = np.zeros(32, np.float32)
    vector[3] = value
    with pytest.raises(InvalidArgument, match=r"vector\.data"):
        await near_vector(desk, vector)


async def test_duplicates_are_those_above_the_threshold_of_the_model(desk: Desk) -> None:
    first, second, _ = await desk.arrive([axis(0), tilted(0, 0.98, 1), tilted(0, 0.93, 2)])
    threshold, groups = await find_duplicates(desk.store, desk.scope, None)
    assert threshold == COLLECTION.duplicate_threshold
    assert [(g.keeper, [d.name for d in g.duplicates]) for g in groups] == [(first, [second])]


async def test_a_lower_threshold_finds_more(desk: Desk) -> None:
    first, second, third = await desk.arrive([axis(0), tilted(0, 0.98, 1), tilted(0, 0.93, 2)])
    threshold, groups = await find_duplicates(desk.store, desk.scope, 0.9)
    assert threshold == 0.9
    assert [(g.keeper, {d.name for d in g.duplicates}) for g in groups] == [
        (first, {second, third})
    ]


async def test_a_threshold_below_what_is_remembered_is_refused(desk: Desk) -> None:
    await desk.arrive([axis(0)])
    with pytest.raises(InvalidArgument, match=r"min_score: is 0\.5, but below 0\.9"):
        await find_duplicates(desk.store, desk.scope, 0.5)


async def test_the_largest_is_kept_then_the_oldest(desk: Desk) -> None:
    late = desk.clock.advance(60)
    (small,) = await desk.arrive([axis(0)], size=(100, 100))
    (younger,) = await desk.arrive([axis(0)], size=(200, 100), time=late)
    (older,) = await desk.arrive([axis(0)], size=(200, 100))
    _, (group,) = await find_duplicates(desk.store, desk.scope, None)
    assert group.keeper == older
    assert {d.name for d in group.duplicates} == {small, younger}


async def test_an_empty_scope_has_no_duplicates(desk: Desk) -> None:
    assert await find_duplicates(desk.store, desk.scope, None) == (1.0, [])
    assert await find_duplicates(desk.store, desk.scope, 0.6) == (0.6, [])
