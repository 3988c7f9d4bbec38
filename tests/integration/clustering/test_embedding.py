import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event as sqlalchemy_event

from libs.db.engine import Database
from libs.errors import InvalidArgument, Unavailable
from libs.events.stream import Event
from libs.vectors.index import VectorFilter
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.item import ItemKey, ItemState
from services.clustering.repository.store import PostgresStore
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Died, Fuse
from tests.support.clustering.photos import (
    COLLECTION,
    at_attempt,
    axis,
    created,
    deleted,
    subject,
    tilted,
    updated,
)
from tests.support.clustering.tables import change as change_rows
from tests.support.clustering.tables import rows, told
from tests.support.wait import eventually

WAITING_FOR_A_LOCK = (
    "SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
    " WHERE datname = current_database() AND NOT granted"
)
BAD = InvalidArgument("this is no picture", reason="BAD_IMAGE")


async def vectors_in(desk: Desk) -> int:
    return await desk.index.count(COLLECTION.name, VectorFilter.where(scope=desk.scope))


async def scenes(database: Database) -> dict[str, str]:
    return {m.photo: m.scene for m in await told(database, "photo.embedded")}


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collects what is sent to the database, transactions included."""
    sent: list[str] = []
    engine = database.engine.sync_engine

    def execute(_c, _cursor, statement, *_rest):  # type: ignore[no-untyped-def]
        sent.append(statement)

    def commit(_connection):  # type: ignore[no-untyped-def]
        sent.append("COMMIT")

    sqlalchemy_event.listen(engine, "before_cursor_execute", execute)
    sqlalchemy_event.listen(engine, "commit", commit)
    yield sent
    sqlalchemy_event.remove(engine, "before_cursor_execute", execute)
    sqlalchemy_event.remove(engine, "commit", commit)


async def test_a_photo_becomes_a_vector_and_an_event(desk: Desk, database: Database) -> None:
    (photo,) = await desk.arrive([axis(0)], tags=["sun"], quality=0.5)
    async with desk.store.read() as tx:
        item = await tx.items.get(photo)
    assert item is not None
    assert (item.state, item.collection, item.scene) == (ItemState.READY, COLLECTION.name, photo)
    assert await vectors_in(desk) == 1
    (message,) = await told(database, "photo.embedded")
    assert (message.photo, message.scene) == (photo, photo)
    assert (message.model, message.revision) == (COLLECTION.model, COLLECTION.revision)


async def test_a_process_that_dies_anywhere_leaves_nothing_undone_and_nothing_done_twice(
    desk: Desk, database: Database
) -> None:
    expected = 0
    for step in range(200):
        (like_no_other,) = subject(0, 1, within=0.0, seed=step)
        first, second, bad = desk.photo(like_no_other), desk.photo(like_no_other), desk.photo(BAD)
        batch = [created(photo) for photo in (first, second, bad)]
        expected += 1
        try:
            await desk.deliver(*batch, fuse=Fuse(step))
        except Died:
            assert await desk.errors(*batch) == [None, None, None]
        else:
            break
    for _ in range(5):
        desk.clock.advance(6 * 3600)
        await desk.embed()
    embedded = await told(database, "photo.embedded")
    assert len(embedded) == len({message.photo for message in embedded}) == 2 * expected
    assert len({message.scene for message in embedded}) == expected
    failed = await told(database, "photo.embedding_failed")
    assert len(failed) == len({message.photo for message in failed}) == expected
    assert {message.reason for message in failed} == {"BAD_IMAGE"}
    assert len(await rows(database, "SELECT FROM near_pairs")) == expected
    assert await vectors_in(desk) == 2 * expected
    assert expected > 20


async def test_copies_that_arrive_at_once_are_one_pair_and_one_scene(
    desk: Desk, database: Database
) -> None:
    for number in range(8):
        copies = [desk.photo(axis(number)), desk.photo(tilted(number, 0.98, 20))]
        await asyncio.gather(*(desk.deliver(created(photo)) for photo in copies))
        found = await scenes(database)
        assert len({found[photo] for photo in copies}) == 1
    pairs = await rows(database, "SELECT score FROM near_pairs")
    assert len(pairs) == 8
    assert pairs[0].score == pytest.approx(0.98, abs=1e-5)


async def test_the_same_event_delivered_twice_at_once_counts_once(
    desk: Desk, database: Database
) -> None:
    event = created(desk.photo(axis(0)))
    await asyncio.gather(desk.deliver(event), desk.deliver(at_attempt(event, 2)))
    assert len(await told(database, "photo.embedded")) == 1


async def test_a_batch_needs_few_round_trips_however_many_pairs_it_makes(
    desk: Desk, database: Database
) -> None:
    await desk.arrive([axis(0)])
    events = [created(desk.photo(tilted(0, 0.99, n + 1))) for n in range(16)]
    with statements(database) as sent:
        await desk.deliver(*events)
    assert len(await rows(database, "SELECT FROM near_pairs")) == 17 * 16 / 2
    # Noting them, taking them, storing them, and seeing that there are no more.
    assert len(sent) <= 23, sent


async def test_a_burst_of_many_copies_makes_one_scene(desk: Desk, database: Database) -> None:
    photos = await desk.arrive([tilted(0, 0.995, 1 + n % 8) for n in range(40)])
    assert len({*(await scenes(database)).values()}) == 1
    assert len(await scenes(database)) == len(photos)


async def test_an_index_that_lost_everything_is_filled_again(
    desk: Desk, index: QdrantIndex
) -> None:
    await desk.arrive([axis(0)])
    await index.delete_collection(COLLECTION.name)
    await desk.arrive([axis(1)])
    assert await vectors_in(desk) == 1


async def test_while_the_index_is_away_everything_waits(desk: Desk, database: Database) -> None:
    event = created(desk.photo(axis(0)))
    there = desk.index
    desk.index = QdrantIndex("127.0.0.1:1", timeout=0.5)
    with pytest.raises(Unavailable):
        await desk.deliver(event)
    await desk.index.close()
    desk.index = there
    await desk.embed()
    assert len(await told(database, "photo.embedded")) == 1


async def test_deleting_a_photo_leaves_only_its_name(desk: Desk, database: Database) -> None:
    one, other = await desk.arrive([axis(0), axis(0)], tags=["secret"], path="secret/1.jpg")
    await desk.deliver(deleted(one))
    await desk.deliver(deleted(one))
    assert await vectors_in(desk) == 1
    assert await rows(database, "SELECT FROM near_pairs") == []
    assert await desk.errors(created(one)) == [None]
    async with desk.store.read() as tx:
        assert [*await tx.items.many([one, other])] == [other]
        assert await tx.items.is_deleted(one) and not await tx.items.is_deleted(other)
        assert await tx.items.gone([one, other]) == [one]
    (row,) = await rows(database, "SELECT * FROM items WHERE name = :name", name=one)
    assert (row.state, row.words, row.blob_key, row.tags) == ("deleted", [], "", [])
    assert len(await rows(database, "SELECT FROM item_vectors")) == 1


async def test_photos_that_are_deleted_while_they_arrive_leave_nothing(
    desk: Desk, store: PostgresStore, database: Database
) -> None:
    for number in range(10):
        photos = [desk.photo(tilted(number, 0.99, 20 + n)) for n in range(4)]
        await asyncio.gather(
            desk.deliver(*map(created, photos)), *(desk.deliver(deleted(p)) for p in photos)
        )
    assert await vectors_in(desk) == 0
    assert await rows(database, "SELECT FROM near_pairs") == []
    assert await rows(database, "SELECT FROM items WHERE state <> 'deleted'") == []


@pytest.mark.parametrize("change", [created, deleted])
async def test_changes_of_items_of_one_scope_follow_one_another(
    desk: Desk, store: PostgresStore, database: Database, change: Callable[[str], Event]
) -> None:
    event = change(desk.photo(axis(0)))
    async with store.begin() as tx:
        await tx.items.lock([desk.scope, "personas/other"])
        waits = asyncio.create_task(desk.deliver(event))
        await eventually(lambda: rows(database, WAITING_FOR_A_LOCK))
        await desk.arrive_elsewhere([axis(0)])
    await waits


async def test_words_of_a_deleted_photo_stay_away(desk: Desk, database: Database) -> None:
    (photo,) = await desk.arrive([axis(0)])
    await desk.deliver(deleted(photo))
    await desk.deliver(updated(photo, tags=["ghost"], time=desk.clock.advance(9)))
    assert (await rows(database, "SELECT words FROM items"))[0].words == []


async def test_newer_words_win(desk: Desk) -> None:
    (photo,) = await desk.arrive([axis(0)])
    older = updated(photo, tags=["older"], time=desk.clock.advance(1))
    await desk.deliver(updated(photo, tags=["newer"], time=desk.clock.advance(1)))
    await desk.deliver(older)
    async with desk.store.read() as tx:
        item = await tx.items.get(photo)
    assert item is not None and item.words == ("tag:newer",)


async def nearest(database: Database) -> dict[str, list[tuple[str, float]]]:
    """What was told of each photo: what is nearest to it, and by what cosine."""
    return {
        message.photo: [(near.photo, round(near.similarity, 4)) for near in message.neighbours]
        for message in await told(database, "photo.embedded")
    }


async def test_what_is_nearest_is_told_with_the_photo(desk: Desk, database: Database) -> None:
    (first,) = await desk.arrive([axis(0)])
    far, near = await desk.arrive([tilted(0, 0.3, 1), tilted(0, 0.6, 1)])
    told_of = await nearest(database)
    assert told_of[first] == []
    assert [name for name, _ in told_of[near]] == [far, first], "of one batch, too"
    assert told_of[near][1] == (first, 0.6)
    assert told_of[far][1] == (first, 0.3)
    (message, *_) = await told(database, "photo.embedded")
    assert message.scene_similarity == pytest.approx(COLLECTION.scene_threshold)


async def test_only_living_photos_of_the_same_persona_are_told_as_nearest(
    desk: Desk, database: Database
) -> None:
    await desk.arrive_elsewhere([axis(0)])
    gone, there = await desk.arrive([axis(0), tilted(0, 0.5, 1)])
    await desk.deliver(deleted(gone))
    (photo,) = await desk.arrive([axis(0)])
    assert (await nearest(database))[photo] == [(there, 0.5)]


async def test_a_photo_deleted_while_another_is_embedded_is_not_told_of(
    desk: Desk, store: PostgresStore, database: Database
) -> None:
    (gone,) = await desk.arrive([axis(0)])
    photo = desk.photo(tilted(0, 0.9, 20))
    async with store.begin() as tx:
        await tx.items.lock([desk.scope])
        waits = asyncio.create_task(desk.deliver(created(photo)))
        # It has searched by then.
        await eventually(lambda: rows(database, WAITING_FOR_A_LOCK))
        await tx.items.delete(ItemKey.of_photo(gone))
        await tx.commit()
    await waits
    assert (await nearest(database))[photo] == []


async def test_no_more_than_twenty_are_told_however_many_are_near(
    desk: Desk, database: Database
) -> None:
    photos = await desk.arrive([tilted(0, 0.995, 1 + n % 8) for n in range(30)])
    last, alone = await desk.arrive([axis(0), axis(9)])
    found = await nearest(database)
    assert len(found[last]) == len(found[alone]) == 20
    assert {name for name, _ in found[last]} < {*photos}


async def test_waiting_photos_are_found_without_reading_the_others(database: Database) -> None:
    await change_rows(
        database,
        """
        INSERT INTO items (name, point_id, scope, blob_key, words, words_time, pixels, create_time)
        SELECT 'item ' || n, gen_random_uuid(), 'personas/p' || n % 700, '', '{}', now(), 1, now()
        FROM generate_series(1, 5000) AS n
        """,
    )
    await change_rows(
        database,
        """
        INSERT INTO collections (name, model, revision, fingerprint, dimension, scene_threshold,
                                 duplicate_threshold, create_time, id, state)
        VALUES ('c', 'models/m', 'r', 'f', 3, 0.5, 0.5, now(), gen_random_uuid(), 'active')
        """,
    )
    await change_rows(
        database,
        """
        INSERT INTO item_vectors (collection, item, state, scene, scope)
        SELECT 'c', 'item ' || n, CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'ready' END, 's',
               'personas/p' || n % 700
        FROM generate_series(1, 5000) AS n
        """,
    )
    await change_rows(database, "ANALYZE item_vectors")
    plan = await rows(
        database,
        """
        EXPLAIN SELECT * FROM item_vectors
        WHERE collection = 'c' AND state = 'pending' AND item > '' ORDER BY item LIMIT 16
        """,
    )
    assert "ix_item_vectors_pending" in str(plan)
    plan = await rows(
        database,
        """
        EXPLAIN SELECT * FROM item_vectors
        WHERE collection = 'c' AND state = 'pending' AND scope = 'personas/p9' ORDER BY arrival
        LIMIT 16
        """,
    )
    assert "ix_item_vectors_waiting" in str(plan)
