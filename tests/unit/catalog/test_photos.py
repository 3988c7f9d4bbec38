"""Rules of photos that need no database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.catalog.domain.blobs import digest_in, original_key, publish_key, thumbnail_key
from services.catalog.domain.measures import Measure
from services.catalog.domain.photo import (
    Photo,
    PhotoPost,
    Picture,
    PostUse,
    Rights,
    Usage,
    check_rights,
    check_unneeded,
    usage_of,
    without_repeats,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(days=3)
PICTURE = Picture("ab" * 32, "image/png", 10, 4, 3, "cd" * 32)
PHOTO = Photo("nora", "1", "coffee", PICTURE, NOW, NOW, "1")


@pytest.mark.parametrize(
    ("uses", "usage", "posted"),
    [
        ([], Usage.UNUSED, None),
        ([PostUse("CANCELLED")], Usage.UNUSED, None),
        ([PostUse("CANCELLED"), PostUse("READY")], Usage.SCHEDULED, None),
        ([PostUse("POSTED", EARLIER)], Usage.POSTED, EARLIER),
        ([PostUse("POSTED", EARLIER), PostUse("POSTED", NOW)], Usage.POSTED, NOW),
        ([PostUse("POSTED", NOW), PostUse("SCHEDULED")], Usage.SCHEDULED, NOW),
        ([PostUse("FAILED")], Usage.SCHEDULED, None),
        ([PostUse("FAILED", NOW)], Usage.POSTED, NOW),
    ],
)
def test_usage_is_what_all_posts_make_of_it(
    uses: list[PostUse], usage: Usage, posted: datetime | None
) -> None:
    assert usage_of(uses) == (usage, posted)
    assert usage_of(uses[::-1]) == (usage, posted)


def test_scheduled_photos_cannot_be_deleted() -> None:
    check_unneeded(PHOTO)
    check_unneeded(replace(PHOTO, usage=Usage.POSTED))
    with pytest.raises(FailedPrecondition) as raised:
        check_unneeded(replace(PHOTO, usage=Usage.SCHEDULED))
    assert raised.value.reason == "PHOTO_IN_USE"


def test_the_posts_that_keep_a_photo_are_named() -> None:
    posts = (
        PhotoPost("personas/nora/posts/3", "SCHEDULED"),
        PhotoPost("personas/nora/posts/2", "POSTED", EARLIER),
        PhotoPost("personas/nora/posts/1", "CANCELLED"),
        PhotoPost("personas/nora/posts/0", "FAILED"),
    )
    with pytest.raises(FailedPrecondition) as raised:
        check_unneeded(replace(PHOTO, usage=Usage.SCHEDULED, posts=posts))
    waiting = ["personas/nora/posts/3", "personas/nora/posts/0"]
    assert raised.value.metadata == {"photo": PHOTO.name, "posts": ",".join(waiting)}
    assert ", ".join(waiting) in raised.value.message


def test_rights_must_leave_some_time() -> None:
    check_rights(Rights(embargo_time=EARLIER, expire_time=NOW))
    check_rights(Rights(expire_time=EARLIER))
    with pytest.raises(InvalidArgument):
        check_rights(Rights(embargo_time=NOW, expire_time=NOW))


def test_tags_keep_their_order() -> None:
    assert without_repeats(["b", "a", "b", "c", "a"]) == ("b", "a", "c")


def test_quality_is_the_mean_of_what_was_measured() -> None:
    measures = (Measure("sharpness", 0.2), Measure("exposure", 0.6))
    assert replace(PICTURE, measures=measures).quality == pytest.approx(0.4)
    assert PICTURE.quality is None


def test_keys_are_made_of_the_content() -> None:
    assert original_key(PICTURE) == f"originals/ab/ab/{PICTURE.sha256}.png"
    assert thumbnail_key(PICTURE) == f"thumbnails/cd/cd/{PICTURE.thumbnail_sha256}.jpg"
    assert publish_key(PICTURE) == f"publish/ab/ab/{PICTURE.sha256}.jpg"
    assert digest_in(original_key(PICTURE)) == digest_in(publish_key(PICTURE)) == PICTURE.sha256
