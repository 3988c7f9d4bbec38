"""Photos that come without a pillar: filed by what they are like, or put into the inbox."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import import_service_pb2 as imports_pb
from colonnade.catalog.v1 import photo_pb2
from colonnade.events.v1 import event_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2

from libs.errors import AlreadyExists, InvalidArgument, NotFound
from libs.events.stream import Event
from services.catalog.consumers import Consumers
from services.catalog.domain.photo import (
    Embedding,
    EmbeddingState,
    Filing,
    FilingState,
    Photo,
    PhotoState,
    Proposal,
)
from services.catalog.usecases.facts import FactCases
from tests.integration.catalog.library import Library

State = photo_pb2.Filing
SCENE = 0.7
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PENDING = Filing(FilingState.PENDING)
REVIEW = Filing(FilingState.REVIEW, reason="nothing like it has been filed yet")


@pytest.fixture
def consumers(lib: Library) -> Consumers:
    return Consumers(FactCases(lib.catalog, lib.clock, lib.cases.filing))


def event(message: Message) -> Event:
    return Event(str(uuid.uuid4()), "type", "subject", "key", message.SerializeToString(), NOON)


def embedded(photo: str, near: Mapping[str, float] | None = None) -> Event:
    """The news that ``photo`` is embedded, and how similar it is to others."""
    message = event_pb2.PhotoEmbedded(photo=photo, model="net", revision="7", scene=photo)
    for name, similarity in (near or {}).items():
        message.neighbours.add(photo=name, similarity=similarity)
        message.scene_similarity = SCENE
    return event(message)


async def get(lib: Library, name: str) -> photo_pb2.Photo:
    return await lib.stub.GetPhoto(pb.GetPhotoRequest(name=name))


async def inbox(lib: Library, persona: str) -> list[str]:
    request = pb.ListPhotosRequest(parent=persona, filter='filing.state = "REVIEW"')
    return [photo.name for photo in (await lib.stub.ListPhotos(request)).photos]


async def propose(lib: Library, persona: str, request_id: str = "") -> tuple[int, int]:
    request = imports_pb.ProposePillarsRequest(parent=persona, request_id=request_id)
    answer = await lib.imports.ProposePillars(request)
    return answer.filed, answer.waiting


async def accept(
    lib: Library, persona: str, photos: Sequence[str] = (), **fields: Any
) -> imports_pb.AcceptProposalsResponse:
    request = imports_pb.AcceptProposalsRequest(parent=persona, photos=photos, **fields)
    return await lib.imports.AcceptProposals(request)


async def move(lib: Library, persona: str, pillar: str, *names: str) -> None:
    request = pb.BatchMovePhotosRequest(parent=persona, names=names, pillar=pillar)
    for result in (await lib.stub.BatchMovePhotos(request)).results:
        assert result.status.code == code_pb2.OK


async def two_pillars(lib: Library) -> tuple[str, str, str]:
    """A persona, the pillar that photos without one are put under, and another."""
    persona = await lib.persona()
    heavy = await lib.pillar(persona, display_name="Heavy", weight=60)
    return persona, heavy, await lib.pillar(persona, display_name="Food", weight=20)


async def test_a_photo_without_a_pillar_is_filed_by_what_is_near_it(
    lib: Library, consumers: Consumers
) -> None:
    persona, heavy, food = await two_pillars(lib)
    there = [await lib.shelve(food, file_name=f"soup-{n}.jpg") for n in range(3)]
    other = await lib.shelve(heavy)
    photo = await lib.photo(persona)
    assert (photo.pillar, photo.filing) == (heavy, State(state=State.STATE_PENDING))
    near = {p.name: 0.8 - n / 20 for n, p in enumerate(there)} | {other.name: 0.65}
    news = embedded(photo.name, near)
    await consumers.embedded(news)
    found = await get(lib, photo.name)
    assert (found.pillar, found.filing.state) == (food, State.STATE_PROPOSED)
    assert 0.7 < found.filing.confidence < 1
    assert found.filing.reason == (
        "3 of its 4 nearest photos are in Food (0.80 to the nearest, soup-0.jpg)"
    )
    assert [p.pillar for p in found.filing.alternatives] == [heavy]
    assert await lib.events(photo.name) == ["photo.created", "photo.updated"]
    await consumers.embedded(news)
    assert await get(lib, photo.name) == found


async def test_what_nothing_is_near_waits_in_the_inbox(lib: Library, consumers: Consumers) -> None:
    persona, heavy, food = await two_pillars(lib)
    far = await lib.shelve(food)
    lonely, old = await lib.photo(persona), await lib.photo(persona)
    await consumers.embedded(embedded(lonely.name, {far.name: 0.1}))
    await consumers.embedded(embedded(old.name))
    assert await inbox(lib, persona) == [old.name, lonely.name]
    found = await get(lib, old.name)
    assert (found.pillar, found.filing.reason) == (heavy, "nothing like it has been filed yet")
    assert await lib.events(old.name) == ["photo.created"]


async def test_the_words_of_its_path_file_it_without_any_neighbour(
    lib: Library, consumers: Consumers
) -> None:
    persona, _, food = await two_pillars(lib)
    photo = await lib.photo(persona, source_path="2024/food/1.jpg", file_name="1.jpg")
    await consumers.embedded(embedded(photo.name))
    found = await get(lib, photo.name)
    assert (found.pillar, found.filing.state) == (food, State.STATE_PROPOSED)
    assert found.filing.reason == "its folder food matches the pillar Food"


async def test_what_cannot_be_embedded_waits_in_the_inbox(
    lib: Library, consumers: Consumers
) -> None:
    persona, heavy, _ = await two_pillars(lib)
    photo = await lib.photo(persona)
    failed = event_pb2.PhotoEmbeddingFailed(photo=photo.name, reason="BAD", message="Too dark.")
    await consumers.embedding_failed(event(failed))
    found = await get(lib, photo.name)
    assert (found.pillar, found.filing.state) == (heavy, State.STATE_REVIEW)
    assert found.filing.reason == "it could not be embedded (Too dark.)"


async def test_a_pillar_that_was_named_stays(lib: Library, consumers: Consumers) -> None:
    persona, heavy, food = await two_pillars(lib)
    there = await lib.shelve(food)
    photo = await lib.photo(persona, pillar=heavy)
    await consumers.embedded(embedded(photo.name, {there.name: 0.99}))
    found = await get(lib, photo.name)
    assert (found.pillar, found.filing) == (heavy, State(state=State.STATE_CONFIRMED))


async def test_photos_of_others_and_photos_that_are_gone_have_no_say(
    lib: Library, consumers: Consumers
) -> None:
    persona, _, food = await two_pillars(lib)
    _, _, foreign = await two_pillars(lib)
    gone = await lib.shelve(food)
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=gone.name))
    stranger = await lib.shelve(foreign)
    # A name that claims to be of this persona, too.
    claimed = f"{persona}/photos/{stranger.id}"
    photo = await lib.photo(persona)
    near = dict.fromkeys((gone.name, stranger.name, claimed, photo.name), 0.95)
    await consumers.embedded(embedded(photo.name, near))
    assert (await get(lib, photo.name)).filing.reason == "nothing like it has been filed yet"


async def test_likeness_found_later_counts_too(lib: Library, consumers: Consumers) -> None:
    persona, _, food = await two_pillars(lib)
    photo = await lib.photo(persona)
    await consumers.embedded(embedded(photo.name))
    for _ in range(2):
        later = await lib.photo(persona, pillar=food)
        await consumers.embedded(embedded(later.name, {photo.name: 0.85}))
    assert await propose(lib, persona) == (1, 0)
    found = await get(lib, photo.name)
    assert (found.pillar, found.filing.state) == (food, State.STATE_PROPOSED)
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=photo.name))
    assert await lib.rows("SELECT FROM catalog.photo_neighbours WHERE neighbour_id = :id",
                          id=photo.name.rpartition("/")[2]) == []  # fmt: skip


async def test_sorting_a_part_of_the_inbox_files_the_rest(
    lib: Library, consumers: Consumers
) -> None:
    """Each group is like the one before it, so that it takes a round for each."""
    persona, heavy, food = await two_pillars(lib)
    groups = [[await lib.shelve(heavy, filing=PENDING) for _ in range(6)] for _ in range(4)]
    for photo in groups[0]:
        await consumers.embedded(embedded(photo.name))
    for before, group in pairwise(groups):
        for photo in group:
            await consumers.embedded(embedded(photo.name, {p.name: 0.9 for p in before}))
    assert await propose(lib, persona) == (0, 24)
    await move(lib, persona, food, *(photo.name for photo in groups[0]))
    assert await propose(lib, persona) == (18, 0)
    assert {(await get(lib, group[0].name)).pillar for group in groups} == {food}
    assert await propose(lib, persona) == (0, 0)


async def test_one_guess_is_not_enough_for_another(lib: Library, consumers: Consumers) -> None:
    persona, heavy, food = await two_pillars(lib)
    guess = await lib.shelve(food, filing=Filing(FilingState.PROPOSED, 0.7))
    photo = await lib.shelve(heavy, filing=PENDING)
    await consumers.embedded(embedded(photo.name, {guess.name: 0.99}))
    assert await inbox(lib, persona) == [photo.name]
    await move(lib, persona, food, guess.name)
    assert await propose(lib, persona) == (1, 0)


async def test_a_round_over_a_large_inbox_costs_a_few_statements_a_batch(lib: Library) -> None:
    persona, _, _ = await two_pillars(lib)
    await lib.rows(
        "INSERT INTO catalog.photos (id, persona_id, pillar_id, source_path, sha256, mime_type,"
        " size_bytes, width, height, thumbnail_sha256, measures, tags, embedding_state, scene,"
        " filing_state, create_time, update_time, version)"
        " SELECT gen_random_uuid(), :persona, 'heavy', CASE n % 2 WHEN 0 THEN 'food/1.jpg' ELSE ''"
        " END, n || :persona, 'image/jpeg', 1, 1, 1, '', '[]', '{}', 'READY', gen_random_uuid(),"
        " 'REVIEW', now(), now(), 1 FROM generate_series(1, 1000) AS n",
        persona=persona.removeprefix("personas/"),
    )
    async with lib.statements() as sent:
        assert await propose(lib, persona) == (500, 500)
    # Five batches of six statements each, and a few around them; nobody waits near the filed ones.
    assert len(sent) <= 40, sent
    counted = await lib.rows(
        "SELECT pillar_id, filing_state, count(*) FROM catalog.photos WHERE persona_id = :persona"
        " GROUP BY 1, 2 ORDER BY 1",
        persona=persona.removeprefix("personas/"),
    )
    assert [tuple(row) for row in counted] == [("food", "PROPOSED", 500), ("heavy", "REVIEW", 500)]


async def test_the_same_proposal_request_has_one_answer(lib: Library) -> None:
    persona, heavy, _ = await two_pillars(lib)
    await lib.shelve(heavy, filing=REVIEW, source_path="food/1.jpg")
    request_id = str(uuid.uuid4())
    assert await propose(lib, persona, request_id) == (1, 0)
    await lib.shelve(heavy, filing=REVIEW, source_path="food/2.jpg")
    assert await propose(lib, persona, request_id) == (1, 0)
    other, _, _ = await two_pillars(lib)
    with pytest.raises(AlreadyExists):
        await propose(lib, other, request_id)
    with pytest.raises(NotFound):
        await propose(lib, "personas/nobody")


async def test_proposals_are_accepted_by_name(lib: Library) -> None:
    persona, _, food = await two_pillars(lib)
    _, _, foreign = await two_pillars(lib)
    unsure = Filing(FilingState.REVIEW, 0.4, "why", (Proposal("heavy", 0.2),))
    sure, empty, pending, settled, stranger = [
        await lib.shelve(pillar, filing=filing)
        for pillar, filing in (
            (food, unsure), (food, REVIEW), (food, PENDING), (food, Filing()), (foreign, unsure),
        )
    ]  # fmt: skip
    names = [p.name for p in (sure, empty, pending, settled, stranger)] + ["nonsense"]
    request_id = str(uuid.uuid4())
    answer = await accept(lib, persona, names, request_id=request_id)
    assert answer.filed == 2
    codes = [result.status.code for result in answer.results]
    refused, unknown = code_pb2.FAILED_PRECONDITION, code_pb2.NOT_FOUND
    assert codes == [0, refused, refused, 0, unknown, code_pb2.INVALID_ARGUMENT]
    info = error_details_pb2.ErrorInfo()
    assert answer.results[1].status.details[0].Unpack(info)
    assert info.reason == "NO_PROPOSAL"
    found = answer.results[0].photo
    assert (found.pillar, found.filing.state) == (food, State.STATE_CONFIRMED)
    assert (found.filing.confidence, found.filing.reason) == (0.4, "why")
    assert await accept(lib, persona, names, request_id=request_id) == answer


async def test_all_of_the_inbox_that_is_sure_enough_is_accepted(lib: Library) -> None:
    persona, _, food = await two_pillars(lib)
    confidences = (0.0, 0.2, 0.5, 0.6)
    waiting = [
        await lib.shelve(food, filing=Filing(FilingState.REVIEW, value)) for value in confidences
    ]
    away = await lib.shelve(food, filing=Filing(FilingState.REVIEW, 0.6), state=PhotoState.ARCHIVED)
    async with lib.statements() as sent:
        answer = await accept(lib, persona, min_confidence=0.5)
    assert len(sent) <= 5, sent
    assert (answer.filed, len(answer.results)) == (2, 0)
    assert await inbox(lib, persona) == [waiting[1].name, waiting[0].name]
    assert (await accept(lib, persona)).filed == 1
    assert await inbox(lib, persona) == [waiting[0].name]
    assert (await get(lib, away.name)).filing.state == State.STATE_REVIEW
    with pytest.raises(NotFound):
        await accept(lib, "personas/nobody")
    with pytest.raises(InvalidArgument):
        await accept(lib, persona, min_confidence=1.5)


async def test_photos_that_nobody_looked_at_are_found(lib: Library) -> None:
    _, heavy, food = await two_pillars(lib)
    ready = await lib.shelve(heavy, filing=PENDING, source_path="food/1.jpg")
    failed = await lib.shelve(
        heavy, filing=PENDING, embedding=Embedding(EmbeddingState.FAILED, error_message="x")
    )
    early = await lib.shelve(heavy, filing=PENDING, embedding=Embedding())
    assert await lib.cases.filing.file_overlooked() >= 2
    states = [(await get(lib, photo.name)).filing.state for photo in (ready, failed, early)]
    assert states == [State.STATE_PROPOSED, State.STATE_REVIEW, State.STATE_PENDING]
    assert (await get(lib, ready.name)).pillar == food
    assert await lib.cases.filing.file_overlooked() == 0


async def test_photos_that_name_each_other_at_once_do_not_block_each_other(
    lib: Library, consumers: Consumers
) -> None:
    persona, heavy, food = await two_pillars(lib)
    photos = [await lib.shelve(heavy, filing=PENDING) for _ in range(12)]
    there = await lib.shelve(food)

    async def told(photo: Photo) -> None:
        near = {other.name: 0.9 for other in photos if other != photo}
        await consumers.embedded(embedded(photo.name, near | {there.name: 0.8}))

    await asyncio.gather(*map(told, photos))
    await propose(lib, persona)
    assert await inbox(lib, persona) == []
    rows = await lib.rows(
        "SELECT count(*) AS n FROM catalog.photo_neighbours JOIN catalog.photos ON id = photo_id"
        " WHERE persona_id = :persona",
        persona=persona.removeprefix("personas/"),
    )
    assert rows[0].n == 12 * 12
