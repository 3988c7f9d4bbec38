"""Texts are embedded beside photos, in collections of their own."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from colonnade.clustering.v1 import generation_service_pb2 as api
from colonnade.clustering.v1.generation_pb2 import Generation

from libs.db.engine import Database
from libs.errors import ColonnadeError, InvalidArgument, Unavailable
from services.clustering.domain.item import Modality
from services.clustering.domain.reading import hash_of, text_to_embed
from services.clustering.usecases.filling import Filler, fill_generation
from services.clustering.usecases.following import follow_default
from services.clustering.usecases.noting import note_strays
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue, ngrams
from tests.support.clustering.faults import Died, Fuse
from tests.support.clustering.generations import Models, Searches, served
from tests.support.clustering.photos import TEXTS, Vector, axis
from tests.support.clustering.tables import change, rows, told
from tests.support.texts import mixed

TEXT = Modality.TEXTS
PROJECT = "projects/help"
NEWER = replace(TEXTS, name="texts-better-r1-f2", model="models/better", fingerprint="f2")


@pytest.fixture
async def both(desk: Desk, queue: MemoryQueue) -> AsyncIterator[tuple[Models, Searches]]:
    desk.scope = PROJECT
    async with served(desk, queue) as both:
        yield both


async def insert(
    database: Database, texts: list[tuple[str, str]], scope: str = PROJECT
) -> list[str]:
    """Texts of these titles and bodies come into the tables; their names."""
    names = [f"{PROJECT}/items/{uuid.uuid4()}" for _ in texts]
    await change(
        database,
        """
        WITH given AS (
            SELECT * FROM unnest(CAST(:names AS text[]), CAST(:titles AS text[]),
                                 CAST(:bodies AS text[])) AS given (name, title, body)
        ), new AS (
            INSERT INTO items (name, point_id, scope, blob_key, words, words_time, pixels,
                               create_time, described)
            SELECT name, CAST(split_part(name, '/', 4) AS uuid), :scope, '', '{}', now(), 0, now(),
                   true
            FROM given
        )
        INSERT INTO texts (item, scope, source, title, body)
        SELECT name, :scope, 'manual', title, body FROM given
        """,
        names=names,
        titles=[title for title, _ in texts],
        bodies=[body for _, body in texts],
        scope=PROJECT,
    )
    return names


async def embed(desk: Desk, batch: int = 100) -> None:
    await note_strays(desk.store)
    await desk.embed(TEXT, batch=batch)


async def test_250_texts_are_three_calls_and_none_when_they_come_again(
    desk: Desk, database: Database
) -> None:
    texts = [(text.title, text.body) for text in mixed(250)]
    names = await insert(database, texts)
    await embed(desk)
    assert [len(call) for call in desk.embedder.text_calls] == [100, 100, 50]
    points = await desk.index.retrieve(TEXTS.name, [name.rpartition("/")[2] for name in names])
    norms = np.linalg.norm([point.vector for point in points], axis=1)
    assert len(norms) == 250 and np.abs(norms - 1).max() <= 1e-5
    (sample,) = [point for point in points if point.id == names[0].rpartition("/")[2]]
    assert sample.payload["scope"] == PROJECT
    hashes = {name: hash_of(text_to_embed(*text)) for name, text in zip(names, texts, strict=True)}
    async with desk.store.begin() as tx:
        assert await tx.queue.renew(hashes) == []
        await tx.commit()
    await embed(desk)
    assert len(desk.embedder.text_calls) == 3
    assert await told(database, "photo.embedded") == [], "that is told of photos only"
    assert desk.embedder.calls == []


async def test_a_text_that_changes_is_embedded_anew(desk: Desk, database: Database) -> None:
    one, other = await insert(database, [("lost password", "x"), ("lost password", "x")])
    await embed(desk)
    assert len(await rows(database, "SELECT FROM near_pairs")) == 1
    await change(database, "UPDATE texts SET title = 'no sound' WHERE item = :one", one=one)
    async with desk.store.begin() as tx:
        changed = await tx.queue.renew({one: hash_of(text_to_embed("no sound", "x"))})
        await tx.commit()
    assert changed == [one]
    assert await rows(database, "SELECT FROM near_pairs") == []
    await embed(desk)
    assert desk.embedder.text_calls[1:] == [["no sound\n\nx"]]
    (point,) = await desk.index.retrieve(TEXTS.name, [one.rpartition("/")[2]])
    assert point.vector == pytest.approx(ngrams("no sound\n\nx"), abs=1e-6)
    assert other


async def test_a_text_that_changes_while_it_is_embedded_waits_again(
    desk: Desk, database: Database
) -> None:
    (name,) = await insert(database, [("lost password", "")])
    real = desk.embedder.embed_texts

    async def change_first(texts, model, scope):  # type: ignore[no-untyped-def]
        desk.embedder.embed_texts = real  # type: ignore[method-assign]
        await change(database, "UPDATE texts SET title = 'no sound'")
        return await real(texts, model, scope)

    desk.embedder.embed_texts = change_first  # type: ignore[method-assign]
    await embed(desk)
    assert desk.embedder.text_calls == [["lost password"], ["no sound"]]
    (row,) = await rows(database, "SELECT * FROM item_vectors")
    assert (row.item, row.state, row.text_hash) == (name, "ready", hash_of("no sound"))


async def test_one_text_that_spoils_the_call_is_found_by_halves(
    desk: Desk, database: Database
) -> None:
    names = await insert(database, [(f"text {n}", "") for n in range(7)] + [("", "")])
    real = desk.embedder.embed_texts

    async def refuse(texts, model, scope):  # type: ignore[no-untyped-def]
        answer = await real(texts, model, scope)
        if not all(texts):
            raise InvalidArgument.of("texts", "must not be empty")
        return answer

    desk.embedder.embed_texts = refuse  # type: ignore[method-assign]
    await embed(desk)
    (waiting,) = await rows(database, "SELECT * FROM item_vectors WHERE state <> 'ready'")
    assert (waiting.item, waiting.state, waiting.attempts) == (names[-1], "pending", 1)
    assert len(desk.embedder.text_calls) == 7, "8, 4, 4, 2, 2, 1, 1"


async def test_a_text_that_fails_twice_and_then_passes_is_ready(
    desk: Desk, database: Database
) -> None:
    def broken(text: str) -> Vector | ColonnadeError:
        return InvalidArgument("nothing to read", reason="UNUSABLE_VECTOR")

    await insert(database, [("a", "b"), ("c", "d")])
    desk.embedder.of_text = broken
    await embed(desk)
    desk.clock.advance(60)
    await embed(desk)
    desk.embedder.of_text = ngrams
    desk.clock.advance(299)
    await embed(desk)
    found = "SELECT DISTINCT state, attempts FROM item_vectors"
    assert [tuple(row) for row in await rows(database, found)] == [("pending", 2)]
    desk.clock.advance(1)
    await embed(desk)
    assert [tuple(row) for row in await rows(database, found)] == [("ready", 2)]


async def test_an_item_of_a_project_without_a_text_ends_in_quarantine(
    desk: Desk, database: Database
) -> None:
    good, bad = await insert(database, [("lost password", ""), ("no sound", "")])
    await change(database, "DELETE FROM texts WHERE item = :bad", bad=bad)
    for _ in range(5):
        await embed(desk)
        desk.clock.advance(6 * 3600)
    found = await rows(database, "SELECT * FROM item_vectors")
    assert {row.item: (row.state, row.error_reason) for row in found} == {
        good: ("ready", ""),
        bad: ("quarantined", "NO_TEXT"),
    }
    assert desk.embedder.text_calls == [["lost password"]]


async def test_filling_a_generation_ends_though_an_item_has_no_text(
    desk: Desk, both: tuple[Models, Searches], database: Database
) -> None:
    models, _ = both
    _, bad = await insert(database, [("lost password", ""), ("no sound", "")])
    await embed(desk)
    await change(database, "DELETE FROM texts WHERE item = :bad", bad=bad)
    desk.embedder.others[NEWER.model] = NEWER
    wanted = Generation(model=NEWER.model, modality=Generation.MODALITY_TEXTS)
    made = await models.stub.CreateGeneration(api.CreateGenerationRequest(generation=wanted))
    async with asyncio.timeout(60):
        made = await models.fill(made)
    assert (made.state, made.counts.done) == (Generation.STATE_READY, 1)
    (row,) = await rows(database, "SELECT * FROM item_vectors WHERE state = 'quarantined'")
    assert (row.item, row.collection, row.error_reason) == (bad, NEWER.name, "NO_TEXT")


async def test_photos_and_texts_have_generations_of_their_own(
    desk: Desk, both: tuple[Models, Searches], database: Database
) -> None:
    models, searches = both
    first, near, far = await insert(
        database, [("lost password", "again"), ("password lost", "again"), ("no sound", "at all")]
    )
    await embed(desk)
    (photo,) = await desk.arrive_elsewhere([axis(0)])
    listed = {g.modality: (g.model, g.counts.total, g.counts.done) for g in await models.list()}
    assert listed == {
        Generation.MODALITY_PHOTOS: ("models/test", 1, 1),
        Generation.MODALITY_TEXTS: (TEXTS.model, 3, 3),
    }
    found = await searches.find(item=first)
    assert ([hit.item for hit in found.hits], found.model) == ([near, far], TEXTS.model)
    found = await searches.find(scope=photo.partition("/photos/")[0], item=photo)
    assert (list(found.hits), found.model) == ([], "models/test")
    missing = "SELECT FROM item_vectors v JOIN items i ON i.name = v.item WHERE v.scope <> i.scope"
    assert await rows(database, missing) == []


async def test_a_generation_of_texts_is_filled_and_switched_to_without_touching_photos(
    desk: Desk, both: tuple[Models, Searches], database: Database
) -> None:
    models, searches = both
    names = await insert(database, [("lost password", ""), ("no sound", "")])
    await embed(desk)
    await desk.arrive_elsewhere([axis(0)])
    desk.embedder.others[NEWER.model] = NEWER
    wanted = Generation(model=NEWER.model, modality=Generation.MODALITY_TEXTS)
    made = await models.stub.CreateGeneration(api.CreateGenerationRequest(generation=wanted))
    made = await models.fill(made)
    assert (made.state, made.counts.done) == (Generation.STATE_READY, 2)
    assert (await searches.find(item=names[0])).model == TEXTS.model
    await models.activate(made)
    assert (await searches.find(item=names[0])).model == NEWER.model
    active = {g.model for g in await models.list() if g.state == Generation.STATE_ACTIVE}
    assert active == {NEWER.model, "models/test"}


async def test_another_default_model_for_texts_is_followed_in_the_background(
    desk: Desk, queue: MemoryQueue, database: Database
) -> None:
    names = await insert(database, [("lost password", ""), ("no sound", "")])
    assert not await follow_default(desk.store, queue, desk.embedder), "nothing to follow yet"
    await embed(desk)
    assert not await follow_default(desk.store, queue, desk.embedder)
    desk.embedder.texts_in_use, desk.embedder.others[TEXTS.model] = NEWER, TEXTS
    assert await follow_default(desk.store, queue, desk.embedder)
    assert not await follow_default(desk.store, queue, desk.embedder), "once"
    ((_, generation_id, _),) = queue.sent
    (late,) = await insert(database, [("it came meanwhile", "")])
    filler = Filler(desk.store, desk.index, desk.embedder, desk.clock, "worker", 16)
    desk.embedder.down = Unavailable("away")
    await fill_generation(filler, generation_id)
    async with desk.store.read() as tx:
        assert (await tx.collections.active(TEXT)) == TEXTS, "until it is filled"
    desk.embedder.down = None
    await change(database, "UPDATE collections SET lease_expire_time = now()")
    await fill_generation(filler, generation_id)
    async with desk.store.read() as tx:
        assert await tx.collections.active(TEXT) == NEWER
        items = await tx.items.many([*names, late])
    assert {item.collection for item in items.values()} == {NEWER.name}
    assert not await follow_default(desk.store, queue, desk.embedder)
    states = {row.name: row.state for row in await rows(database, "SELECT * FROM collections")}
    assert states == {TEXTS.name: "retired", NEWER.name: "active"}


async def test_the_engine_is_rid_of_the_vector_that_a_changed_text_had(
    desk: Desk, database: Database
) -> None:
    one, other = await insert(database, [("lost password", ""), ("no sound", "")])
    await embed(desk)
    await change(
        database,
        "INSERT INTO scopes (scope, version, collection) VALUES (:scope, 1, :collection)",
        scope=PROJECT,
        collection=TEXTS.name,
    )
    await change(database, "UPDATE item_vectors SET grouped = true")
    await change(database, "UPDATE texts SET title = 'no picture' WHERE item = :one", one=one)
    async with desk.store.begin() as tx:
        await tx.queue.renew({one: hash_of("no picture")})
        await tx.commit()
    for step in range(40):
        try:
            await desk.embed(TEXT, fuse=Fuse(step))
        except Died:
            continue
        break
    async with desk.store.read() as tx:
        (left,) = await tx.departures.waiting(PROJECT)
    assert (left.item, left.cluster_id, left.weight) == (one, None, 1.0)
    assert left.vector == pytest.approx(ngrams("lost password"), abs=1e-3)
    found = {row.item: row.grouped for row in await rows(database, "SELECT * FROM item_vectors")}
    assert found == {one: False, other: True}
