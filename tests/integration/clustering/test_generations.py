"""Changing the model: a generation is filled beside the active one and takes its place."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1 import generation_service_pb2 as api
from colonnade.clustering.v1 import search_service_pb2 as search_api
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceStub
from colonnade.clustering.v1.generation_pb2 import Generation
from colonnade.type.v1.vector_pb2 import Vector as VectorMessage

from libs.db.engine import Database
from libs.errors import (
    AlreadyExists,
    ColonnadeError,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from libs.ids import uuid7
from libs.lease import LeaseLost
from libs.vectors.index import VectorFilter, VectorIndex
from services.clustering.repository import generations as repository
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.dispatching import ROUNDS
from services.clustering.usecases.dropping import drop_generations, other_default
from services.clustering.usecases.filling import FILL_TASK, fill_generation, waiting_generations
from services.clustering.usecases.telling import TELL_TASK, untold_generations
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.faults import Died, Fuse, Mortal
from tests.support.clustering.generations import Models, Searches, id_of, served, shortened
from tests.support.clustering.photos import (
    COLLECTION,
    OTHER,
    axis,
    created,
    deleted,
    key_of,
    subject,
    tilted,
)
from tests.support.clustering.runs import cluster
from tests.support.clustering.tables import change, rows, told
from tests.support.wait import eventually

STATE = Generation.State
BAD = InvalidArgument("this is no picture", reason="BAD_IMAGE")


@pytest.fixture
async def both(desk: Desk, queue: MemoryQueue) -> AsyncIterator[tuple[Models, Searches]]:
    async with served(desk, queue) as both:
        yield both


@pytest.fixture
def models(both: tuple[Models, Searches]) -> Models:
    return both[0]


@pytest.fixture
def searches(both: tuple[Models, Searches]) -> Searches:
    return both[1]


def half(number: int, towards: int = 0, cosine: float = 1.0) -> Any:
    """What the other model makes of a photo."""
    return shortened([tilted(number, cosine, towards or number + 1)])[0]


def counts(generation: Generation) -> tuple[int, int, int, int]:
    found = generation.counts
    return found.total, found.done, found.failed, found.missing


async def vectors_in(desk: Desk, collection: str) -> int:
    return await desk.index.count(collection, VectorFilter.where(scope=desk.scope))


async def test_the_first_photo_makes_the_first_generation(desk: Desk, models: Models) -> None:
    assert await models.list() == []
    await desk.arrive([axis(0), axis(1)])
    (first,) = await models.list()
    assert (first.state, first.model) == (STATE.STATE_ACTIVE, COLLECTION.model)
    assert (first.revision, first.fingerprint) == (COLLECTION.revision, COLLECTION.fingerprint)
    assert counts(first) == (2, 2, 0, 0)


async def test_photos_that_arrive_at_once_make_one_first_generation(
    desk: Desk, models: Models
) -> None:
    photos = [desk.photo(axis(number)) for number in range(8)]
    await asyncio.gather(*(desk.deliver(created(photo)) for photo in photos))
    (first,) = await models.list()
    assert counts(first) == (8, 8, 0, 0)


async def test_a_switch_and_back_again(
    desk: Desk, models: Models, searches: Searches, queue: MemoryQueue, database: Database
) -> None:
    item, near, far = await desk.arrive([axis(0), tilted(0, 0.9, 1), axis(2)])
    # The other model sees it the other way round.
    made = await models.filled({item: half(0), near: half(3), far: half(0, 1, 0.9)})
    assert (made.state, made.model, made.dimension) == (
        STATE.STATE_READY,
        OTHER.model,
        OTHER.dimension,
    )
    assert counts(made) == (3, 3, 0, 0) and made.HasField("ready_time")
    assert (await searches.items(item=item))[0] == near, "the active one goes on serving"
    answer = await models.activate(made)
    (old,) = [row for row in await models.list() if row.name == answer.previous]
    assert (answer.generation.state, old.state) == (STATE.STATE_ACTIVE, STATE.STATE_RETIRED)
    assert queue.sent[-2:] == [
        (FILL_TASK, id_of(made), "clustering"),
        (TELL_TASK, id_of(made), "clustering"),
    ]
    found = await searches.find(item=item)
    assert (found.hits[0].item, found.model, found.generation) == (far, OTHER.model, made.name)
    assert found.dimension == OTHER.dimension
    assert (await models.activate(made)).previous == "", "done again, it changes nothing"
    back = await models.activate(old)
    assert back.previous == made.name
    found = await searches.find(item=item)
    assert (found.hits[0].item, found.model) == (near, COLLECTION.model)


async def test_what_new_photos_are_embedded_with(
    desk: Desk, models: Models, searches: Searches
) -> None:
    (first,) = await desk.arrive([axis(0)])
    made = await models.filled({first: half(0)})
    new = desk.photo(axis(1))
    models.remodel({new: half(0)})
    await desk.deliver(created(new))
    assert await searches.items(item=new) == [first]
    assert counts(await models.get(made)) == (2, 1, 0, 1)
    assert await waiting_generations(desk.store) == [id_of(made)]
    made = await models.fill(made)
    assert (made.state, counts(made)) == (STATE.STATE_READY, (2, 2, 0, 0))
    (answer,) = (await models.activate(made)).generation.counts.ListFields()[:1]
    assert answer[1] == 2
    assert (await searches.find(item=new)).hits[0].score == pytest.approx(1.0, abs=1e-5)


async def test_photos_deleted_meanwhile_leave_both(
    desk: Desk, models: Models, searches: Searches, database: Database
) -> None:
    one, gone, late = await desk.arrive([axis(0), axis(0), axis(0)])
    made = await models.filled({one: half(0), gone: half(0), late: half(0)})
    await desk.deliver(deleted(gone))
    assert counts(await models.get(made)) == (2, 2, 0, 0)
    for collection in (COLLECTION.name, OTHER.name):
        assert await vectors_in(desk, collection) == 2
    await models.activate(made)
    await desk.deliver(deleted(late))
    assert await searches.items(item=one) == []
    assert await rows(database, "SELECT FROM near_pairs") == []
    assert len(await rows(database, "SELECT FROM item_vectors")) == 2


async def test_photos_that_fail_are_counted_by_their_reason_and_can_be_tried_again(
    desk: Desk, models: Models, database: Database
) -> None:
    one, bad, worse = await desk.arrive([axis(0), axis(1), axis(2)])
    other = InvalidArgument("too strange", reason="STRANGE")
    made = await models.filled({one: half(0), bad: BAD, worse: other})
    assert (made.state, counts(made)) == (STATE.STATE_READY, (3, 1, 2, 0))
    assert {f.reason: f.count for f in made.failures} == {"BAD_IMAGE": 1, "STRANGE": 1}
    assert await told(database, "photo.embedding_failed") == [], "they can be searched as before"
    models.remodel({bad: half(1), worse: half(2)})
    assert await models.retry(desk.scope, generation=made.name, reasons=["BAD_IMAGE"]) == 1
    assert counts(await models.fill(made)) == (3, 2, 1, 0)
    assert await models.retry("personas/nobody", generation=made.name) == 0
    assert await models.retry("personas/-", generation=made.name) == 1
    assert counts(await models.fill(made)) == (3, 3, 0, 0)


async def test_quarantined_photos_are_embedded_again_on_request(
    desk: Desk, models: Models, queue: MemoryQueue, database: Database
) -> None:
    photo = desk.photo(BAD)
    await desk.deliver(created(photo))
    (active,) = await models.list()
    assert await models.retry(desk.scope) == 0, "it still waits for another try"
    for _ in range(4):
        desk.clock.advance(6 * 3600)
        await models.fill(active)
    assert len(await told(database, "photo.embedding_failed")) == 1
    desk.embedder.give(photo, axis(0))
    request_id = uuid7()
    assert await models.retry(desk.scope, request_id=request_id) == 1
    assert await models.retry(desk.scope, request_id=request_id) == 1, "the first answer"
    assert queue.sent[-1][:2] == (FILL_TASK, id_of(active))
    assert counts(await models.fill(active)) == (1, 1, 0, 0)
    assert len(await told(database, "photo.embedded")) == 1


async def test_a_worker_that_dies_anywhere_leaves_the_rest_to_the_next(
    desk: Desk, models: Models, database: Database
) -> None:
    photos = await desk.arrive([axis(n) for n in range(6)])
    models.remodel({photo: half(n) for n, photo in enumerate(photos)})
    made = await models.create()
    for step in range(400):
        fuse = Fuse(step)
        parts = {name: Mortal(getattr(desk, name), fuse) for name in ("store", "index", "embedder")}
        filler = models.filler(**parts)
        filler = type(filler)(**{**{f: getattr(filler, f) for f in filler.__slots__}, "batch": 2})
        try:
            await fill_generation(filler, id_of(made))
        except Died:
            # Nobody dies so often that it looks like the generation's own fault.
            await change(database, "UPDATE collections SET lease_expire_time = now(), attempt = 0")
            continue
        break
    ready = await models.get(made)
    assert (ready.state, counts(ready)) == (STATE.STATE_READY, (6, 6, 0, 0))
    assert step > 10
    assert await vectors_in(desk, OTHER.name) == 6


async def test_one_whose_workers_are_lost_again_and_again_is_given_up(
    desk: Desk, models: Models, database: Database
) -> None:
    (photo,) = await desk.arrive([axis(0)])
    models.remodel({photo: half(0)})
    made = await models.create()
    await change(database, "UPDATE collections SET attempt = 10 WHERE state = 'filling'")
    failed = await models.fill(made)
    assert (failed.state, "again and again" in failed.error.message) == (STATE.STATE_FAILED, True)


async def test_one_worker_at_a_time(desk: Desk, models: Models, database: Database) -> None:
    (photo,) = await desk.arrive([axis(0)])
    models.remodel({photo: half(0)})
    made = await models.create()
    real, entered, go = desk.embedder.embed, asyncio.Event(), asyncio.Event()

    async def slow(keys: Any, model: str, scope: str) -> Any:
        entered.set()
        await go.wait()
        return await real(keys, model, scope)

    desk.embedder.embed = slow  # type: ignore[method-assign,assignment]
    first = asyncio.create_task(fill_generation(models.filler("one"), id_of(made)))
    await entered.wait()
    await fill_generation(models.filler("two"), id_of(made))
    assert (await models.get(made)).state == STATE.STATE_FILLING
    await change(
        database,
        "UPDATE collections SET lease_owner = 'two', lease_token = lease_token + 1"
        " WHERE state = 'filling'",
    )
    go.set()
    with pytest.raises(LeaseLost):
        await first


async def test_while_the_embedding_service_is_away_filling_waits(
    desk: Desk, models: Models, database: Database
) -> None:
    (photo,) = await desk.arrive([axis(0)])
    models.remodel({photo: half(0)})
    made = await models.create()
    desk.embedder.down = Unavailable("away")
    waiting = await models.fill(made)
    assert waiting.state == STATE.STATE_FILLING
    assert await waiting_generations(desk.store) == [], "not before a while"
    desk.embedder.down = None
    await change(database, "UPDATE collections SET lease_expire_time = now()")
    assert await waiting_generations(desk.store) == [id_of(made)]
    assert (await models.fill(made)).state == STATE.STATE_READY


async def test_photos_on_which_the_service_breaks_are_given_up_though_no_other_passes(
    desk: Desk, models: Models, database: Database
) -> None:
    photos = await desk.arrive(subject(0, 3))
    models.remodel({photo: Internal("unplanned") for photo in photos})
    made = await models.create()
    for _ in range(ROUNDS):
        # It may be the fault of the service, and be over the next time.
        assert (await models.fill(made)).state == STATE.STATE_FILLING
        await change(database, "UPDATE collections SET lease_expire_time = now()")
    filled = await models.fill(made)
    assert filled.state == STATE.STATE_READY
    assert counts(filled) == (3, 0, 3, 0)
    assert desk.embedder.calls[-3:] == [[key_of(photo)] for photo in sorted(photos)]


async def test_a_model_that_is_gone_for_a_moment_is_waited_for(
    desk: Desk, models: Models, database: Database
) -> None:
    (photo,) = await desk.arrive([axis(0)])
    models.remodel({photo: half(0)})
    made = await models.create()
    del desk.embedder.others[OTHER.model]
    for _ in range(9):
        assert (await models.fill(made)).state == STATE.STATE_FILLING
        await change(database, "UPDATE collections SET lease_expire_time = now()")
    desk.embedder.others[OTHER.model] = OTHER
    assert (await models.fill(made)).state == STATE.STATE_READY


async def test_a_model_that_stays_away_fails_the_generation(
    desk: Desk, models: Models, database: Database
) -> None:
    (photo,) = await desk.arrive([axis(0)])
    models.remodel({photo: half(0)})
    made = await models.create()
    del desk.embedder.others[OTHER.model]
    for _ in range(10):
        failed = await models.fill(made)
        await change(database, "UPDATE collections SET lease_expire_time = now()")
    assert (failed.state, OTHER.model in failed.error.message) == (STATE.STATE_FAILED, True)


async def test_a_model_that_changed_fails_the_generation(desk: Desk, models: Models) -> None:
    (photo,) = await desk.arrive([axis(0)])
    models.remodel({photo: half(0)})
    made = await models.create()
    desk.embedder.others[OTHER.model] = COLLECTION
    failed = await models.fill(made)
    assert failed.state == STATE.STATE_FAILED
    assert failed.error.message
    with pytest.raises(FailedPrecondition) as caught:
        await models.activate(failed)
    assert caught.value.reason == "GENERATION_STATE"


async def test_new_photos_wait_when_the_active_model_changed(desk: Desk, models: Models) -> None:
    await desk.arrive([axis(0)])
    desk.embedder.collection_in_use = replace(COLLECTION, fingerprint="f9")
    photo = desk.photo(axis(1))
    with pytest.raises(Unavailable) as caught:
        await desk.deliver(created(photo))
    assert caught.value.reason == "MODEL_CHANGED"
    notice = await other_default(desk.store, desk.embedder)
    assert "colonnade generations create" in notice


async def test_the_default_model_in_use_needs_no_notice(desk: Desk, models: Models) -> None:
    assert await other_default(desk.store, desk.embedder) == ""
    await desk.arrive([axis(0)])
    assert await other_default(desk.store, desk.embedder) == ""


async def test_an_incomplete_generation_becomes_active_only_on_purpose(
    desk: Desk, models: Models, searches: Searches
) -> None:
    one, other = await desk.arrive([axis(0), axis(1)])
    models.remodel({one: half(0), other: half(1)})
    made = await models.create()
    with pytest.raises(FailedPrecondition) as caught:
        await models.activate(made)
    assert caught.value.reason == "GENERATION_INCOMPLETE"
    assert caught.value.metadata["missing"] == "2"
    with pytest.raises(FailedPrecondition):
        await models.activate(made, allow_missing=1)
    active = (await models.activate(made, allow_missing=2)).generation
    assert counts(active) == (2, 0, 0, 2)
    with pytest.raises(FailedPrecondition) as caught:
        await searches.find(item=one)
    assert caught.value.reason == "NOT_EMBEDDED"
    assert counts(await models.fill(active)) == (2, 2, 0, 0)
    assert await searches.items(item=one) == [other]


async def test_what_came_since_the_switch_is_caught_up_after_going_back(
    desk: Desk, models: Models, searches: Searches
) -> None:
    photos = await desk.arrive([axis(0), axis(1)])
    made = await models.filled({photo: half(n) for n, photo in enumerate(photos)})
    previous = (await models.activate(made)).previous
    old = Generation(name=previous)
    new = desk.photo(axis(0))
    models.remodel({new: half(0)})
    await desk.deliver(created(new))
    assert counts(await models.get(old)) == (3, 2, 0, 1)
    with pytest.raises(FailedPrecondition):
        await models.activate(old)
    await models.activate(old, allow_missing=10)
    assert counts(await models.fill(old)) == (3, 3, 0, 0)
    assert (await searches.items(item=photos[0]))[0] == new


async def test_only_so_many_old_generations_are_kept(desk: Desk, models: Models) -> None:
    (photo,) = await desk.arrive([axis(0)])
    (first,) = await models.list()
    made = await models.filled({photo: half(0)})
    await models.activate(made)
    await models.activate(first)
    names = {g.name for g in await models.list()}
    assert names == {first.name, made.name}, "the last one is kept"
    await models.delete(made)
    again = await models.filled({photo: half(0)})
    assert again.name != made.name
    await drop_generations(desk.store, desk.index)
    await models.activate(again)
    assert {g.name for g in await models.list()} == {first.name, again.name}
    with pytest.raises(NotFound):
        await desk.index.count(OTHER.name)


async def test_deleting_removes_vectors_and_rows(
    desk: Desk, models: Models, database: Database
) -> None:
    one, other = await desk.arrive([axis(0), axis(0)])
    made = await models.filled({one: half(0), other: half(0)})
    cancelled = await models.cancel(made)
    assert cancelled.state == STATE.STATE_CANCELLED
    await models.delete(made)
    with pytest.raises(NotFound):
        await models.get(made)
    await drop_generations(desk.store, desk.index)
    with pytest.raises(NotFound):
        await desk.index.count(OTHER.name)
    assert len(await rows(database, "SELECT FROM item_vectors")) == 2
    assert len(await rows(database, "SELECT FROM near_pairs")) == 1


async def test_what_must_not_be_deleted_or_cancelled(desk: Desk, models: Models) -> None:
    (photo,) = await desk.arrive([axis(0)])
    (active,) = await models.list()
    models.remodel({photo: half(0)})
    filling = await models.create()
    for refused in (models.delete(active), models.delete(filling), models.cancel(active)):
        with pytest.raises(FailedPrecondition) as caught:
            await refused
        assert caught.value.reason == "GENERATION_STATE"


async def test_a_cancelled_one_is_filled_no_further(desk: Desk, models: Models) -> None:
    photos = await desk.arrive([axis(n) for n in range(4)])
    models.remodel({photo: half(n) for n, photo in enumerate(photos)})
    made = await models.create()
    real = desk.embedder.embed

    async def embed(keys: Any, model: str, scope: str) -> Any:
        await models.cancel(made)
        return await real(keys, model, scope)

    desk.embedder.embed = embed  # type: ignore[method-assign,assignment]
    assert (await models.fill(made)).state == STATE.STATE_CANCELLED
    assert (await models.get(made)).counts.done == 0


async def test_one_generation_is_filled_at_a_time_and_none_twice(
    desk: Desk, models: Models
) -> None:
    (photo,) = await desk.arrive([axis(0)])
    with pytest.raises(NotFound):
        await models.create()
    models.remodel({photo: half(0)})
    request_id = uuid7()
    made = await models.create(request_id=request_id)
    assert await models.create(request_id=request_id) == made
    with pytest.raises(AlreadyExists):
        await models.create()
    third = OTHER.model + "-3"
    desk.embedder.others[third] = replace(OTHER, name="photos-third", model=third)
    wanted = api.CreateGenerationRequest(generation=Generation(model=third))
    with pytest.raises(FailedPrecondition) as caught:
        await models.stub.CreateGeneration(wanted)
    assert caught.value.reason == "GENERATION_FILLING"
    await models.cancel(made)
    assert (await models.stub.CreateGeneration(wanted)).model == third


async def test_others_are_told_again_after_a_switch(
    desk: Desk, models: Models, database: Database
) -> None:
    one, two, three = await desk.arrive([axis(0), tilted(0, 0.95, 1), axis(2)])
    made = await models.filled({one: half(0), two: half(3), three: half(0, 1, 0.95)})
    before = len(await told(database, "photo.embedded"))
    assert before == 3, "nobody is told of what nobody uses"
    assert await untold_generations(desk.store) == []
    await models.activate(made)
    assert await untold_generations(desk.store) == [id_of(made)]
    await models.tell(made)
    news = (await told(database, "photo.embedded"))[before:]
    assert {m.photo: m.scene for m in news} == {one: one, two: two, three: one}
    assert {m.model for m in news} == {OTHER.model}
    assert [m.photo for m in news][-1] == three, "those that scenes gather around come first"
    assert {m.photo: m.neighbours[0].photo for m in news}[one] == three
    await models.tell(made)
    assert len(await told(database, "photo.embedded")) == before + 3, "once a switch"
    (old,) = [g for g in await models.list() if g.state == STATE.STATE_RETIRED]
    await models.activate(old)
    await models.tell(old)
    assert {m.model for m in (await told(database, "photo.embedded"))[-3:]} == {COLLECTION.model}


async def test_duplicates_and_clusters_follow_the_switch(
    desk: Desk, models: Models, stub: ClusteringServiceStub, worker: Worker
) -> None:
    vectors = [*subject(0, 7), *subject(1, 6)]
    photos = await desk.arrive(vectors)
    (pair,) = [await desk.arrive([axis(9), axis(9)])]
    first = await cluster(worker, desk.scope)
    assert not (await cluster(worker, desk.scope)).version, "nothing is new"
    # Both subjects change places in part; the two copies are none for the other model.
    mixed = [half(n % 2, 2 + n, 0.9) for n in range(len(photos))]
    seen = dict(zip(photos, mixed, strict=True)) | {pair[0]: half(5), pair[1]: half(8)}
    made = await models.filled(seen)

    async def duplicates() -> list[str]:
        request = clustering.FindDuplicatesRequest(parent=desk.scope)
        groups = (await stub.FindDuplicates(request)).groups
        return sorted(group.keeper for group in groups)

    assert {*await duplicates()} <= {*pair} and await duplicates()
    await models.activate(made)
    assert not {*await duplicates()} & {*pair}
    after = await cluster(worker, desk.scope)
    assert after.stats.refit and after.version == first.version + 1
    assert after.stats.items == len(photos) + 2


async def test_a_comparison_tells_how_much_changes(desk: Desk, models: Models) -> None:
    told_of = {"food": subject(0, 6), "travel": subject(1, 6)}
    photos: dict[str, str] = {}
    for pillar, vectors in told_of.items():
        for photo in await desk.arrive(vectors, filed=pillar):
            photos[photo] = pillar
    one, other = await desk.arrive([axis(9), axis(9)])
    same = {
        photo: half(0 if pillar == "food" else 1, 4 + n % 8, 0.8)
        for n, (photo, pillar) in enumerate(photos.items())
    }
    made = await models.filled(same | {one: half(2), other: half(3)})
    found = made.comparison
    assert found.sample == 14
    (active,) = [g for g in await models.list() if g.state == STATE.STATE_ACTIVE]
    assert found.generation == active.name
    assert 0 < found.neighbour_overlap <= 1
    assert 0 < found.pillar_agreement <= 1 and 0 < found.other_pillar_agreement <= 1
    assert (found.common_duplicates, found.lost_duplicates) == (0, 1)


async def test_a_comparison_of_photos_without_vectors_ends(desk: Desk, models: Models) -> None:
    photos = await desk.arrive([axis(0), axis(1)])
    await desk.index.delete(COLLECTION.name, [photo.rpartition("/")[2] for photo in photos])
    made = await models.filled({photo: half(0) for photo in photos})
    assert (made.state, made.comparison.sample) == (STATE.STATE_READY, 2)


class _Unreadable:
    """An index that gives no vector back."""

    def __init__(self, index: VectorIndex) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    async def retrieve(self, *_: Any) -> Any:
        raise ZeroDivisionError


async def test_a_generation_is_ready_even_if_it_cannot_be_compared(
    desk: Desk, models: Models
) -> None:
    (photo,) = await desk.arrive([axis(0)])
    models.remodel({photo: half(0)})
    made = await models.create()
    await fill_generation(models.filler(index=_Unreadable(desk.index)), id_of(made))
    ready = await models.get(made)
    assert (ready.state, ready.HasField("comparison")) == (STATE.STATE_READY, False)


async def test_photos_are_enrolled_and_removed_in_batches(
    desk: Desk, models: Models, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "_BATCH", 2)
    photos = sorted(await desk.arrive([axis(n) for n in range(5)]))
    models.remodel({photo: half(0) for photo in photos})
    made = await models.create()
    there = f"SELECT item FROM item_vectors WHERE collection = '{OTHER.name}'"
    async with desk.store.begin() as tx:
        assert await tx.generations.enrol(OTHER, "") == photos[1]
        await tx.commit()
    assert {row.item for row in await rows(database, there)} == {*photos[:2]}
    async with desk.store.begin() as tx:
        assert await tx.generations.enrol(OTHER, photos[3]) == photos[4]
        assert await tx.generations.enrol(OTHER, photos[4]) is None
    assert counts(await models.fill(made)) == (5, 5, 0, 0), "all, wherever it was broken off"
    async with desk.store.begin() as tx:
        assert not await tx.generations.clear(OTHER.name), "it is not given up"
    await models.delete(made)
    async with desk.store.begin() as tx:
        assert await tx.generations.clear(OTHER.name)
        await tx.commit()
    assert len(await rows(database, there)) == 3
    await drop_generations(desk.store, desk.index)
    assert not await rows(database, there)
    assert len(await rows(database, "SELECT FROM item_vectors")) == 5


async def test_the_first_generation_has_the_photos_that_are_there(
    desk: Desk, models: Models, queue: MemoryQueue
) -> None:
    photo = desk.photo(axis(0))
    desk.embedder.down = Unavailable("away")
    with pytest.raises(Unavailable):
        await desk.deliver(created(photo))
    desk.embedder.down, queue.away = None, True
    made = await models.stub.CreateGeneration(api.CreateGenerationRequest(generation=Generation()))
    assert (made.state, counts(made)) == (STATE.STATE_ACTIVE, (1, 0, 0, 1))
    assert await desk.errors(created(photo)) == [None]
    assert counts(await models.get(made)) == (1, 1, 0, 0)


async def test_watching_a_generation_being_filled(desk: Desk, models: Models) -> None:
    photos = await desk.arrive([axis(n) for n in range(3)])
    models.remodel({photo: half(n) for n, photo in enumerate(photos)})
    made = await models.create()
    watch = models.stub.WatchGeneration(api.WatchGenerationRequest(name=made.name))
    seen = []
    async for answer in watch:
        seen.append(answer)
        if len(seen) == 1:
            await models.fill(made)
    assert [answer.sequence for answer in seen] == [*range(1, len(seen) + 1)]
    assert seen[0].generation.state == STATE.STATE_FILLING
    assert (seen[-1].generation.state, counts(seen[-1].generation)) == (
        STATE.STATE_READY,
        (3, 3, 0, 0),
    )


async def test_generations_are_listed_in_pages(desk: Desk, models: Models) -> None:
    (photo,) = await desk.arrive([axis(0)])
    made = await models.filled({photo: half(0)})
    names, token = [], ""
    while True:
        request = api.ListGenerationsRequest(page_size=1, page_token=token)
        page = await models.stub.ListGenerations(request)
        names += [g.name for g in page.generations]
        token = page.next_page_token
        if not token:
            break
    assert names == [g.name for g in await models.list()]
    assert names[0] == made.name


async def test_under_load_no_search_fails_and_none_mixes_generations(
    desk: Desk, models: Models, searches: Searches
) -> None:
    """Row 83: searches of every kind run without a pause while it is switched there and back, and
    while photos come and go."""
    old = [tilted(0, 0.95 - n / 100, 1 + n % 5) for n in range(24)]
    photos = await desk.arrive(old)
    # In the other generation the photos come in the opposite order.
    made = await models.filled(
        {photo: half(0, 1 + n % 5, 0.70 + n / 100) for n, photo in enumerate(photos)}
    )
    (first,) = [g for g in await models.list() if g.state == STATE.STATE_ACTIVE]
    expected = {}
    for generation in (first, made):
        await models.activate(generation)
        answer = await searches.find(item=photos[0], page_size=20)
        expected[generation.name] = {hit.item: hit.score for hit in answer.hits}
        assert answer.generation == generation.name
    assert expected[first.name] != expected[made.name]
    sizes = {first.name: COLLECTION, made.name: OTHER}
    stop, answers = asyncio.Event(), []

    async def search(query: Callable[[], Any]) -> None:
        while not stop.is_set():
            answers.append(await query())

    async def plain() -> search_api.SearchItemsResponse:
        answer = await searches.find(item=photos[0], page_size=20)
        scores = expected[answer.generation]
        for hit in answer.hits:
            if hit.item in scores:
                assert hit.score == pytest.approx(scores[hit.item], abs=1e-5)
        return answer

    async def paged() -> search_api.SearchItemsResponse:
        one = await searches.find(item=photos[0], page_size=8)
        two = await searches.find(item=photos[0], page_size=8, page_token=one.next_page_token)
        assert one.generation == two.generation, "pages of one search are of one generation"
        assert not {h.item for h in one.hits} & {h.item for h in two.hits}
        return two

    async def by_vector() -> search_api.SearchItemsResponse | None:
        active = next(g for g in await models.list() if g.state == STATE.STATE_ACTIVE)
        used = sizes[active.name]
        data = axis(0)[: used.dimension].tobytes()
        query = search_api.QueryVector(
            vector=VectorMessage(dimension=used.dimension, data=data),
            model=used.model,
            revision=used.revision,
            fingerprint=used.fingerprint,
        )
        try:
            return await searches.find(vector=query, page_size=20)
        except ColonnadeError as error:
            # Switched in between: it says so, and compares nothing.
            assert error.reason == "OTHER_GENERATION"
            return None

    async def come_and_go() -> None:
        photo = desk.photo(axis(7))
        models.remodel({photo: half(7)})
        assert await desk.errors(created(photo)) == [None]
        await desk.deliver(deleted(photo))

    async with asyncio.TaskGroup() as group:
        for query in (plain, plain, paged, by_vector, come_and_go):
            group.create_task(search(query))
        for turn in range(12):
            await models.activate((first, made)[turn % 2], allow_missing=5)
            await _more_than(answers, len(answers) + 5)
        stop.set()
    told_by = [answer for answer in answers if answer is not None]
    assert {answer.generation for answer in told_by} == {first.name, made.name}
    for answer in told_by:
        used = sizes[answer.generation]
        assert (answer.model, answer.dimension) == (used.model, used.dimension)


async def _more_than(answers: list[Any], count: int) -> None:
    async def so_many() -> bool:
        return len(answers) > count

    await eventually(so_many, within=60)
