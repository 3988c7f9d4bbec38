from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.scheduler.providers.base import Image, PublishRequest
from services.scheduler.providers.limits import check, graphemes, links_as_23

GOOD = Image("https://m.example/1.jpg", "a cat", "image/jpeg", 100_000, 1080, 1080)
REQUEST = PublishRequest("A caption", datetime(2026, 12, 1, tzinfo=UTC), (GOOD,))


def codes(service: str, request: PublishRequest) -> list[str]:
    return [problem.code for problem in check(service, request)]


def with_image(**fields: object) -> PublishRequest:
    return replace(REQUEST, images=(replace(GOOD, **fields),))  # type: ignore[arg-type]


@pytest.mark.parametrize("service", ["instagram", "mastodon", "bluesky", "linkedin"])
def test_a_common_post_fits_everywhere(service: str) -> None:
    assert check(service, REQUEST) == []


@pytest.mark.parametrize(
    ("width", "height", "fits"),
    [
        (1200, 628, False),
        (1146, 600, True),
        (1147, 600, False),
        (800, 1000, True),
        (799, 1000, False),
        (256, 256, True),
        (2048, 2048, True),
    ],
)
def test_instagram_sizes_and_ratios_are_exact(width: int, height: int, fits: bool) -> None:
    assert (codes("instagram", with_image(width=width, height=height)) == []) is fits


@pytest.mark.parametrize(
    ("service", "fields", "code"),
    [
        ("instagram", {"content_type": "image/png"}, "PHOTO_FORMAT"),
        ("instagram", {"size_bytes": 8_000_001}, "PHOTO_TOO_LARGE"),
        ("instagram", {"width": 500, "height": 1000}, "PHOTO_RATIO"),
        ("mastodon", {"width": 8000, "height": 8000}, "PHOTO_TOO_MANY_PIXELS"),
        ("bluesky", {"size_bytes": 1_000_000}, "PHOTO_TOO_LARGE"),
        ("bluesky", {"alt_text": " "}, "ALT_TEXT_MISSING"),
        ("linkedin", {"size_bytes": 10_000_001}, "PHOTO_TOO_LARGE"),
    ],
)
def test_photos_that_are_refused(service: str, fields: dict[str, object], code: str) -> None:
    problems = check(service, with_image(**fields))
    assert [(p.code, p.field) for p in problems] == [(code, "post.photo")]
    assert "photo 1" in problems[0].message


@pytest.mark.parametrize(
    ("service", "text", "code"),
    [
        ("instagram", "x" * 2201, "TEXT_TOO_LONG"),
        ("instagram", "#a " * 31, "TOO_MANY_HASHTAGS"),
        ("instagram", "@a " * 21, "TOO_MANY_MENTIONS"),
        ("mastodon", "x" * 501, "TEXT_TOO_LONG"),
        ("bluesky", "x" * 301, "TEXT_TOO_LONG"),
    ],
)
def test_texts_that_are_refused(service: str, text: str, code: str) -> None:
    assert codes(service, replace(REQUEST, text=text)) == [code]


def test_an_address_is_not_a_mention() -> None:
    assert codes("instagram", replace(REQUEST, text="me@example.com " * 21)) == []


def test_counts_of_photos() -> None:
    assert codes("instagram", replace(REQUEST, images=())) == ["PHOTO_MISSING"]
    assert codes("instagram", replace(REQUEST, images=(GOOD,) * 11)) == ["TOO_MANY_PHOTOS"]
    assert codes("mastodon", replace(REQUEST, images=(GOOD,) * 5)) == ["TOO_MANY_PHOTOS"]
    assert codes("mastodon", replace(REQUEST, text="", images=())) == ["EMPTY"]


def test_a_link_counts_23_on_mastodon() -> None:
    assert links_as_23("see https://example.com/" + "x" * 500) == 4 + 23


def test_joined_characters_count_once_on_bluesky() -> None:
    assert graphemes("Cafe\u0301") == 4
    assert graphemes("👩\u200d👩\u200d👧") == 1
    assert graphemes("👍🏽") == 1
