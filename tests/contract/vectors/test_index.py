"""What every ``VectorIndex`` promises, on the engine that the one-command mode runs."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from libs.errors import InvalidArgument, NotFound, Unavailable
from libs.vectors.index import (
    AnyOf,
    Equals,
    Floats,
    InRange,
    Payload,
    VectorFilter,
    VectorIndex,
    VectorPage,
    VectorPoint,
)
from libs.vectors.qdrant import QdrantIndex
from tests.contract.vectors.conftest import DIMENSION


def some_vectors(count: int, seed: int = 1) -> Floats:
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    return rows.astype(np.float32)


def points_of(vectors: Floats, payloads: Sequence[Payload] | None = None) -> list[VectorPoint]:
    fields = payloads or [{"persona": "mila", "number": row} for row in range(len(vectors))]
    return [VectorPoint(str(uuid4()), v, p) for v, p in zip(vectors, fields, strict=True)]


def unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)


async def pages_of(index: VectorIndex, collection: str, **options: object) -> list[VectorPage]:
    return [page async for page in index.scroll(collection, **options)]  # type: ignore[arg-type]


async def test_search_finds_what_comparing_with_every_vector_finds(
    index: VectorIndex, collection: str
) -> None:
    points = points_of(some_vectors(2000))
    queries = some_vectors(20, seed=2)
    await index.upsert(collection, points)

    answers = await index.search_batch(collection, queries, 10, exact=True)

    scores = unit(queries) @ unit(np.stack([point.vector for point in points])).T
    for row, hits in zip(scores, answers, strict=True):
        best = np.argsort(-row)[:10]
        assert [hit.id for hit in hits] == [points[i].id for i in best]
        np.testing.assert_allclose([hit.score for hit in hits], row[best], atol=1e-5)


async def test_a_single_search_answers_like_a_batch_of_one(
    index: VectorIndex, collection: str
) -> None:
    points = points_of(some_vectors(50))
    await index.upsert(collection, points)
    query = some_vectors(1, seed=3)

    single = await index.search(collection, query[0], 5)

    assert [single] == await index.search_batch(collection, query, 5)
    assert len(single) == 5
    assert single[0].payload in [point.payload for point in points]


async def test_min_score_cuts_the_tail(index: VectorIndex, collection: str) -> None:
    vectors = np.zeros((2, DIMENSION), np.float32)
    vectors[0, 0] = vectors[1, 1] = 1.0
    near, _ = points = points_of(vectors)
    await index.upsert(collection, points)

    hits = await index.search(collection, vectors[0], 10, min_score=0.5)

    assert [hit.id for hit in hits] == [near.id]


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        (VectorFilter(), [0, 1, 2, 3, 4, 5]),
        (VectorFilter.where(kind="cat"), [0, 2, 4]),
        (VectorFilter.where(number=3), [3]),
        (VectorFilter.where(tags="red"), [0, 3]),
        (VectorFilter.where(AnyOf("kind", ("cat", "dog"))), [0, 1, 2, 3, 4, 5]),
        (VectorFilter.where(AnyOf("number", (1, 4, 99))), [1, 4]),
        (VectorFilter.where(AnyOf("kind", ())), []),
        (VectorFilter.where(InRange("number", at_least=2, below=4)), [2, 3]),
        (VectorFilter.where(InRange("number", at_least=4)), [4, 5]),
        (VectorFilter.where(InRange("weight", below=1.0)), [0, 1]),
        (VectorFilter.where(InRange("number", at_least=1), kind="cat"), [2, 4]),
        (VectorFilter((Equals("kind", "bird"),)), []),
        (VectorFilter(unless=(Equals("kind", "cat"), Equals("number", 3))), [1, 5]),
        (VectorFilter(unless=(Equals("unknown", "yes"),)), [0, 1, 2, 3, 4, 5]),
    ],
)
async def test_filters_choose_by_payload(
    index: VectorIndex, collection: str, chosen: VectorFilter, numbers: list[int]
) -> None:
    payloads: list[Payload] = [
        {
            "kind": "dog" if number % 2 else "cat",
            "number": number,
            "weight": number / 2,
            "tags": ["red", "big"] if number % 3 == 0 else [],
        }
        for number in range(6)
    ]
    vectors = some_vectors(6)
    await index.upsert(collection, points_of(vectors, payloads))

    hits = await index.search(collection, vectors[0], 10, filter=chosen)

    assert sorted(hit.payload["number"] for hit in hits) == numbers
    assert await index.count(collection, chosen) == len(numbers)


async def test_excluded_ids_are_never_found(index: VectorIndex, collection: str) -> None:
    points = points_of(some_vectors(4))
    await index.upsert(collection, points)
    chosen = VectorFilter.where(persona="mila").excluding([points[0].id, points[3].id])

    hits = await index.search(collection, points[0].vector, 10, filter=chosen)

    assert {hit.id for hit in hits} == {points[1].id, points[2].id}


async def test_upsert_replaces_vector_and_payload_whole(
    index: VectorIndex, collection: str
) -> None:
    old, new = some_vectors(2)
    [point] = points_of(old[np.newaxis], [{"persona": "mila", "kind": "cat"}])
    await index.upsert(collection, [point])

    await index.upsert(collection, [VectorPoint(point.id, new, {"persona": "noah"})])

    [found] = await index.retrieve(collection, [point.id])
    assert found.payload == {"persona": "noah"}
    np.testing.assert_allclose(found.vector, unit(new), atol=1e-6)
    assert await index.count(collection) == 1


async def test_retrieve_keeps_the_order_and_leaves_out_what_is_not_there(
    index: VectorIndex, collection: str
) -> None:
    points = points_of(some_vectors(3))
    await index.upsert(collection, points)
    wanted = [points[2].id, str(uuid4()), points[0].id]

    found = await index.retrieve(collection, wanted)

    assert [point.id for point in found] == [points[2].id, points[0].id]
    assert found[0].vector.dtype == np.float32
    np.testing.assert_allclose(found[0].vector, unit(points[2].vector), atol=1e-6)


async def test_delete_passes_over_ids_that_are_not_there(
    index: VectorIndex, collection: str
) -> None:
    points = points_of(some_vectors(3))
    await index.upsert(collection, points)

    await index.delete(collection, [points[1].id, str(uuid4())])

    assert await index.retrieve(collection, [points[1].id]) == []
    assert await index.count(collection) == 2


async def test_delete_where_removes_what_matches_and_nothing_else(
    index: VectorIndex, collection: str
) -> None:
    mila = points_of(some_vectors(3))
    noah = points_of(some_vectors(2), [{"persona": "noah"}] * 2)
    await index.upsert(collection, mila + noah)

    await index.delete_where(collection, VectorFilter.where(persona="mila"))

    [page] = await pages_of(index, collection)
    assert set(page.ids) == {point.id for point in noah}


async def test_delete_where_refuses_to_delete_everything(
    index: VectorIndex, collection: str
) -> None:
    with pytest.raises(InvalidArgument, match="filter"):
        await index.delete_where(collection, VectorFilter())


async def test_scroll_gives_every_point_once_in_full_pages(
    index: VectorIndex, collection: str
) -> None:
    points = {point.id: point for point in points_of(some_vectors(25))}
    await index.upsert(collection, list(points.values()))

    pages = await pages_of(index, collection, page=10)

    assert [len(page.ids) for page in pages] == [10, 10, 5]
    ids = [id for page in pages for id in page.ids]
    assert ids == sorted(points)
    assert [field for page in pages for field in page.payloads] == [points[i].payload for i in ids]
    matrix = np.concatenate([page.matrix for page in pages])
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix, unit(np.stack([points[id].vector for id in ids])), atol=1e-6)


async def test_scroll_has_no_empty_last_page(index: VectorIndex, collection: str) -> None:
    assert await pages_of(index, collection) == []
    await index.upsert(collection, points_of(some_vectors(20)))

    pages = await pages_of(index, collection, page=10)

    assert [len(page.ids) for page in pages] == [10, 10]


async def test_scroll_with_a_filter(index: VectorIndex, collection: str) -> None:
    await index.upsert(collection, points_of(some_vectors(9)))
    chosen = VectorFilter.where(InRange("number", below=3))

    [page] = await pages_of(index, collection, filter=chosen)

    assert sorted(field["number"] for field in page.payloads) == [0, 1, 2]


async def test_set_payload_changes_only_the_fields_given(
    index: VectorIndex, collection: str
) -> None:
    points = points_of(some_vectors(2))
    await index.upsert(collection, points)

    await index.set_payload(collection, [points[0].id, str(uuid4())], {"cluster": "beach"})

    changed, other = await index.retrieve(collection, [points[0].id, points[1].id])
    assert changed.payload == {"persona": "mila", "number": 0, "cluster": "beach"}
    assert "cluster" not in other.payload


async def test_a_large_upsert_is_cut_into_requests_and_arrives_whole(index: VectorIndex) -> None:
    name = f"test-{uuid4()}"
    await index.ensure_collection(name, 2048)
    vectors = np.random.default_rng(5).standard_normal((1200, 2048), dtype=np.float32)

    await index.upsert(name, points_of(vectors))

    assert await index.count(name) == 1200
    await index.delete_collection(name)


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (np.full(DIMENSION, np.nan), r"points\[1\].*finite"),
        (np.r_[np.inf, np.ones(DIMENSION - 1)], r"points\[1\].*finite"),
        (np.zeros(DIMENSION), r"points\[1\].*zeros"),
        (np.ones(DIMENSION + 1), "same length"),
    ],
)
async def test_a_bad_vector_is_refused_and_nothing_is_written(
    index: VectorIndex, collection: str, bad: Floats, text: str
) -> None:
    good = points_of(some_vectors(1))

    with pytest.raises(InvalidArgument, match=text):
        await index.upsert(
            collection, [*good, VectorPoint(str(uuid4()), bad.astype(np.float32), {})]
        )

    assert await index.count(collection) == 0


async def test_a_wrong_dimension_is_refused(index: VectorIndex, collection: str) -> None:
    short = np.ones((3, DIMENSION - 1), np.float32)

    with pytest.raises(InvalidArgument, match="dim"):
        await index.upsert(collection, points_of(short))
    with pytest.raises(InvalidArgument, match="dim"):
        await index.search(collection, short[0], 3)
    with pytest.raises(InvalidArgument, match=f"{DIMENSION} dimensions, not 3"):
        await index.ensure_collection(collection, 3)

    assert await index.count(collection) == 0


async def test_a_query_that_is_not_finite_is_refused(index: VectorIndex, collection: str) -> None:
    with pytest.raises(InvalidArgument, match="finite"):
        await index.search(collection, np.full(DIMENSION, np.nan, np.float32), 3)


async def test_booleans_and_other_payloads_are_refused(index: VectorIndex, collection: str) -> None:
    [vector] = some_vectors(1)
    refused: list[Any] = [{"public": True}, {"score": float("nan")}, {"nested": {"a": 1}}]
    for payload in refused:
        with pytest.raises(InvalidArgument, match=next(iter(payload))):
            await index.upsert(collection, [VectorPoint(str(uuid4()), vector, payload)])
    with pytest.raises(InvalidArgument, match="boolean"):
        await index.count(collection, VectorFilter.where(public=True))


async def test_an_id_that_is_no_uuid_is_refused(index: VectorIndex, collection: str) -> None:
    for bad in ("photo-1", str(uuid4()).upper()):
        with pytest.raises(InvalidArgument, match="UUID"):
            await index.retrieve(collection, [bad])


async def test_a_missing_collection_is_not_found(index: VectorIndex) -> None:
    [vector] = some_vectors(1)
    calls = (
        index.upsert("nowhere", points_of(vector[np.newaxis])),
        index.delete("nowhere", [str(uuid4())]),
        index.delete_where("nowhere", VectorFilter.where(persona="mila")),
        index.set_payload("nowhere", [str(uuid4())], {"a": 1}),
        index.search("nowhere", vector, 3),
        index.retrieve("nowhere", [str(uuid4())]),
        index.count("nowhere"),
        index.point_alias("alias", "nowhere"),
        pages_of(index, "nowhere"),
    )
    for call in calls:
        with pytest.raises(NotFound, match="nowhere"):
            await call
    await index.delete_collection("nowhere")


async def test_ensure_collection_may_be_called_by_many_at_once(index: VectorIndex) -> None:
    name = f"test-{uuid4()}"

    await asyncio.gather(*(index.ensure_collection(name, 4, indexed=["a"]) for _ in range(5)))

    assert await index.count(name) == 0
    await index.delete_collection(name)


async def test_writers_and_readers_at_once(index: VectorIndex, collection: str) -> None:
    vectors = some_vectors(200)
    parts = [points_of(vectors[start : start + 10]) for start in range(0, 200, 10)]

    await asyncio.gather(
        *(index.upsert(collection, part) for part in parts),
        *(index.search(collection, vector, 3) for vector in vectors[:20]),
    )

    assert await index.count(collection) == 200


async def test_an_alias_moves_to_another_collection(index: VectorIndex, collection: str) -> None:
    other, alias = f"test-{uuid4()}", f"alias-{uuid4()}"
    await index.ensure_collection(other, DIMENSION)
    await index.upsert(other, points_of(some_vectors(2)))

    await index.point_alias(alias, collection)
    before = await index.count(alias)
    await index.point_alias(alias, other)

    assert (before, await index.count(alias)) == (0, 2)
    await index.delete_collection(other)
    with pytest.raises(NotFound):
        await index.count(alias)


async def test_nobody_at_home_is_unavailable() -> None:
    async with QdrantIndex("127.0.0.1:1", timeout=2.0) as nobody:
        with pytest.raises(Unavailable):
            await nobody.count("photos")


async def test_scroll_over_a_range_of_ids(index: VectorIndex, collection: str) -> None:
    points = {point.id: point for point in points_of(some_vectors(30))}
    await index.upsert(collection, list(points.values()))
    ids = sorted(points)
    cuts = ["", ids[7], ids[10], str(UUID(int=UUID(ids[20]).int + 1)), ""]

    found = [
        [
            id
            for page in await pages_of(index, collection, page=5, start=start, end=end)
            for id in page.ids
        ]
        for start, end in pairwise(cuts)
    ]

    assert found == [ids[:7], ids[7:10], ids[10:21], ids[21:]]
    assert await pages_of(index, collection, start=ids[3], end=ids[3]) == []


async def test_scroll_over_a_range_with_a_filter(index: VectorIndex, collection: str) -> None:
    points = points_of(some_vectors(30))
    await index.upsert(collection, points)
    chosen = VectorFilter.where(InRange("number", below=20))
    ids = sorted(point.id for point in points if point.payload["number"] < 20)  # type: ignore[operator]

    pages = await pages_of(index, collection, filter=chosen, page=4, start=ids[3], end=ids[17])

    assert [id for page in pages for id in page.ids] == ids[3:17]


async def test_scroll_without_payloads(index: VectorIndex, collection: str) -> None:
    await index.upsert(collection, points_of(some_vectors(3)))

    [page] = await pages_of(index, collection, payloads=False)

    assert (len(page.ids), page.matrix.shape, page.payloads) == (3, (3, DIMENSION), [{}] * 3)
