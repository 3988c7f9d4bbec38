import numpy as np
import pytest

from libs.errors import (
    ColonnadeError,
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfQuota,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from libs.events.stream import Event, Reject, Retry
from services.clustering.domain.cluster import Cluster, Hero, Member
from services.clustering.domain.item import ItemState
from services.clustering.domain.tries import MOST_TRIES
from services.clustering.domain.words import labels_of
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryIndex
from tests.support.clustering.faults import Died, Fuse
from tests.support.clustering.memory import MemoryStore
from tests.support.clustering.photos import (
    COLLECTION,
    NOON,
    at_attempt,
    axis,
    created,
    deleted,
    key_of,
    tilted,
    updated,
)

BAD = InvalidArgument("this is no picture", reason="BAD_IMAGE")


async def last_tries(desk: Desk) -> None:
    """Lets so much time go by that whatever fails is given up."""
    for _ in range(MOST_TRIES):
        desk.clock.advance(6 * 3600)
        await desk.embed()


def told(store: MemoryStore, type: str = "photo.embedded") -> list[tuple[str, ...]]:
    return [entry[1:] for entry in store.data.told if entry[0] == type]


async def test_a_photo_that_arrives_can_be_searched_and_is_told_of(
    desk: Desk, store: MemoryStore, index: MemoryIndex
) -> None:
    photo = desk.photo(axis(0))
    event = created(photo, size=(200, 100), quality=0.5, tags=["sun"], pillar="Travel")
    assert await desk.errors(event) == [None]
    item = store.data.items[photo]
    assert (item.state, item.collection, item.scene) == (ItemState.READY, COLLECTION.name, photo)
    assert (item.pixels, item.quality, item.create_time) == (20_000, 0.5, NOON)
    assert labels_of(item.words).tags == ("sun",)
    assert labels_of(item.words).texts == ()
    point = index.collections[COLLECTION.name][item.point_id]
    assert np.array_equal(point.vector, axis(0))
    assert point.payload == item.payload
    assert point.payload["tags"] == ["sun"] and point.payload["scope"] == desk.scope
    assert told(store) == [(photo, photo)]
    assert index.made == [COLLECTION.name]


async def test_an_event_that_comes_again_changes_nothing(desk: Desk, store: MemoryStore) -> None:
    event = created(desk.photo(axis(0)))
    await desk.deliver(event)
    before = store.data
    await desk.deliver(at_attempt(event, 2))
    assert store.data == before
    assert len(desk.embedder.calls) == 1


async def test_a_collection_is_made_once(desk: Desk, index: MemoryIndex) -> None:
    await desk.arrive([axis(0)])
    await desk.arrive([axis(1)])
    assert index.made == [COLLECTION.name]


async def test_a_process_that_dies_anywhere_leaves_nothing_undone_and_nothing_done_twice(
    store: MemoryStore, index: MemoryIndex, desk: Desk
) -> None:
    for step in range(200):
        store.data, index.collections = MemoryStore().data, {}
        first, second, bad = desk.photo(axis(0)), desk.photo(tilted(0, 0.95, 1)), desk.photo(BAD)
        events = [created(photo) for photo in (first, second, bad)]
        fuse = Fuse(step)
        try:
            await desk.deliver(*events, fuse=fuse)
        except Died:
            pass
        else:
            break
        assert await desk.errors(*events) == [None, None, None]
        await last_tries(desk)
        scene = min(first, second)
        assert sorted(told(store)) == sorted([(first, scene), (second, scene)])
        assert told(store, "photo.embedding_failed") == [(bad, "BAD_IMAGE")]
        assert [*store.data.pairs] == [(min(first, second), max(first, second))]
        assert len(index.collections[COLLECTION.name]) == 2
    assert 18 < step < 100, "the steps between which it died"


async def test_one_bad_picture_does_not_hold_up_the_others(desk: Desk, store: MemoryStore) -> None:
    good, bad = desk.photo(axis(0)), desk.photo(BAD)
    await desk.deliver(created(good), created(bad))
    assert store.data.items[good].state is ItemState.READY
    for attempt, minutes in enumerate((1, 5, 30, 360), 1):
        assert store.data.items[bad].attempts == attempt
        desk.clock.advance(60 * minutes - 1)
        await desk.embed()
        assert store.data.items[bad].attempts == attempt, "not before its time"
        assert store.data.items[bad].state is ItemState.PENDING
        assert told(store, "photo.embedding_failed") == []
        desk.clock.advance(1)
        await desk.embed()
    assert store.data.items[bad].state is ItemState.QUARANTINED
    assert told(store, "photo.embedding_failed") == [(bad, "BAD_IMAGE")]
    assert desk.embedder.calls[1:] == [[key_of(bad)]] * (MOST_TRIES - 1)


async def test_a_picture_that_fails_twice_and_then_passes_is_embedded(
    desk: Desk, store: MemoryStore
) -> None:
    photo = desk.photo(BAD)
    await desk.deliver(created(photo))
    desk.clock.advance(60)
    await desk.embed()
    assert store.data.items[photo].attempts == 2
    desk.embedder.give(photo, axis(0))
    desk.clock.advance(300)
    await desk.embed()
    assert told(store) == [(photo, photo)]


@pytest.mark.parametrize(
    "vector", [np.zeros(32, np.float32), np.full(32, np.nan, np.float32)], ids=["zeros", "nan"]
)
async def test_a_vector_that_is_none_is_an_error_of_its_picture(
    desk: Desk, store: MemoryStore, vector: np.ndarray
) -> None:
    good, bad = desk.photo(axis(0)), desk.photo(vector)
    await desk.deliver(created(good), created(bad))
    assert store.data.items[bad].attempts == 1
    await last_tries(desk)
    assert told(store) == [(good, good)]
    assert told(store, "photo.embedding_failed") == [(bad, "BAD_VECTOR")]


@pytest.mark.parametrize(
    "down",
    [
        Unavailable("away", retry_after=7),
        OutOfQuota("too much", retry_after=7),
        DeadlineExceeded(""),
        Unauthenticated("a wrong key"),
        PermissionDenied("a key without the scope"),
        FailedPrecondition("a broken model"),
        Conflict("lost a race"),
        NotFound("model", "models/gone"),
        Internal("unplanned"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_while_the_embedding_service_is_away_everything_waits(
    desk: Desk, store: MemoryStore, down: ColonnadeError
) -> None:
    photos = [desk.photo(axis(0)), desk.photo(axis(1))]
    events = [created(photo) for photo in photos]
    desk.embedder.down = down
    with pytest.raises(Unavailable) as caught:
        await desk.deliver(*events)
    assert caught.value.retry_after == getattr(down, "retry_after", 1.0)
    items = [store.data.items[photo] for photo in photos]
    assert [(item.state, item.attempts) for item in items] == [(ItemState.PENDING, 0)] * 2
    desk.embedder.down = None
    await desk.embed()
    assert len(told(store)) == 2


async def test_one_picture_that_has_to_wait_does_not_use_up_its_attempts(
    desk: Desk, store: MemoryStore
) -> None:
    photo = desk.photo(OutOfQuota("too much", retry_after=7))
    await desk.deliver(created(photo))
    desk.embedder.give(photo, axis(0))
    desk.clock.advance(6)
    await desk.embed()
    item = store.data.items[photo]
    assert (item.state, item.attempts) == (ItemState.PENDING, 0)
    desk.clock.advance(1)
    await desk.embed()
    assert told(store) == [(photo, photo)]


async def test_a_picture_that_is_too_large_is_given_up_at_once(
    desk: Desk, store: MemoryStore
) -> None:
    large = desk.photo(OutOfQuota("200 megapixels", reason="IMAGE_TOO_LARGE"))
    waiting = desk.photo(OutOfQuota("too much", reason="QUEUE_FULL"))
    good = desk.photo(axis(0))
    await desk.deliver(created(large), created(waiting), created(good))
    states = [store.data.items[photo].state for photo in (large, waiting, good)]
    assert states == [ItemState.QUARANTINED, ItemState.PENDING, ItemState.READY]
    assert told(store, "photo.embedding_failed") == [(large, "IMAGE_TOO_LARGE")]


async def test_one_picture_that_spoils_the_request_is_found_by_halves(
    desk: Desk, store: MemoryStore
) -> None:
    good, bad = [desk.photo(axis(number)) for number in range(7)], desk.photo(axis(7))
    events = [created(photo) for photo in good]
    await desk.deliver(*events[:4], created(bad, thumbnail_key=""), *events[4:])
    assert [len(call) for call in desk.embedder.calls] == [8, 4, 4, 2, 1, 1, 2]
    assert {photo for photo, _ in told(store)} == {*good}
    assert store.data.items[bad].attempts == 1
    await last_tries(desk)
    assert told(store, "photo.embedding_failed") == [(bad, "INVALID_ARGUMENT")]


async def test_one_picture_that_breaks_the_service_is_found_by_halves(
    desk: Desk, store: MemoryStore
) -> None:
    good, bad = desk.photo(axis(0)), desk.photo(axis(1))
    embed = desk.embedder.embed

    async def broken(keys, model, scope):  # type: ignore[no-untyped-def]
        if key_of(bad) in keys:
            raise Internal("unplanned")
        return await embed(keys, model, scope)

    desk.embedder.embed = broken  # type: ignore[method-assign]
    await desk.deliver(created(good), created(bad))
    assert told(store) == [(good, good)]
    assert store.data.items[bad].attempts == 1


async def test_one_item_that_we_cannot_cope_with_holds_up_no_other(
    desk: Desk, store: MemoryStore, index: MemoryIndex
) -> None:
    good, bad = desk.photo(axis(0)), desk.photo(axis(1))
    upsert, poison = index.upsert, bad.rpartition("/")[2]

    async def choke(collection, points):  # type: ignore[no-untyped-def]
        if poison in {point.id for point in points}:
            raise ValueError("a mistake of ours")
        await upsert(collection, points)

    index.upsert = choke  # type: ignore[method-assign]
    await desk.deliver(created(bad), created(good))
    assert told(store) == [(good, good)]
    await last_tries(desk)
    assert told(store, "photo.embedding_failed") == [(bad, "INTERNAL")]


def broken(desk: Desk) -> Event:
    event = created(desk.photo(axis(5)))
    return Event(event.id, event.type, event.subject, event.subject, b"\xff\xff", event.time)


async def test_an_event_that_cannot_be_read_is_rejected_alone(
    desk: Desk, store: MemoryStore
) -> None:
    good = desk.photo(axis(0))
    nameless = created("personas/nora/photos/not-a-uuid")
    errors = await desk.errors(broken(desk), created(good), nameless)
    assert isinstance(errors[0], Reject) and isinstance(errors[2], Reject)
    assert errors[1] is None
    assert told(store) == [(good, good)]


async def test_near_copies_in_one_batch_are_one_pair_and_one_scene(
    desk: Desk, store: MemoryStore
) -> None:
    one, other = desk.photo(axis(0)), desk.photo(tilted(0, 0.98, 1))
    await desk.deliver(created(one), created(other))
    assert {name: item.scene for name, item in store.data.items.items()} == {one: one, other: one}
    ((pair, kept),) = store.data.pairs.items()
    assert pair == (one, other)
    assert kept.score == pytest.approx(0.98)


async def test_like_photos_of_different_personas_have_nothing_to_do_with_each_other(
    desk: Desk, store: MemoryStore
) -> None:
    here, there = desk.photo(axis(0)), desk.photo(axis(0), scope="personas/somebody-else")
    await desk.deliver(created(here), created(there))
    assert store.data.pairs == {}
    assert sorted(told(store)) == sorted([(here, here), (there, there)])


async def test_a_later_copy_joins_the_scene(desk: Desk, store: MemoryStore) -> None:
    (first,) = await desk.arrive([axis(0)])
    (second,) = await desk.arrive([tilted(0, 0.92, 1)])
    (third,) = await desk.arrive([tilted(0, 0.89, 2)])
    assert told(store) == [(first, first), (second, first), (third, third)]
    assert [*store.data.pairs] == [(first, second)]


async def test_updating_changes_the_words_but_not_where_the_file_lay(
    desk: Desk, store: MemoryStore
) -> None:
    (photo,) = await desk.arrive([axis(0)], path="rome/1.jpg", tags=["old"], pillar="Old")
    desk.clock.advance(60)
    await desk.deliver(updated(photo, tags=["new"], pillar="New", time=desk.now()))
    labels = labels_of(store.data.items[photo].words)
    assert (labels.file_name, labels.tags, labels.texts) == ("rome/1.jpg", ("new",), ())


async def test_an_older_update_that_comes_late_undoes_nothing(
    desk: Desk, store: MemoryStore
) -> None:
    (photo,) = await desk.arrive([axis(0)])
    older = updated(photo, tags=["older"], time=desk.clock.advance(1))
    newer = updated(photo, tags=["newer"], time=desk.clock.advance(1))
    await desk.deliver(newer)
    await desk.deliver(older)
    assert labels_of(store.data.items[photo].words).tags == ("newer",)


async def test_an_update_that_overtakes_its_photo_waits_for_it(
    desk: Desk, store: MemoryStore
) -> None:
    photo = desk.photo(axis(0))
    with pytest.raises(Retry):
        await desk.deliver(updated(photo))


async def test_deleting_takes_out_vector_pairs_and_item(
    desk: Desk, store: MemoryStore, index: MemoryIndex
) -> None:
    one, other = await desk.arrive([axis(0), axis(0)])
    await desk.deliver(deleted(one))
    assert [*store.data.items] == [other]
    assert store.data.pairs == {}
    assert [*index.collections[COLLECTION.name]] == [store.data.items[other].point_id]


async def test_a_photo_that_was_deleted_does_not_come_back(
    desk: Desk, store: MemoryStore, index: MemoryIndex
) -> None:
    photo = desk.photo(axis(0))
    await desk.deliver(deleted(photo))
    assert await desk.errors(created(photo)) == [None]
    await desk.deliver(updated(photo, tags=["ghost"]))
    assert store.data.items == {}
    assert told(store) == [] and desk.embedder.calls == []


async def test_a_photo_deleted_while_it_is_embedded_leaves_nothing(
    desk: Desk, store: MemoryStore, index: MemoryIndex
) -> None:
    photo, other = desk.photo(axis(0)), desk.photo(axis(0))
    embed = desk.embedder.embed

    async def delete_first(keys, model, scope):  # type: ignore[no-untyped-def]
        await desk.deliver(deleted(photo))
        return await embed(keys, model, scope)

    desk.embedder.embed = delete_first  # type: ignore[method-assign]
    assert await desk.errors(created(photo), created(other)) == [None, None]
    assert [*index.collections[COLLECTION.name]] == [store.data.items[other].point_id]
    assert told(store) == [(other, other)]
    assert store.data.pairs == {}


async def test_deleting_survives_the_death_of_its_process(
    desk: Desk, store: MemoryStore, index: MemoryIndex
) -> None:
    for step in range(50):
        store.data, index.collections = MemoryStore().data, {}
        photo, other = await desk.arrive([axis(0), axis(0)])
        event = deleted(photo)
        try:
            await desk.deliver(event, fuse=Fuse(step))
        except Died:
            pass
        else:
            break
        await desk.deliver(at_attempt(event, 2))
        assert [*index.collections[COLLECTION.name]] == [store.data.items[other].point_id]
        assert store.data.pairs == {}
    assert step >= 5


async def test_a_deleted_hero_is_followed_by_the_best_of_the_rest(
    desk: Desk, store: MemoryStore
) -> None:
    photos = await desk.arrive([axis(0), axis(1), axis(2)])
    members = tuple(Member(photo, 0.9 - 0.1 * n, n + 1) for n, photo in enumerate(photos))
    cluster = Cluster(
        "c1",
        desk.scope,
        "g1",
        "T",
        NOON,
        NOON,
        hero=Hero(photos[0], 0.9),
        member_count=3,
        version=4,
    )
    store.data.clusters["c1"], store.data.members["c1"] = cluster, members
    await desk.deliver(deleted(photos[0]))
    after = store.data.clusters["c1"]
    assert after.member_count == 2
    assert after.hero is not None and after.hero.item == photos[1]
    assert after.hero.score > 0 and after.hero.parts


async def test_the_vector_goes_from_every_collection_it_may_be_in(
    desk: Desk, store: MemoryStore, index: MemoryIndex
) -> None:
    photo = desk.photo(axis(0))
    # It died after the vector was stored, and before that was written down.
    for step in range(100):
        with pytest.raises(Died):
            await desk.deliver(created(photo), fuse=Fuse(step))
        if index.collections.get(COLLECTION.name):
            break
    (other,) = await desk.arrive([axis(1)])
    await desk.deliver(deleted(photo))
    assert [*index.collections[COLLECTION.name]] == [store.data.items[other].point_id]


async def test_a_deletion_that_names_no_photo_is_rejected(desk: Desk) -> None:
    with pytest.raises(Reject):
        await desk.deliver(deleted(""))
