"""Photos whose event was lost or given up are embedded all the same."""

from datetime import timedelta

import pytest

from libs.errors import InvalidArgument, Unavailable
from services.clustering.domain.item import ItemState
from tests.support.clustering.desk import Desk
from tests.support.clustering.memory import MemoryStore
from tests.support.clustering.photos import axis, created

BAD = InvalidArgument("this is no picture", reason="BAD_IMAGE")


async def left_behind(desk: Desk, *events) -> None:  # type: ignore[no-untyped-def]
    """The items are known, and nothing else will ever come of their events."""
    await desk.note(*events)


async def look_after(desk: Desk, *, batch: int = 2) -> None:
    await desk.embed(older=timedelta(minutes=5), batch=batch)


async def test_every_photo_that_waits_too_long_is_embedded(desk: Desk, store: MemoryStore) -> None:
    photos = [desk.photo(axis(number)) for number in range(5)]
    await left_behind(desk, *(created(photo, time=desk.now()) for photo in photos))
    desk.clock.advance(299)
    await look_after(desk)
    assert {store.data.items[photo].state for photo in photos} == {ItemState.PENDING}
    desk.clock.advance(2)
    await look_after(desk)
    assert {store.data.items[photo].state for photo in photos} == {ItemState.READY}
    told = [entry for entry in store.data.told if entry[0] == "photo.embedded"]
    assert len(told) == 5
    await look_after(desk)
    assert [entry for entry in store.data.told if entry[0] == "photo.embedded"] == told


async def test_a_bad_photo_is_quarantined_and_holds_up_no_other(
    desk: Desk, store: MemoryStore
) -> None:
    bad = [desk.photo(BAD), desk.photo(BAD)]
    good = [desk.photo(axis(0)), desk.photo(axis(1))]
    spoiling = created(bad[1], thumbnail_key="", time=desk.now())
    events = [created(photo, time=desk.now()) for photo in (bad[0], *good)]
    await left_behind(desk, *events, spoiling)
    desk.clock.advance(301)
    await look_after(desk, batch=4)
    assert {store.data.items[photo].state for photo in good} == {ItemState.READY}
    for _ in range(5):
        desk.clock.advance(6 * 3600)
        await look_after(desk, batch=4)
    assert {store.data.items[photo].state for photo in bad} == {ItemState.QUARANTINED}


async def test_while_the_embedding_service_is_away_they_go_on_waiting(
    desk: Desk, store: MemoryStore
) -> None:
    photo = desk.photo(axis(0))
    await left_behind(desk, created(photo, time=desk.now()))
    desk.clock.advance(301)
    desk.embedder.down = Unavailable("away")
    with pytest.raises(Unavailable):
        await look_after(desk)
    assert store.data.items[photo].state is ItemState.PENDING
