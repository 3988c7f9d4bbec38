"""Finding duplicates, variants and bursts, and what people decide about them, on real engines."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from colonnade.clustering.v1 import duplicate_pb2
from colonnade.clustering.v1 import duplicate_service_pb2 as api
from PIL import Image, ImageDraw, ImageOps

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.errors import AlreadyExists, InvalidArgument, NotFound
from libs.ids import uuid7
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.generation import GenerationState
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.comparing import hash_missing
from services.clustering.usecases.embedding import embed_items, enrol_all
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.gallery import Gallery, members
from tests.support.clustering.generations import served, shortened
from tests.support.clustering.photos import (
    COLLECTION,
    NOON,
    axis,
    deleted,
    key_of,
    new_scope,
    photo_in,
    tilted,
    updated,
    used,
)
from tests.support.clustering.tables import change, rows
from tests.support.scenes import scene

DUPLICATE = duplicate_pb2.DUPLICATE_VERDICT_DUPLICATE
VARIANT = duplicate_pb2.DUPLICATE_VERDICT_VARIANT
BURST = duplicate_pb2.DUPLICATE_VERDICT_BURST
DIFFERENT = duplicate_pb2.DUPLICATE_VERDICT_DIFFERENT
OPEN = duplicate_pb2.DUPLICATE_VERDICT_UNSPECIFIED


def _half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def _written(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).rectangle((0, 225, 400, 281), fill="#808080")
    return image


def _pair_name(one: str, other: str) -> str:
    scope = one.partition("/photos/")[0]
    ids = (name.rpartition("/")[2] for name in (one, other))
    return f"{scope}/duplicatePairs/{'_'.join(ids)}"


async def _pair(gallery: Gallery, one: str, other: str) -> duplicate_pb2.DuplicatePair:
    return await gallery.stub.GetDuplicatePair(
        api.GetDuplicatePairRequest(name=_pair_name(one, other))
    )


async def test_copies_are_found_that_vectors_miss(gallery: Gallery) -> None:
    picture = scene(1)
    original = await gallery.add(picture)
    tiny = await gallery.add(picture.resize((120, 90), Image.Resampling.BICUBIC))
    mirrored = await gallery.add(_half(ImageOps.mirror(picture)))
    turned = await gallery.add(_half(picture).transpose(Image.Transpose.ROTATE_90))
    await gallery.add(scene(2))
    await gallery.compare()
    (found,) = await gallery.sets()
    assert found.verdict == DUPLICATE
    assert found.keeper.photo == original
    assert found.keeper_reason == duplicate_pb2.DuplicateSet.REASON_PIXELS
    others = {other.photo: other.evidence for other in found.others}
    assert set(others) == {tiny, mirrored, turned}
    assert all(evidence.compared and evidence.distance <= 8 for evidence in others.values())
    assert not any(evidence.HasField("cosine") for evidence in others.values())
    assert (await _pair(gallery, original, mirrored)).evidence.orientation == 2
    assert (await _pair(gallery, original, turned)).evidence.orientation in (6, 8)
    assert (await _pair(gallery, original, tiny)).evidence.orientation == 1


async def test_a_variant_is_told_from_a_copy_and_a_burst_from_both(gallery: Gallery) -> None:
    picture = scene(1)
    original = await gallery.add(picture, vector=axis(0))
    edited = await gallery.add(_written(_half(picture).resize(picture.size)), vector=axis(0))
    shot = await gallery.add(_half(scene(3)), vector=tilted(0, 0.96, 1))
    await gallery.compare()
    variant, burst = await gallery.sets()
    assert (variant.verdict, members(variant)) == (VARIANT, [original, edited])
    assert 0.5 <= variant.others[0].evidence.agreement < 0.95
    assert (burst.verdict, members(burst)) == (BURST, [original, shot])
    assert burst.others[0].evidence.cosine == pytest.approx(0.96, abs=0.001)
    assert burst.others[0].evidence.structure < 0.5


async def test_shots_of_one_moment_may_be_less_alike_if_their_times_are_known(
    gallery: Gallery,
) -> None:
    seconds = (0, 20, 4000)
    first, second, late = [
        await gallery.add(
            scene(seed),
            vector=vector,
            taken=NOON + timedelta(seconds=after),
        )
        for seed, after, vector in zip(
            range(3), seconds, (axis(0), tilted(0, 0.91, 1), tilted(0, 0.99, 2)), strict=True
        )
    ]
    await gallery.compare()
    (found,) = await gallery.sets()
    assert (found.verdict, set(members(found))) == (BURST, {first, second})
    assert found.others[0].evidence.seconds_apart == 20
    apart = await _pair(gallery, first, late)
    assert (apart.verdict, apart.evidence.seconds_apart) == (DIFFERENT, 4000)


async def test_the_keeper_was_posted_or_is_the_largest_best_or_oldest(gallery: Gallery) -> None:
    reasons = duplicate_pb2.DuplicateSet.Reason
    picture, clock = scene(1), NOON

    async def keeper(
        *told: dict[str, Any], uses: Sequence[tuple[int, str]] = ()
    ) -> tuple[int, str]:
        nonlocal picture
        picture = scene(picture.width + gallery_count[0])
        gallery_count[0] += 1
        names = [
            await gallery.add(picture, time=clock + timedelta(minutes=n), **each)
            for n, each in enumerate(told)
        ]
        for place, state in uses:
            (error,) = await gallery.desk.errors(used(names[place], state))
            assert error is None
        await gallery.compare()
        (found,) = [s for s in await gallery.sets() if set(members(s)) == set(names)]
        return names.index(found.keeper.photo), reasons.Name(found.keeper_reason)

    gallery_count = [1]
    large, small = {"size": (2000, 1500)}, {"size": (640, 480)}
    assert await keeper(small, large) == (1, "REASON_PIXELS")
    assert await keeper(large, small, uses=[(1, "POSTED")]) == (1, "REASON_POSTED")
    again = [(1, "POSTED"), (1, "SCHEDULED"), (0, "SCHEDULED")]
    assert await keeper(large, small, uses=again) == (1, "REASON_POSTED")
    assert await keeper(large, small, uses=[(1, "SCHEDULED")]) == (1, "REASON_SCHEDULED")
    assert await keeper(small, small | {"quality": 0.9}) == (1, "REASON_QUALITY")
    assert await keeper(small, small) == (0, "REASON_OLDEST")


async def test_nothing_is_grouped_over_small_steps(gallery: Gallery) -> None:
    # Each of these overlaps its neighbours by nearly all, and the ends by a third.
    wide = scene(1, (1200, 400))
    photos = [
        await gallery.add(wide.crop((x, 0, x + 600, 400)), vector=axis(0), size=(600 - x, 400))
        for x in range(0, 401, 100)
    ]
    await gallery.compare()
    sets = [s for s in await gallery.sets() if s.verdict == DUPLICATE]
    assert sets
    for found in sets:
        for other in found.others:
            pair = await _pair(gallery, found.keeper.photo, other.photo)
            assert pair.verdict == DUPLICATE
    assert not any({photos[0], photos[4]} <= set(members(found)) for found in sets)


async def test_a_preview_counts_what_the_list_then_gives(gallery: Gallery) -> None:
    for seed in range(3):
        picture = scene(seed)
        vector = gallery.lonely()
        await gallery.add(picture, vector=vector)
        await gallery.add(_half(picture), vector=vector)
        await gallery.add(_written(picture), vector=vector)
        cut = picture.crop((0, 0, 310 + 25 * seed, 250))
        await gallery.add(cut, vector=vector)
        await gallery.add(scene(100 + seed), vector=vector)
    await gallery.compare()
    seen = set()
    settings: list[dict[str, Any]] = [
        {},
        {"min_structure": 0.5, "min_overlap": 0.2},
        {"min_structure": 1.0, "max_distance": 0},
        {"min_agreement": 1.0, "min_overlap": 0.9},
        {"min_cosine": 0.0, "min_agreement": 0.0},
        {"max_colour": 0.0, "burst_seconds": 1.0, "min_cosine": 1.0},
    ]
    for thresholds in settings:
        chosen = duplicate_pb2.DuplicateThresholds(**thresholds)
        sets = await gallery.sets(thresholds=chosen)
        counted = {
            verdict: (
                sum(s.verdict == verdict for s in sets),
                sum(len(s.others) for s in sets if s.verdict == verdict),
            )
            for verdict in (DUPLICATE, VARIANT, BURST)
        }
        assert await gallery.preview(chosen) == counted
        seen.add(tuple(counted.values()))
        for verdict in counted:
            only = await gallery.sets(thresholds=chosen, verdicts=[verdict])
            assert only == [s for s in sets if s.verdict == verdict]
    assert len(seen) >= 4  # the thresholds do something


async def test_what_was_reviewed_never_comes_back(
    gallery: Gallery, store: PostgresStore, index: QdrantIndex, database: Database
) -> None:
    picture = scene(1)
    first = await gallery.add(picture, vector=axis(0))
    second = await gallery.add(_half(picture), vector=axis(0))
    third = await gallery.add(scene(2), vector=axis(5))
    fourth = await gallery.add(_half(scene(2)), vector=axis(5))
    await gallery.compare()
    assert len(await gallery.sets()) == 2
    await gallery.review(second, first, DIFFERENT)
    await gallery.review(third, fourth, DUPLICATE)
    assert await gallery.sets() == []

    async def still_reviewed() -> None:
        await gallery.compare()
        assert await gallery.sets() == []
        (kept,) = await gallery.sets(include_reviewed=True)
        assert set(members(kept)) == {third, fourth}
        assert kept.others[0].decision == DUPLICATE

    # Compared anew, and after all that is known by comparing was lost.
    await change(database, "UPDATE pictures SET compared = false")
    await still_reviewed()
    await change(database, "DELETE FROM duplicate_pairs")
    await change(database, "DELETE FROM pictures")
    await still_reviewed()
    # Embedded by another model.
    other = replace(COLLECTION, name="photos-next-r9-f9", model="models/next", revision="r9")
    gallery.embedder.others[other.model] = other
    await change(database, "UPDATE collections SET state = 'retired'")
    await _activate(store, other)
    async with store.read() as tx:
        items = await tx.items.many([first, second, third, fourth])
    assert await embed_items(store, index, gallery.embedder, other, [*items.values()]) == {}
    assert len(await rows(database, "SELECT * FROM near_pairs WHERE collection = :n", n=other.name))
    await still_reviewed()


async def test_what_only_a_new_model_brings_near_is_compared_after_the_switch(
    gallery: Gallery, queue: MemoryQueue, store: PostgresStore, database: Database
) -> None:
    photos = [await gallery.add(scene(seed)) for seed in (1, 2)]
    copies = [await gallery.add(scene(3)), await gallery.add(_half(scene(3)))]
    await gallery.compare()
    looked = "SELECT first, second FROM duplicate_pairs WHERE structure IS NOT NULL"
    (before,) = await rows(database, looked)
    seen = dict.fromkeys(photos, axis(0)) | dict.fromkeys(copies, axis(1))

    async def uncompared() -> set[str]:
        async with store.read() as tx:
            return {picture.item for picture in await tx.pictures.uncompared(10)}

    async with served(gallery.desk, queue) as (models, _):
        shorter = zip(seen, shortened([*seen.values()]), strict=True)
        made = await models.filled(dict(shorter))
        assert await uncompared() == set(), "nobody uses it yet"
        await models.activate(made)
        await models.tell(made)
    assert await uncompared() == set(photos), "the others were laid over each other before"
    await gallery.compare()
    pairs = {tuple(pair) for pair in await rows(database, looked)}
    assert pairs == {tuple(before), tuple(sorted(photos))}


async def _activate(store: PostgresStore, collection: Any) -> None:
    async with store.begin() as tx:
        assert await tx.generations.add(uuid7(), collection, GenerationState.ACTIVE, 2)
        await enrol_all(tx, collection)
        await tx.commit()


async def test_a_decision_can_be_changed_listed_and_taken_back(gallery: Gallery) -> None:
    picture = scene(1)
    first, second = await gallery.add(picture), await gallery.add(_half(picture))
    await gallery.compare()
    one = (await gallery.review(first, second, DIFFERENT)).duplicate_reviews[0]
    two = (await gallery.review(second, first, VARIANT)).duplicate_reviews[0]
    assert one.name == two.name
    assert (two.first, two.second) == tuple(sorted((first, second)))
    listed = await gallery.stub.ListDuplicateReviews(
        api.ListDuplicateReviewsRequest(parent=gallery.scope)
    )
    assert [(r.name, r.decision) for r in listed.duplicate_reviews] == [(one.name, VARIANT)]
    assert (await _pair(gallery, first, second)).decision == VARIANT
    (shown,) = await gallery.sets(include_reviewed=True)
    assert shown.verdict == VARIANT
    got = await gallery.stub.GetDuplicateSet(api.GetDuplicateSetRequest(name=shown.name))
    assert got == shown
    await gallery.stub.DeleteDuplicateReview(api.DeleteDuplicateReviewRequest(name=one.name))
    with pytest.raises(NotFound):
        await gallery.stub.DeleteDuplicateReview(api.DeleteDuplicateReviewRequest(name=one.name))
    (again,) = await gallery.sets()
    assert (again.verdict, again.others[0].decision) == (DUPLICATE, OPEN)


async def test_reviews_are_listed_page_by_page(gallery: Gallery) -> None:
    photos = [await gallery.add(scene(seed)) for seed in range(4)]
    for other in photos[1:]:
        await gallery.review(photos[0], other, DIFFERENT)
        gallery.desk.clock.advance(1)
    names, token = [], ""
    while True:
        page = await gallery.stub.ListDuplicateReviews(
            api.ListDuplicateReviewsRequest(parent=gallery.scope, page_size=2, page_token=token)
        )
        names += [{review.first, review.second} for review in page.duplicate_reviews]
        token = page.next_page_token
        if not token:
            break
    assert names == [{photos[0], other} for other in photos[1:]]


async def test_a_repeated_request_has_its_effect_once(gallery: Gallery) -> None:
    first, second = await gallery.add(scene(1)), await gallery.add(scene(2))
    request_id = uuid7()
    once = await gallery.review(first, second, DUPLICATE, request_id)
    assert await gallery.review(first, second, DUPLICATE, request_id) == once
    with pytest.raises(AlreadyExists):
        await gallery.review(first, second, DIFFERENT, request_id)


async def test_the_verdicts_are_measured_by_the_reviews(gallery: Gallery) -> None:
    for seed in range(10):
        picture = scene(seed)
        one, other = await gallery.add(picture), await gallery.add(_half(picture))
        await gallery.review(one, other, DUPLICATE)
        strange = await gallery.add(scene(100 + seed))
        await gallery.review(one, strange, DIFFERENT)
    # A pair that only a person takes for copies.
    photos = [await gallery.add(scene(seed)) for seed in (500, 501)]
    await gallery.review(photos[0], photos[1], DUPLICATE)
    await gallery.compare()
    request = api.EvaluateDuplicatesRequest(parent=gallery.scope)
    found = await gallery.stub.EvaluateDuplicates(request)
    assert (found.pairs, found.found, found.missed, found.wrong) == (21, 10, 1, 0)
    assert found.precision == 1.0
    assert found.recall == pytest.approx(10 / 11)
    assert {(o.decision, o.verdict): o.count for o in found.outcomes} == {
        (DUPLICATE, DUPLICATE): 10,
        (DUPLICATE, DIFFERENT): 1,
        (DIFFERENT, DIFFERENT): 10,
    }
    assert 0.9 < found.suggested_min_structure <= 1.0
    request.thresholds.min_structure = found.suggested_min_structure
    again = await gallery.stub.EvaluateDuplicates(request)
    assert (again.precision, again.recall) == (1.0, found.recall)
    empty = await gallery.stub.EvaluateDuplicates(api.EvaluateDuplicatesRequest(parent=new_scope()))
    assert empty.pairs == 0
    assert not empty.HasField("precision")


async def test_personas_do_not_see_each_other(gallery: Gallery) -> None:
    picture, elsewhere = scene(1), new_scope()
    ours = await gallery.add(picture, vector=axis(0))
    theirs = [
        await gallery.add(each, vector=axis(0), scope=elsewhere)
        for each in (picture, _half(picture))
    ]
    await gallery.compare()
    assert await gallery.sets() == []
    (found,) = await gallery.sets(elsewhere)
    assert set(members(found)) == set(theirs)
    with pytest.raises(NotFound):
        await gallery.review(ours, theirs[0], DUPLICATE)
    stranger = f"{gallery.scope}/photos/{theirs[0].rpartition('/')[2]}"
    with pytest.raises(NotFound):
        await _pair(gallery, ours, stranger)
    with pytest.raises(NotFound):
        await gallery.stub.GetDuplicateSet(
            api.GetDuplicateSetRequest(name=found.name.replace(elsewhere, gallery.scope))
        )


async def test_what_is_deleted_or_archived_vanishes(gallery: Gallery, database: Database) -> None:
    picture = scene(1)
    photos = [await gallery.add(each) for each in (picture, _half(picture), picture)]
    await gallery.compare()
    await gallery.review(photos[0], photos[1], VARIANT)
    (error,) = await gallery.desk.errors(
        updated(photos[2], archived=True, time=NOON + timedelta(hours=1))
    )
    assert error is None
    assert await gallery.sets() == []
    (error,) = await gallery.desk.errors(
        updated(photos[2], archived=False, time=NOON + timedelta(hours=2))
    )
    assert error is None
    (found,) = await gallery.sets()
    assert photos[2] in members(found)
    (error,) = await gallery.desk.errors(deleted(photos[0]))
    assert error is None
    (left,) = await gallery.sets()
    assert set(members(left)) == set(photos[1:])
    for table, columns in {
        "pictures": ["item"],
        "picture_bands": ["item"],
        "duplicate_pairs": ["first", "second"],
        "duplicate_reviews": ["first", "second"],
    }.items():
        for column in columns:
            query = f"SELECT * FROM {table} WHERE {column} = :name"
            assert not await rows(database, query, name=photos[0])


async def test_photos_of_before_are_hashed_in_batches(
    gallery: Gallery, store: PostgresStore
) -> None:
    pictures = [scene(seed, (160, 120)) for seed in range(20)]
    old = [await gallery.add(picture, hashed=False) for picture in pictures]
    lost = await gallery.add(scene(99), hashed=False)
    await gallery.blobs.delete(key_of(lost))
    later = timedelta(days=-1000)
    clock = gallery.desk.clock
    assert await hash_missing(store, gallery.eyes, clock, older=later, batches=1)
    async with store.read() as tx:
        some = await tx.pictures.of([*old, lost])
    assert 0 < len(some) < len(old)
    new = await gallery.add(_half(pictures[7]).resize((120, 90)))
    await gallery.compare()
    async with store.read() as tx:
        every = await tx.pictures.of([*old, lost])
        assert not await tx.pictures.uncompared(1)
    assert every.keys() == {*old, lost}
    assert every[lost].bits == b""
    (found,) = await gallery.sets()
    assert set(members(found)) == {old[7], new}


async def test_photos_still_to_be_compared_are_counted(gallery: Gallery) -> None:
    await gallery.add(scene(1))
    await gallery.add(scene(1))
    request = api.ListDuplicateSetsRequest(parent=gallery.scope)
    assert (await gallery.stub.ListDuplicateSets(request)).waiting_count == 2
    await gallery.compare()
    assert (await gallery.stub.ListDuplicateSets(request)).waiting_count == 0


async def test_pictures_without_detail_are_no_copies_of_each_other(gallery: Gallery) -> None:
    for colour in ("red", "white", "black", "red"):
        await gallery.add(Image.new("RGB", (400, 300), colour))
    await gallery.compare()
    assert await gallery.sets() == []


async def test_a_picture_that_cannot_be_read_keeps_its_vector(
    gallery: Gallery, blobs: ObjectBlobs
) -> None:
    one = await gallery.add(scene(1), vector=axis(0))
    other = await gallery.add(scene(2), vector=axis(0))
    await blobs.put(key_of(other), b"not a picture")
    await gallery.compare()
    (found,) = await gallery.sets()
    assert (found.verdict, set(members(found))) == (BURST, {one, other})
    assert not found.others[0].evidence.compared


async def test_bad_requests_name_what_is_wrong(gallery: Gallery) -> None:
    photo = await gallery.add(scene(1))
    with pytest.raises(InvalidArgument, match="second"):
        await gallery.review(photo, photo, DUPLICATE)
    with pytest.raises(InvalidArgument):
        await gallery.review(photo, photo_in(gallery.scope), OPEN)
    with pytest.raises(NotFound):
        await gallery.review(photo, photo_in(gallery.scope), DUPLICATE)
    with pytest.raises(InvalidArgument):
        await gallery.sets(thresholds=duplicate_pb2.DuplicateThresholds(min_structure=2.0))
    with pytest.raises(InvalidArgument):
        await gallery.sets(verdicts=[DIFFERENT])
    token = (
        await gallery.stub.ListDuplicateSets(api.ListDuplicateSetsRequest(parent=gallery.scope))
    ).next_page_token
    assert token == ""
