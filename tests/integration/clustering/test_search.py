"""Searching over gRPC: by item, vector and words, with filters, in pages."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colonnade.clustering.v1 import search_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from colonnade.type.v1.vector_pb2 import Vector as VectorMessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from libs.db.engine import Database
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from libs.rpc.peers import Peers
from libs.vectors.index import VectorIndex, VectorPoint
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.facts import Usage
from services.clustering.embedder import RpcEmbedder
from services.clustering.ports import Description
from services.clustering.usecases import searching
from services.clustering.usecases.describing import (
    describe_item,
    describe_undescribed,
    sync_unsynced,
)
from tests.support.clustering.desk import Desk
from tests.support.clustering.dual import DualEmbedding, meaning
from tests.support.clustering.embedding_service import SERVICE as EMBEDDING
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.generations import Searches, served
from tests.support.clustering.photos import (
    COLLECTION,
    NOON,
    Vector,
    axis,
    created,
    deleted,
    new_scope,
    photo_in,
    subject,
    tilted,
    updated,
    used,
)
from tests.support.clustering.tables import change, rows

USAGE = api.ItemFilter.Usage


@pytest.fixture
async def searches(desk: Desk, queue: MemoryQueue) -> AsyncIterator[Searches]:
    async with served(desk, queue) as (_, searches):
        yield searches


def vector(numbers: Vector, **other: str) -> api.QueryVector:
    identity = {
        "model": COLLECTION.model,
        "revision": COLLECTION.revision,
        "fingerprint": COLLECTION.fingerprint,
    }
    data = numbers.astype("<f4").tobytes()
    return api.QueryVector(
        vector=VectorMessage(dimension=len(numbers), data=data), **(identity | other)
    )


def random_vectors(count: int, seed: int = 7) -> Vector:
    found = np.random.default_rng(seed).normal(size=(count, COLLECTION.dimension))
    rows: Vector = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
    return rows


async def test_an_item_is_left_out_of_its_own_answer_unless_it_is_wanted(
    desk: Desk, searches: Searches
) -> None:
    item, near, far = await desk.arrive([axis(0), tilted(0, 0.8, 1), tilted(0, 0.3, 1)])
    answer = await searches.find(item=item)
    assert [(hit.item, round(hit.score, 4)) for hit in answer.hits] == [(near, 0.8), (far, 0.3)]
    assert answer.matched_by == answer.hits[0].matched_by == api.MATCHED_BY_PICTURE
    assert (answer.model, answer.dimension) == (COLLECTION.model, COLLECTION.dimension)
    assert answer.generation.startswith("generations/")
    assert answer.hits[0].scene == near
    assert await searches.items(item=item, include_self=True) == [item, near, far]
    assert await searches.items(item=item, min_score=0.5) == [near]


async def test_searching_agrees_with_brute_force(desk: Desk, searches: Searches) -> None:
    vectors = random_vectors(300)
    photos = await desk.arrive(list(vectors))
    found = wanted = 0
    for query in random_vectors(30, seed=8):
        best = {photos[row] for row in np.argsort(-(vectors @ query))[:10]}
        found += len(best & set(await searches.items(vector=vector(query))))
        wanted += len(best)
    assert found / wanted >= 0.99


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=some.data())
async def test_nobody_sees_photos_of_another_persona(
    desk: Desk, searches: Searches, data: some.DataObject
) -> None:
    ours, theirs = new_scope(), new_scope()
    # The same pictures with the same tags and words in both.
    tags = data.draw(some.lists(some.sampled_from(["sun", "sea"]), unique=True))
    near = data.draw(some.lists(some.floats(0.1, 0.99), min_size=1, max_size=4))
    names: dict[str, list[str]] = {}
    for scope in (ours, theirs):
        photos = [desk.photo(tilted(0, cosine, 1), scope) for cosine in near]
        told = [created(photo, tags=tags, path="sun/sea.jpg") for photo in photos]
        assert await desk.errors(*told) == [None] * len(told)
        names[scope] = photos
    filter = api.ItemFilter(all_tags=tags)
    queries: list[dict[str, Any]] = [
        {"vector": vector(axis(0)), "filter": filter},
        {"text": "sea", "filter": filter},
        {"vector": vector(axis(0)), "diversity": data.draw(some.floats(0, 1))},
        {"item": names[ours][0], "include_self": True},
    ]
    for query in queries:
        assert set(await searches.items(ours, page_size=100, **query)) == {*names[ours]}
    with pytest.raises(NotFound):
        await searches.find(ours, item=names[theirs][0])


async def test_pages_show_everything_once_and_in_order(desk: Desk, searches: Searches) -> None:
    photos = await desk.arrive(list(random_vectors(60)))
    query = random_vectors(1, seed=3)[0]
    whole = await searches.items(vector=vector(query), page_size=100)
    pages = await searches.pages(vector=vector(query), page_size=7)
    assert [name for page in pages for name in page] == whole
    assert {*whole} == {*photos}
    assert [len(page) for page in pages] == [7] * 8 + [4]


async def test_pages_stay_stable_while_photos_come_and_go(desk: Desk, searches: Searches) -> None:
    item, *photos = await desk.arrive([axis(0), *(tilted(0, 0.9 - n / 50, 1) for n in range(20))])
    first = await searches.find(item=item, page_size=6)
    await desk.arrive([tilted(0, 0.99, 2), tilted(0, 0.85, 2)])
    await desk.deliver(deleted(photos[2]))
    await desk.deliver(deleted(photos[8]))
    shown, token = [hit.item for hit in first.hits], first.next_page_token
    while token:
        answer = await searches.find(item=item, page_size=6, page_token=token)
        shown += [hit.item for hit in answer.hits]
        token = answer.next_page_token
    assert len(shown) == len({*shown})
    assert shown == [photo for photo in photos if photo != photos[8]]


async def test_photos_of_equal_score_are_each_shown_once(desk: Desk, searches: Searches) -> None:
    photos = await desk.arrive([axis(3)] * 23)
    pages = await searches.pages(vector=vector(axis(3)), page_size=5)
    assert sorted(name for page in pages for name in page) == sorted(photos)


async def test_a_page_token_fits_its_own_search_only(desk: Desk, searches: Searches) -> None:
    await desk.arrive([axis(0)] * 3)
    token = (await searches.find(vector=vector(axis(0)), page_size=1)).next_page_token
    with pytest.raises(InvalidArgument, match="page_token"):
        await searches.find(vector=vector(axis(1)), page_size=1, page_token=token)
    with pytest.raises(InvalidArgument, match="page_token"):
        await searches.find(vector=vector(axis(0)), page_token="nonsense")


async def test_no_search_is_deeper_than_a_thousand(
    desk: Desk, searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert searching.DEEPEST == 1000
    monkeypatch.setattr(searching, "DEEPEST", 25)
    await desk.arrive(list(random_vectors(30)))
    for query in ({"diversity": 0.3}, {}):
        pages = await searches.pages(vector=vector(axis(0)), page_size=10, **query)
        assert [len(page) for page in pages] == [10, 10, 5]


async def test_a_page_has_a_hundred_at_most(desk: Desk, searches: Searches) -> None:
    await desk.arrive([axis(0)] * 104)
    pages = await searches.pages(vector=vector(axis(0)), page_size=500)
    assert [len(page) for page in pages] == [100, 4]


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ({"pillars": ["food"]}, [0, 1]),
        ({"pillars": ["food", "travel"]}, [0, 1, 2]),
        ({"all_tags": ["sun", "sea"]}, [1]),
        ({"any_tags": ["sun", "snow"]}, [0, 1, 3]),
        ({"min_quality": 0.5}, [1, 2]),
        ({"usages": [USAGE.USAGE_UNUSED]}, [0, 2]),
        ({"usages": [USAGE.USAGE_SCHEDULED, USAGE.USAGE_POSTED]}, [1, 3]),
        ({"pillars": ["food"], "usages": [USAGE.USAGE_POSTED]}, [1]),
        ({"from_time": NOON + timedelta(hours=2)}, [2, 3]),
        ({"from_time": NOON + timedelta(hours=1), "to_time": NOON + timedelta(hours=3)}, [1, 2]),
        ({"include_archived": True}, [0, 1, 2, 3, 4]),
    ],
)
async def test_filters(
    desk: Desk, searches: Searches, chosen: dict[str, Any], wanted: list[int]
) -> None:
    told: list[dict[str, Any]] = [
        {"filed": "food", "tags": ["sun"]},
        {"filed": "food", "tags": ["sun", "sea"], "quality": 0.9},
        {"filed": "travel", "quality": 0.5},
        {"filed": "art", "tags": ["snow"], "quality": 0.1},
        {"filed": "attic", "tags": ["old"], "quality": 0.1},
    ]
    photos = []
    for number, facts in enumerate(told):
        time = NOON + timedelta(hours=number)
        photos += await desk.arrive([tilted(0, 0.9 - number / 10, 1)], time=time, **facts)
    for number, state in ((1, "POSTED"), (3, "DRAFT")):
        assert await desk.errors(used(photos[number], state)) == [None]
    late = NOON + timedelta(days=1)
    filed = updated(photos[4], filed="attic", tags=["old"], archived=True, time=late)
    assert await desk.errors(filed) == [None]
    found = await searches.items(vector=vector(axis(0)), filter=api.ItemFilter(**chosen))
    assert found == [photos[number] for number in wanted]
    words = await searches.items(text="sun sea snow old", filter=api.ItemFilter(**chosen))
    assert {*words} == {photos[n] for n in wanted if told[n].get("tags")}


async def test_a_rare_tag_is_found_among_many_photos(desk: Desk, searches: Searches) -> None:
    (rare,) = await desk.arrive([tilted(0, 0.01, 1)], tags=["rare"])
    await desk.arrive(subject(0, 150, within=0.9))
    chosen = api.ItemFilter(all_tags=["rare"])
    assert await searches.items(vector=vector(axis(0)), filter=chosen, page_size=5) == [rare]


async def test_what_is_put_away_hides_nothing(
    desk: Desk, searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "DEEPEST", 4)
    away = await desk.arrive([tilted(0, 0.9, 1)] * 5)
    (kept,) = await desk.arrive([tilted(0, 0.5, 1)])
    for photo in away:
        assert await desk.errors(updated(photo, archived=True, time=desk.clock.advance(5))) == [
            None
        ]
    assert await searches.items(vector=vector(axis(0))) == [kept]
    # Its vector is of before there was a description.
    point = VectorPoint(kept.rpartition("/")[2], tilted(0, 0.5, 1), {"scope": desk.scope})
    await desk.index.upsert(COLLECTION.name, [point])
    assert await searches.items(vector=vector(axis(0))) == [kept]


class _Paused:
    """An index that does something before and after it writes a description."""

    def __init__(
        self, index: VectorIndex, *, before: Callable[[], Any] | None, after: Callable[[], Any]
    ) -> None:
        self._index = index
        self._before = before
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    async def set_payload(self, *args: Any) -> None:
        if self._before:
            await self._before()
        await self._index.set_payload(*args)
        await self._after()


@pytest.mark.parametrize("last", ["newer", "older"])
async def test_of_two_descriptions_at_once_the_newer_one_stays(
    desk: Desk, searches: Searches, last: str
) -> None:
    (photo,) = await desk.arrive([axis(0)])
    reached, go, written, end = (asyncio.Event() for _ in range(4))

    async def pause() -> None:
        reached.set()
        await go.wait()

    async def pause_again() -> None:
        written.set()
        await end.wait()

    async def describe(index: Any, pillar: str) -> None:
        told = Description(photo, pillar, (), False, desk.clock.advance(5), {})
        await describe_item(desk.store, index, told)

    older = _Paused(desk.index, before=pause, after=pause_again)
    first = asyncio.create_task(describe(older, "food"))
    await reached.wait()

    async def overtaken() -> None:
        # The older one comes last into the index.
        go.set()
        await written.wait()
        if last == "newer":
            end.set()
            await first

    await describe(_Paused(desk.index, before=None, after=overtaken), "travel")
    end.set()
    await first
    await sync_unsynced(desk.store, desk.index)
    chosen = api.ItemFilter(pillars=["travel"])
    assert await searches.items(vector=vector(axis(0)), filter=chosen) == [photo]


async def test_what_is_moved_or_posted_is_found_where_it_is_now(
    desk: Desk, searches: Searches
) -> None:
    (photo,) = await desk.arrive([axis(0)], filed="food")

    async def found(**chosen: Any) -> bool:
        query: dict[str, Any] = {
            "vector": vector(axis(0)),
            "filter": api.ItemFilter(**chosen),
        }
        return await searches.items(**query) == [photo]

    assert await found(pillars=["food"])
    await desk.deliver(updated(photo, filed="travel", time=desk.clock.advance(5)))
    assert await found(pillars=["travel"]) and not await found(pillars=["food"])
    await desk.deliver(used(photo, "SCHEDULED", post="a", version=3))
    await desk.deliver(used(photo, "DRAFT", post="a", version=2))
    await desk.deliver(used(photo, "POSTED", post="b"))
    assert await found(usages=[USAGE.USAGE_SCHEDULED])
    await desk.deliver(used(photo, "CANCELLED", post="a", version=4))
    assert await found(usages=[USAGE.USAGE_POSTED])


async def test_a_description_that_comes_while_a_photo_is_embedded_is_not_lost(
    desk: Desk, searches: Searches, database: Database
) -> None:
    photo = desk.photo(axis(0))
    event = created(photo, filed="food")
    real = desk.embedder.embed

    async def embed(keys: Any, model: str, scope: str) -> Any:
        await desk.deliver(updated(photo, filed="travel", time=desk.clock.advance(5)))
        return await real(keys, model, scope)

    desk.embedder.embed = embed  # type: ignore[method-assign,assignment]
    assert await desk.errors(event) == [None]
    await sync_unsynced(desk.store, desk.index)
    chosen = api.ItemFilter(pillars=["travel"])
    assert await searches.items(vector=vector(axis(0)), filter=chosen) == [photo]


async def test_photos_of_before_are_described_by_the_catalog(
    desk: Desk, searches: Searches, database: Database
) -> None:
    known, _ = await desk.arrive([axis(0), axis(1)])
    await change(database, "UPDATE items SET described = false, synced = 0")

    class Library:
        asked = 0

        async def facts(self, scope: str) -> AsyncIterator[list[Description]]:
            Library.asked += 1
            assert scope == desk.scope
            yield [Description(known, "food", ("sun",), False, NOON, {"post": Usage.POSTED})]

    for _ in range(2):
        await describe_undescribed(desk.store, desk.index, Library())
    assert Library.asked == 1, "one that the catalog does not know is not asked for again"
    chosen = api.ItemFilter(
        pillars=["food"], all_tags=["sun"], usages=[USAGE.USAGE_POSTED], to_time=NOON + timedelta(1)
    )
    assert await searches.items(vector=vector(axis(0)), filter=chosen) == [known]
    assert await rows(database, "SELECT FROM items WHERE synced < facts") == []


async def test_deleted_photos_are_never_found(desk: Desk, searches: Searches) -> None:
    item, gone = await desk.arrive([axis(0), axis(0)], tags=["sun"])
    await desk.deliver(deleted(gone))
    assert await searches.items(item=item) == []
    assert await searches.items(text="sun") == [item]
    # Its vector comes back, as a slow writer would bring it.
    with pytest.raises(NotFound):
        await searches.find(item=gone)


async def test_searching_and_deleting_at_once(desk: Desk, searches: Searches) -> None:
    item, *photos = await desk.arrive([axis(0), *(tilted(0, 0.9, 1 + n) for n in range(12))])
    for photo in photos:
        await asyncio.gather(desk.deliver(deleted(photo)), searches.items(item=item))
        assert photo not in await searches.items(item=item)


async def test_one_of_each_scene(desk: Desk, searches: Searches) -> None:
    await desk.arrive([axis(5)])
    scenes = [[tilted(n, 0.99, 9 + k) for k in range(4)] for n in range(3)]
    photos = [await desk.arrive(scene) for scene in scenes]
    near = sum(axis(n) for n in range(3)) / np.sqrt(3)
    query: dict[str, Any] = {"vector": vector(near.astype(np.float32)), "one_per_scene": True}
    pages = await searches.pages(page_size=1, **query)
    found = [name for page in pages for name in page]
    assert len(found) == 4, "three scenes and the one that stands alone"
    for names in photos:
        assert len({*found} & {*names}) == 1
    mixed = await searches.pages(page_size=2, diversity=0.5, **query)
    assert len([name for page in mixed for name in page]) == 4


async def test_diversity_mixes_what_one_subject_would_fill(desk: Desk, searches: Searches) -> None:
    many = await desk.arrive([tilted(0, 0.95 - n / 100, 1) for n in range(6)])
    (other,) = await desk.arrive([tilted(0, 0.6, 2)])
    query: dict[str, Any] = {"vector": vector(axis(0)), "page_size": 3}
    assert other not in await searches.items(**query)
    assert other in await searches.items(diversity=0.6, **query)
    assert (await searches.items(diversity=0.6, **query))[0] == many[0], "the best comes first"
    pages = await searches.pages(diversity=0.6, **query)
    shown = [name for page in pages for name in page]
    assert sorted(shown) == sorted([*many, other]), "each once"


async def test_a_vector_of_another_model_is_refused(desk: Desk, searches: Searches) -> None:
    await desk.arrive([axis(0)])
    for part in ("model", "revision", "fingerprint"):
        other = "models/other" if part == "model" else "other"
        with pytest.raises(InvalidArgument) as caught:
            await searches.find(vector=vector(axis(0), **{part: other}))
        assert caught.value.reason == "OTHER_GENERATION"
        assert caught.value.violations[0].field == f"vector.{part}"
    with pytest.raises(InvalidArgument) as caught:
        await searches.find(vector=vector(np.ones(3, np.float32)))
    assert caught.value.reason == "WRONG_DIMENSION"


async def test_an_item_without_a_vector(desk: Desk, searches: Searches) -> None:
    photo = desk.photo(InvalidArgument("this is no picture", reason="BAD_IMAGE"))
    await desk.deliver(created(photo))
    with pytest.raises(FailedPrecondition) as caught:
        await searches.find(item=photo)
    assert caught.value.reason == "NOT_EMBEDDED"
    with pytest.raises(NotFound):
        await searches.find(item=photo_in(desk.scope))


async def test_before_the_first_photo_nothing_is_found(searches: Searches) -> None:
    answer = await searches.find(vector=vector(axis(0)))
    assert (list(answer.hits), answer.generation) == ([], "")
    assert await searches.items(text="sunset") == []


async def test_a_text_without_words_is_refused(searches: Searches) -> None:
    with pytest.raises(InvalidArgument, match="text"):
        await searches.find(text=" -- ")


@pytest.fixture(params=[True, False], ids=["reads texts", "reads pictures only"])
async def dual(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DualEmbedding]:
    service = DualEmbedding(tmp_path / "embedding.sock", dual=request.param)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def by_text(dual: DualEmbedding, desk: Desk, queue: MemoryQueue) -> AsyncIterator[Searches]:
    peers = Peers({"embedding": dual.address}, {"embedding": (EMBEDDING,)}, {})
    reader = RpcEmbedder(peers.stub(EmbeddingServiceStub, "embedding"), 0.0)
    async with served(desk, queue, reader) as (_, searches):
        yield searches
    await peers.close()


async def test_searching_with_words(desk: Desk, dual: DualEmbedding, by_text: Searches) -> None:
    (beach,) = await desk.arrive([meaning("sunset", "beach")], path="2026/IMG_1.jpg")
    (dinner,) = await desk.arrive([meaning("dinner")], path="sunset-dinners/IMG_2.jpg")
    answer = await by_text.find(text="a sunset beach", page_size=1)
    if dual.dual:
        assert answer.matched_by == api.MATCHED_BY_PICTURE
        assert (answer.hits[0].item, answer.model) == (beach, COLLECTION.model)
        assert answer.hits[0].score == pytest.approx(1.0, abs=1e-5)
        assert answer.next_page_token
    else:
        assert answer.matched_by == answer.hits[0].matched_by == api.MATCHED_BY_WORDS
        assert (answer.hits[0].item, [*answer.hits[0].words]) == (dinner, ["sunset"])
        assert (answer.generation, answer.model) == ("", "")
        assert answer.hits[0].score == pytest.approx(1 / 3)
        assert not answer.next_page_token


async def test_words_are_found_by_their_beginning_and_root(desk: Desk, searches: Searches) -> None:
    (dogs,) = await desk.arrive([axis(0)], tags=["dogs"], path="Beaches/a.jpg")
    (run,) = await desk.arrive([axis(1)], tags=["running"])
    for text, found in (("dog", dogs), ("beach", dogs), ("runs", run), ("RUNNING", run)):
        assert await searches.items(text=text) == [found], text
    assert {*await searches.items(text="dogs running")} == {dogs, run}
    assert await searches.items(text="dogs beaches running") == [dogs, run], "most words first"
    assert await searches.items(text="dogs beaches running", min_score=0.5) == [dogs]
    assert await searches.items(text="cat") == []
    pages = await searches.pages(text="dogs running", page_size=1)
    assert sorted(name for page in pages for name in page) == sorted([dogs, run])


async def test_a_model_that_changed_is_not_compared(
    desk: Desk, dual: DualEmbedding, by_text: Searches
) -> None:
    await desk.arrive([meaning("dog")])
    dual.revision = "r9"
    if dual.dual:
        with pytest.raises(FailedPrecondition) as caught:
            await by_text.find(text="dog")
        assert caught.value.reason == "MODEL_CHANGED"


async def test_an_index_that_is_away_leaves_descriptions_waiting(
    desk: Desk, searches: Searches, database: Database
) -> None:
    (photo,) = await desk.arrive([axis(0)], filed="food")
    there = desk.index
    desk.index = QdrantIndex("127.0.0.1:1", timeout=0.5)
    with pytest.raises(Unavailable):
        await desk.deliver(updated(photo, filed="travel", time=desk.clock.advance(5)))
    await desk.index.close()
    desk.index = there
    await sync_unsynced(desk.store, there)
    chosen = api.ItemFilter(pillars=["travel"])
    assert await searches.items(vector=vector(axis(0)), filter=chosen) == [photo]
