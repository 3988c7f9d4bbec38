"""What photos are copies of is told to whoever wants to know, all of it each time."""

from typing import Any

from colonnade.clustering.v1 import duplicate_pb2
from colonnade.clustering.v1 import duplicate_service_pb2 as api
from PIL import Image, ImageDraw

from libs.db.engine import Database
from tests.support.clustering.gallery import Gallery
from tests.support.clustering.photos import axis, deleted, tilted
from tests.support.clustering.tables import told
from tests.support.scenes import scene


def edited(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).rectangle((0, 225, 400, 281), fill="#808080")
    return image


def smaller(image: Image.Image) -> Image.Image:
    return image.resize((360, 270), Image.Resampling.BICUBIC)


async def lists(database: Database) -> list[Any]:
    return await told(database, "photo.copies_found")


async def latest(database: Database) -> dict[str, dict[str, str]]:
    """The last list of each photo; each has a higher version than the one before."""
    found: dict[str, dict[str, str]] = {}
    versions: dict[str, int] = {}
    for message in await lists(database):
        assert message.version > versions.get(message.photo, 0)
        versions[message.photo] = message.version
        found[message.photo] = {copy.photo: copy.verdict for copy in message.copies}
    return found


async def test_copies_and_edits_are_told_and_shots_of_one_moment_are_not(
    gallery: Gallery, database: Database
) -> None:
    original = await gallery.add(scene(1), vector=axis(0))
    small = await gallery.add(smaller(scene(1)), vector=axis(0))
    edit = await gallery.add(edited(scene(1)), vector=axis(0))
    await gallery.add(smaller(scene(3)), vector=tilted(0, 0.96, 1))
    await gallery.add(scene(2))
    await gallery.compare()
    assert await latest(database) == {
        original: {small: "DUPLICATE", edit: "VARIANT"},
        small: {original: "DUPLICATE", edit: "VARIANT"},
        edit: {original: "VARIANT", small: "VARIANT"},
    }


async def test_a_copy_that_comes_later_is_told_of_both(
    gallery: Gallery, database: Database
) -> None:
    original = await gallery.add(scene(1))
    await gallery.compare()
    assert await lists(database) == [], "there is nothing to tell"
    small = await gallery.add(smaller(scene(1)))
    await gallery.compare()
    assert await latest(database) == {
        original: {small: "DUPLICATE"},
        small: {original: "DUPLICATE"},
    }
    count = len(await lists(database))
    await gallery.compare()
    assert len(await lists(database)) == count, "nothing was compared"


async def test_what_people_decide_is_told_and_taken_back(
    gallery: Gallery, database: Database
) -> None:
    original = await gallery.add(scene(1))
    small = await gallery.add(smaller(scene(1)))
    other = await gallery.add(scene(2))
    await gallery.compare()
    different = duplicate_pb2.DUPLICATE_VERDICT_DIFFERENT
    answer = await gallery.review(original, small, different)
    assert await latest(database) == {original: {}, small: {}}
    await gallery.compare()
    assert await latest(database) == {original: {}, small: {}}, "people stand above it"
    await gallery.review(original, other, duplicate_pb2.DUPLICATE_VERDICT_VARIANT)
    assert (await latest(database))[other] == {original: "VARIANT"}

    [review] = answer.duplicate_reviews
    await gallery.stub.DeleteDuplicateReview(api.DeleteDuplicateReviewRequest(name=review.name))
    assert await latest(database) == {
        original: {small: "DUPLICATE", other: "VARIANT"},
        small: {original: "DUPLICATE"},
        other: {original: "VARIANT"},
    }


async def test_a_photo_that_is_gone_is_in_no_later_list(
    gallery: Gallery, database: Database
) -> None:
    original = await gallery.add(scene(1))
    small = await gallery.add(smaller(scene(1)))
    await gallery.compare()
    (error,) = await gallery.desk.errors(deleted(original))
    assert error is None
    again = await gallery.add(scene(1).resize((300, 225)))
    await gallery.compare()
    found = await latest(database)
    assert found[small] == {again: "DUPLICATE"}
    assert found[again] == {small: "DUPLICATE"}
