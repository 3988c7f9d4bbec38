"""Posts as Bluesky keeps them: records under a key that we choose."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from services.scheduler.domain.publication import to_milliseconds
from services.scheduler.providers.base import PublishRequest

COLLECTION: Final = "app.bsky.feed.post"
_ALPHABET: Final = "234567abcdefghijklmnopqrstuvwxyz"
_KEY_LENGTH: Final = 13
_LINK: Final = re.compile(r"https?://\S+")
_TAG: Final = re.compile(r"(?<!\S)#([^\s#]+)")
_ENDS_SENTENCE: Final = ".,;:!?'\")]}…"
_MAX_TAG: Final = 64


def record_key(request: PublishRequest) -> str:
    """The key of the post: the same for all attempts, and in the order of time.

    53 bits of microseconds, then 10 bits of the publication's key, so that posts of one moment
    differ.
    """
    microseconds = int(request.first_due_at.timestamp() * 1_000_000)
    digest = int.from_bytes(hashlib.sha256(request.key.encode()).digest()[:4], "big")
    # The time that we are given ends with a millisecond: what is below tells posts apart, too.
    spread = microseconds // 1000 * 1000 + (digest >> 10) % 1000
    number = (spread << 10) | (digest & 0x3FF)
    return "".join(
        _ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(_KEY_LENGTH))
    )


def created_at(request: PublishRequest) -> str:
    """The time that the post shows: the same for all attempts."""
    at = to_milliseconds(request.first_due_at).astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_of(request: PublishRequest, images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a post with pictures that were uploaded."""
    record: dict[str, Any] = {
        "$type": COLLECTION,
        "text": request.text,
        "createdAt": created_at(request),
    }
    if found := list(facets(request.text)):
        record["facets"] = found
    if images:
        record["embed"] = {"$type": "app.bsky.embed.images", "images": list(images)}
    return record


def facets(text: str) -> Iterator[dict[str, Any]]:
    """What makes the links and hashtags of ``text`` work; positions are bytes of its UTF-8."""
    for found in _LINK.finditer(text):
        link = found.group().rstrip(_ENDS_SENTENCE)
        feature = {"$type": "app.bsky.richtext.facet#link", "uri": link}
        yield _facet(text, found.start(), found.start() + len(link), feature)
    for found in _TAG.finditer(text):
        tag = found.group(1).rstrip(_ENDS_SENTENCE)
        if tag and not tag.isdigit() and len(tag) <= _MAX_TAG:
            feature = {"$type": "app.bsky.richtext.facet#tag", "tag": tag}
            yield _facet(text, found.start(), found.start() + 1 + len(tag), feature)


def _facet(text: str, start: int, end: int, feature: Mapping[str, str]) -> dict[str, Any]:
    index = {"byteStart": len(text[:start].encode()), "byteEnd": len(text[:end].encode())}
    return {"index": index, "features": [feature]}


def moment(value: str) -> datetime:
    """A time of a record. Raises ValueError."""
    at = datetime.fromisoformat(value)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
