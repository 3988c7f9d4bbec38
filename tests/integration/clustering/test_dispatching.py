"""What waits for its vector is embedded in fair turns, by several processes, through deaths."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

from libs.cancellation import cancel_and_wait
from libs.db.engine import Database
from libs.errors import Internal, InvalidArgument, Unavailable
from services.clustering.domain.item import Modality
from services.clustering.usecases.dispatching import Dispatcher, drain
from services.clustering.usecases.noting import note_strays
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import axis, created, deleted, key_of, new_scope, subject
from tests.support.clustering.tables import change, rows, told
from tests.support.wait import eventually

PHOTOS = Modality.PHOTOS
BAD = InvalidArgument("this is no picture", reason="BAD_IMAGE")


@asynccontextmanager
async def dispatching(desk: Desk, taker: str = "service") -> AsyncIterator[Dispatcher]:
    """What runs in the process of the service."""
    dispatcher = Dispatcher(desk.dispatch(taker), PHOTOS, concurrency=2)
    run = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run


async def wait_in(desk: Desk, scope: str, count: int) -> list[str]:
    """So many photos of a scope that wait, in the order of their arrival."""
    photos = [desk.photo(vector, scope) for vector in subject(0, count, within=0.0)]
    for start in range(0, count, 500):
        await desk.note(*(created(photo) for photo in photos[start : start + 500]))
    return photos


async def many_wait_in(desk: Desk, database: Database, scope: str, count: int) -> list[str]:
    """The same, of so many that events would take too long."""
    await desk.arrive_elsewhere([axis(0)])  # for the collection
    for number, vector in enumerate(subject(1, count, within=0.0), 1):
        desk.embedder.results[f"large/{number}"] = vector
    await change(
        database,
        """
        WITH new AS (
            INSERT INTO items (name, point_id, scope, blob_key, words, words_time, pixels,
                               create_time)
            SELECT CAST(:scope AS text) || '/photos/' || n, gen_random_uuid(), :scope,
                   'large/' || n, '{}', now(), 1, now()
            FROM generate_series(1, CAST(:count AS integer)) AS n RETURNING name, scope
        )
        INSERT INTO item_vectors (collection, item, scope)
        SELECT c.name, new.name, new.scope FROM new, collections AS c
        """,
        scope=scope,
        count=count,
    )
    desk.embedder.calls.clear()
    return [f"large/{number}" for number in range(1, count + 1)]


class Counted:
    """The order in which pictures were embedded."""

    def __init__(self, desk: Desk, photos: Sequence[str]) -> None:
        self._desk = desk
        self._names = {key_of(photo): photo for photo in photos}

    def __iter__(self) -> Iterator[str]:
        return (self._names[key] for call in self._desk.embedder.calls for key in call)


async def test_ten_photos_of_a_small_persona_do_not_wait_for_5000_of_a_large_one(
    desk: Desk, database: Database
) -> None:
    await many_wait_in(desk, database, new_scope(), 5000)
    under_way, go = asyncio.Event(), asyncio.Event()
    embed, calls = desk.embedder.embed, desk.embedder.calls

    async def held(keys, model, scope):  # type: ignore[no-untyped-def]
        if len(calls) == 4:
            under_way.set()
            await go.wait()
        return await embed(keys, model, scope)

    desk.embedder.embed = held  # type: ignore[method-assign]
    async with dispatching(desk) as dispatcher:
        await under_way.wait()
        small = await wait_in(desk, new_scope(), 10)
        dispatcher.wake()
        go.set()

        async def all_told() -> bool:
            ready = {message.photo for message in await told(database, "photo.embedded")}
            return ready >= {*small}

        await eventually(all_told)
    last = max(n for n, call in enumerate(calls) if {*call} & {key_of(photo) for photo in small})
    of_large = sum(key.startswith("large/") for call in calls[4:last] for key in call)
    assert of_large < 100, "so many of the large one were embedded while the small one waited"


async def test_a_batch_has_as_many_of_each_scope_the_oldest_first(desk: Desk) -> None:
    scopes = sorted(new_scope() for _ in range(3))
    photos = [
        await wait_in(desk, scope, count) for scope, count in zip(scopes, (9, 2, 9), strict=True)
    ]
    await desk.embed(batch=8)
    first, second, third = (call for call in desk.embedder.calls[:3])
    assert first == [key_of(photo) for photo in photos[0][:3]]
    assert second == [key_of(photo) for photo in photos[1]]
    assert third == [key_of(photo) for photo in photos[2][:3]]
    every = [photo for of_scope in photos for photo in of_scope]
    assert [p for p in Counted(desk, every) if p in {*photos[0]}] == photos[0]


async def test_where_more_scopes_wait_than_a_batch_has_places_they_take_turns(desk: Desk) -> None:
    scopes = sorted(new_scope() for _ in range(5))
    photos = [photo for scope in scopes for photo in await wait_in(desk, scope, 2)]
    await desk.embed(batch=2)
    order = [photo.partition("/photos/")[0] for photo in Counted(desk, photos)]
    assert order[:4] == scopes[:4]
    assert {*order[4:6]} == {scopes[4], scopes[0]}
    assert {*order[6:8]} == {scopes[1], scopes[2]}


async def test_each_scope_has_a_call_of_its_own_in_its_name(desk: Desk) -> None:
    scopes = sorted(new_scope() for _ in range(2))
    for scope in scopes:
        await wait_in(desk, scope, 3)
    asked: list[str] = []
    embed = desk.embedder.embed

    async def noted(keys, model, scope):  # type: ignore[no-untyped-def]
        asked.append(scope)
        return await embed(keys, model, scope)

    desk.embedder.embed = noted  # type: ignore[method-assign]
    await desk.embed()
    assert asked == scopes


async def test_several_processes_share_the_work_and_embed_nothing_twice(
    desk: Desk, database: Database
) -> None:
    photos = await wait_in(desk, desk.scope, 60) + await wait_in(desk, new_scope(), 60)
    await asyncio.gather(*(drain(desk.dispatch(f"p{n}", 8), PHOTOS) for n in range(4)))
    assert sorted(Counted(desk, photos)) == sorted(photos)
    messages = await told(database, "photo.embedded")
    assert sorted(message.photo for message in messages) == sorted(photos)


async def test_what_a_dead_process_had_in_work_is_taken_up_by_others_after_a_while(
    desk: Desk, database: Database
) -> None:
    photos = await wait_in(desk, desk.scope, 3)
    embed = desk.embedder.embed
    gone = asyncio.Event()

    async def die(keys, model, scope):  # type: ignore[no-untyped-def]
        gone.set()
        await asyncio.Event().wait()

    desk.embedder.embed = die  # type: ignore[method-assign]
    dying = asyncio.create_task(drain(desk.dispatch("dead"), PHOTOS))
    await gone.wait()
    await cancel_and_wait([dying])
    desk.embedder.embed = embed  # type: ignore[method-assign]
    await drain(desk.dispatch("other"), PHOTOS)
    assert desk.embedder.calls == [], "they may still be in work"
    desk.clock.advance(91)
    await drain(desk.dispatch("other"), PHOTOS)
    assert sorted(Counted(desk, photos)) == sorted(photos)
    assert len(await told(database, "photo.embedded")) == 3


async def test_a_process_that_starts_again_goes_on_at_once(desk: Desk, database: Database) -> None:
    await wait_in(desk, desk.scope, 3)
    async with desk.store.begin() as tx:
        now, until = desk.now(), desk.now() + timedelta(days=1)
        assert await tx.queue.take("", "nobody", "", 9, now, until) == []
    await desk.embed()
    await wait_in(desk, desk.scope, 3)
    await change(
        database,
        "UPDATE item_vectors SET due_time = now() + interval '1 day', taker = 'service/photos'"
        " WHERE state = 'pending'",
    )
    async with dispatching(desk):

        async def all_ready() -> bool:
            return len(await told(database, "photo.embedded")) == 6

        await eventually(all_ready)


async def test_a_process_that_stops_finishes_what_it_has_and_keeps_nothing(
    desk: Desk, database: Database
) -> None:
    await wait_in(desk, desk.scope, 100)
    entered = asyncio.Event()
    embed = desk.embedder.embed

    async def slow(keys, model, scope):  # type: ignore[no-untyped-def]
        entered.set()
        await asyncio.sleep(0.05)
        return await embed(keys, model, scope)

    desk.embedder.embed = slow  # type: ignore[method-assign]
    async with dispatching(desk):
        await entered.wait()
    ready = await rows(database, "SELECT FROM item_vectors WHERE state = 'ready'")
    assert 16 <= len(ready) <= 32
    assert await rows(database, "SELECT FROM item_vectors WHERE taker <> ''") == []


async def test_a_poisoned_photo_does_not_hold_up_the_others_and_ends_in_quarantine(
    desk: Desk, database: Database
) -> None:
    bad = desk.photo(BAD)
    await desk.note(created(bad))
    good = await wait_in(desk, desk.scope, 40)
    await desk.embed()
    assert {m.photo for m in await told(database, "photo.embedded")} == {*good}
    for expected in (1, 2, 3, 4):
        (row,) = await rows(database, "SELECT * FROM item_vectors WHERE state = 'pending'")
        assert (row.item, row.attempts, row.error_reason) == (bad, expected, "BAD_IMAGE")
        await desk.embed()
        desk.clock.advance(6 * 3600)
        await desk.embed()
    (row,) = await rows(database, "SELECT * FROM item_vectors WHERE state = 'quarantined'")
    assert (row.item, row.attempts, row.due_time, row.taker) == (bad, 5, None, "")
    (message,) = await told(database, "photo.embedding_failed")
    assert (message.photo, message.reason) == (bad, "BAD_IMAGE")


async def test_photos_on_which_the_service_breaks_end_in_quarantine_though_no_other_passes(
    desk: Desk, database: Database
) -> None:
    bad = [desk.photo(Internal("unplanned")) for _ in range(2)]
    await desk.note(*(created(photo) for photo in bad))

    async with dispatching(desk) as dispatcher:

        async def are(state: str, attempts: int) -> bool:
            dispatcher.wake()
            found = await rows(database, "SELECT DISTINCT state, attempts FROM item_vectors")
            return [(row.state, row.attempts) for row in found] == [(state, attempts)]

        for tries in (1, 2, 3, 4):
            await eventually(partial(are, "pending", tries), within=60)
            desk.clock.advance(6 * 3600)
        await eventually(partial(are, "quarantined", 5), within=60)
        (good,) = await wait_in(desk, desk.scope, 1)
        dispatcher.wake()

        async def all_told() -> bool:
            return [m.photo for m in await told(database, "photo.embedded")] == [good]

        await eventually(all_told, within=60)
    assert {m.photo for m in await told(database, "photo.embedding_failed")} == {*bad}


async def test_old_photos_do_not_starve_behind_scopes_that_have_only_young_ones(
    desk: Desk, database: Database
) -> None:
    *young, last = sorted(new_scope() for _ in range(4))
    for scope in young:
        await wait_in(desk, scope, 2)
    old, _ = await wait_in(desk, last, 2)
    await change(
        database,
        "UPDATE items SET create_time = :now - CASE name WHEN :old THEN interval '1 hour'"
        " ELSE interval '1 second' END",
        now=desk.now(),
        old=old,
    )
    await desk.embed(older=timedelta(minutes=5), batch=2)
    assert desk.embedder.calls == [[key_of(old)]]


async def test_an_outage_uses_up_no_try_and_the_dispatcher_goes_on_after_it(
    desk: Desk, database: Database
) -> None:
    photos = await wait_in(desk, desk.scope, 20)
    desk.embedder.down = Unavailable("away", retry_after=0.1)
    async with dispatching(desk):

        async def tried() -> bool:
            return await asyncio.sleep(0, desk.embedder.asked > 1)

        await eventually(tried)
        found = await rows(database, "SELECT DISTINCT attempts FROM item_vectors")
        assert [row.attempts for row in found] in ([], [0])
        desk.embedder.down = None

        async def all_told() -> bool:
            return len(await told(database, "photo.embedded")) == len(photos)

        await eventually(all_told, within=30)


async def test_rows_that_come_in_by_other_ways_are_found(desk: Desk, database: Database) -> None:
    (known,) = await desk.arrive([axis(0)])
    await change(database, "DELETE FROM item_vectors")
    assert await note_strays(desk.store) == 1
    assert await note_strays(desk.store) == 0
    await desk.embed()
    assert [m.photo for m in await told(database, "photo.embedded")] == [known, known]


async def test_photos_that_are_deleted_while_they_wait_are_not_embedded(desk: Desk) -> None:
    gone, kept = await wait_in(desk, desk.scope, 2)
    await desk.note(deleted(gone))
    await desk.embed()
    assert [*Counted(desk, [gone, kept])] == [kept]
