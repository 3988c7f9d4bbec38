"""What the networks behind a provider take, for photos. Checked before anything is sent."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from services.scheduler.providers.base import Image, Problem, PublishRequest

_URL: Final = re.compile(r"https?://\S+")
_URL_LENGTH: Final = 23
_MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one network. Ratios are width : height as integers, so that the test is exact."""

    content_types: frozenset[str]
    max_bytes: int
    max_images: int
    max_text: int | None = None
    max_text_bytes: int | None = None
    min_images: int = 0
    max_pixels: int | None = None
    min_ratio: tuple[int, int] | None = None
    max_ratio: tuple[int, int] | None = None
    max_hashtags: int | None = None
    max_mentions: int | None = None
    needs_alt_text: bool = False
    length: Callable[[str], int] = field(default=len)


def links_as_23(text: str) -> int:
    """Mastodon's length: every link counts as 23 characters."""
    return len(_URL.sub("x" * _URL_LENGTH, text))


def graphemes(text: str) -> int:
    """About the number of characters as people see them: marks and joined emoji count once."""
    joined = re.sub("\u200d.", "", unicodedata.normalize("NFC", text))
    return sum(1 for char in joined if not _is_attached(char))


def _is_attached(char: str) -> bool:
    is_skin_tone = "\U0001f3fb" <= char <= "\U0001f3ff"
    return unicodedata.category(char) in {"Mn", "Me"} or is_skin_tone


_ANY = frozenset({"image/jpeg", "image/png", "image/gif"})
_FALLBACK: Final = Limits(content_types=_ANY, max_bytes=10 * _MB, max_images=4)

NONE_TOLD: Final[Mapping[str, int]] = {}

LIMITS: Final[dict[str, Limits]] = {
    "instagram": Limits(
        content_types=frozenset({"image/jpeg"}),
        max_bytes=8 * _MB,
        min_images=1,
        max_images=10,
        max_text=2200,
        # Its widths, 320 to 1440 pixels, are no limits: it scales what is outside of them.
        min_ratio=(4, 5),
        max_ratio=(191, 100),
        max_hashtags=30,
        max_mentions=20,
    ),
    "mastodon": Limits(
        content_types=_ANY | {"image/webp"},
        max_bytes=16 * _MB,
        max_images=4,
        max_text=500,
        max_pixels=33_200_000,
        length=links_as_23,
    ),
    "bluesky": Limits(
        content_types=_ANY,
        max_bytes=976 * 1024,
        max_images=4,
        max_text=300,
        max_text_bytes=3000,
        needs_alt_text=True,
        length=graphemes,
    ),
}


def check(
    service: str, request: PublishRequest, told: Mapping[str, int] = NONE_TOLD
) -> list[Problem]:
    """What the network ``service`` would refuse in ``request``.

    ``told`` are limits that the provider itself told, by their names here.
    """
    limits = _as_told(LIMITS.get(service, _FALLBACK), told)
    problems = [*_text_problems(limits, request.text), *_count_problems(limits, request)]
    for position, image in enumerate(request.images, start=1):
        problems += _image_problems(limits, image, position)
    return problems


def _as_told(limits: Limits, told: Mapping[str, int]) -> Limits:
    return replace(
        limits,
        max_text=told.get("max_text", limits.max_text),
        max_images=told.get("max_images", limits.max_images),
        max_bytes=told.get("max_bytes", limits.max_bytes),
        max_pixels=told.get("max_pixels", limits.max_pixels),
    )


def _text_problems(limits: Limits, text: str) -> Iterator[Problem]:
    length = limits.length(text)
    if limits.max_text is not None and length > limits.max_text:
        message = f"{length} characters, at most {limits.max_text} are allowed; shorten it"
        yield _counted("TEXT_TOO_LONG", "post.caption", message, length, limits.max_text)
    size = len(text.encode())
    if limits.max_text_bytes is not None and size > limits.max_text_bytes:
        message = f"{size} bytes of text, at most {limits.max_text_bytes} are allowed; shorten it"
        yield _counted("TEXT_TOO_LONG", "post.caption", message, size, limits.max_text_bytes)
    hashtags = len(re.findall(r"#\w+", text))
    if limits.max_hashtags is not None and hashtags > limits.max_hashtags:
        message = f"{hashtags} hashtags, at most {limits.max_hashtags} are allowed; remove some"
        field = "post.hashtags"
        yield _counted("TOO_MANY_HASHTAGS", field, message, hashtags, limits.max_hashtags)
    mentions = len(re.findall(r"(?<!\w)@\w+", text))
    if limits.max_mentions is not None and mentions > limits.max_mentions:
        message = f"{mentions} mentions, at most {limits.max_mentions} are allowed; remove some"
        field = "post.caption"
        yield _counted("TOO_MANY_MENTIONS", field, message, mentions, limits.max_mentions)


def _count_problems(limits: Limits, request: PublishRequest) -> Iterator[Problem]:
    count = len(request.images)
    if count < limits.min_images:
        yield Problem("PHOTO_MISSING", "post.photo", "the network takes no post without a photo")
    if count > limits.max_images:
        message = f"{count} photos, at most {limits.max_images} are allowed; remove some"
        yield _counted("TOO_MANY_PHOTOS", "post.photo", message, count, limits.max_images)
    if not request.text and not count:
        yield Problem("EMPTY", "post.caption", "neither a text nor a photo; give one of them")


def _image_problems(limits: Limits, image: Image, position: int) -> Iterator[Problem]:
    where = f"photo {position}"
    if image.content_type not in limits.content_types:
        allowed = ", ".join(sorted(limits.content_types))
        message = f"{where} is {image.content_type}; convert it to {allowed}"
        yield _photo("PHOTO_FORMAT", message, image.content_type, allowed)
    if image.size_bytes > limits.max_bytes:
        message = f"{where} has {image.size_bytes} bytes, at most {limits.max_bytes} are allowed"
        yield _photo("PHOTO_TOO_LARGE", message, str(image.size_bytes), str(limits.max_bytes))
    pixels = image.width * image.height
    if limits.max_pixels is not None and pixels > limits.max_pixels:
        message = f"{where} has {pixels} pixels, at most {limits.max_pixels} are allowed"
        yield _photo("PHOTO_TOO_MANY_PIXELS", message, str(pixels), str(limits.max_pixels))
    if not _ratio_fits(limits, image):
        has = f"{image.width}x{image.height} ({image.width / image.height:.4f}:1)"
        allowed = f"{_ratio(limits.min_ratio)} to {_ratio(limits.max_ratio)}"
        message = f"{where} is {has}, width to height must be {allowed}; crop it"
        yield _photo("PHOTO_RATIO", message, has, allowed)
    if limits.needs_alt_text and not image.alt_text.strip():
        yield _photo("ALT_TEXT_MISSING", f"{where} needs a description", "", "")


def _counted(code: str, field: str, message: str, has: int, allowed: int) -> Problem:
    return Problem(code, field, message, str(has), str(allowed))


def _photo(code: str, message: str, has: str, allowed: str) -> Problem:
    return Problem(code, "post.photo", message, has, allowed)


def _ratio(limit: tuple[int, int] | None) -> str:
    return f"{limit[0] / limit[1]:g}:1" if limit else "any"


def _ratio_fits(limits: Limits, image: Image) -> bool:
    if limits.min_ratio and limits.min_ratio[1] * image.width < limits.min_ratio[0] * image.height:
        return False
    if limits.max_ratio is None:
        return True
    return limits.max_ratio[1] * image.width <= limits.max_ratio[0] * image.height
