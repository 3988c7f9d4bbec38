"""What is known of an item besides its picture: what searches filter by and look for words in."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.vectors.index import Payload

_WORD = re.compile(r"[^\W_]+")
# A text for searching may be long; more words than these make no better query.
_MOST_WORDS = 12


class Usage(StrEnum):
    """How posts use an item."""

    UNUSED = "unused"
    SCHEDULED = "scheduled"
    POSTED = "posted"


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What has to be true of items; what is empty or None may be anything.

    ``from_time`` <= creation < ``to_time``; items of unknown quality are below any
    ``min_quality``.
    """

    pillars: tuple[str, ...] = ()
    all_tags: tuple[str, ...] = ()
    any_tags: tuple[str, ...] = ()
    usages: tuple[Usage, ...] = ()
    from_time: datetime | None = None
    to_time: datetime | None = None
    min_quality: float | None = None
    include_archived: bool = False


def usage_of_post(state: str, *, posted: bool) -> Usage:
    """How one post uses its photo, by the post's state as events tell it; ``posted``: it went
    out."""
    if state == "CANCELLED":
        return Usage.UNUSED
    out = state == "POSTED" or (state == "FAILED" and posted)
    return Usage.POSTED if out else Usage.SCHEDULED


def usage_of(usages: Iterable[Usage]) -> Usage:
    """How all posts together use an item."""
    found = set(usages)
    return next((u for u in (Usage.SCHEDULED, Usage.POSTED) if u in found), Usage.UNUSED)


def prose_of(words: Sequence[str]) -> str:
    """What is written about an item, as one text to look for words in."""
    return " ".join(
        word for text in words for word in _WORD.findall(text.partition(":")[2].lower())
    )


def query_words(text: str) -> tuple[str, ...]:
    """The words to look for, each once, in the order of the text."""
    return tuple(dict.fromkeys(_WORD.findall(text.lower())))[:_MOST_WORDS]


def payload_of(
    scope: str,
    pillar: str,
    tags: Sequence[str],
    usage: Usage,
    created: datetime,
    *,
    archived: bool,
    quality: float | None,
) -> Payload:
    """What the index keeps beside a vector, for filtering without losing any."""
    payload: dict[str, str | int | float | list[str]] = {
        "scope": scope,
        "pillar": pillar,
        "tags": list(tags),
        "usage": usage.value,
        "archived": "yes" if archived else "no",
        "created": created.timestamp(),
    }
    return payload if quality is None else payload | {"quality": quality}
