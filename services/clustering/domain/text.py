"""Texts of any caller: what is taken in, what of it is embedded, and what sending it again does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from libs.errors import InvalidArgument
from services.clustering.domain.item import Item
from services.clustering.domain.reading import hash_of, text_to_embed
from services.clustering.domain.words import words_of

BODY_BYTES = 64 * 1024
MOST_METADATA = 50
# Of the body, for titles of clusters.
_TITLED_CHARACTERS = 400
_LENGTHS = {"external_id": 256, "title": 500, "url": 2000, "repository": 200}
_KEY_LENGTH = 64
_VALUE_LENGTH = 1000
_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_URL = re.compile(r"https?://[^\s]+")


class TextState(StrEnum):
    """Where a text stands."""

    PENDING = "pending"
    CLUSTERED = "clustered"
    UNCLUSTERED = "unclustered"
    QUARANTINED = "quarantined"
    CLOSED = "closed"


class Outcome(StrEnum):
    """What taking a text in did."""

    CREATED = "created"
    UPDATED = "updated"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Draft:
    """A text as a caller sends it. ``closed`` is None where the caller does not say."""

    source: str
    external_id: str = ""
    title: str = ""
    body: str = ""
    url: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""
    source_time: datetime | None = None
    closed: bool | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class StoredText:
    """A text as it is kept. ``truncated``: its body was longer than what is kept of it.

    ``state``, ``cluster_id`` (empty: in none) and the error of a quarantined one say where it
    stands.
    """

    name: str
    scope: str
    source: str
    external_id: str
    title: str
    body: str
    create_time: datetime
    update_time: datetime
    url: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""
    truncated: bool = False
    source_time: datetime | None = None
    state: TextState = TextState.PENDING
    cluster_id: str = ""
    error_reason: str = ""
    error_message: str = ""

    @property
    def closed(self) -> bool:
        """Whether it is closed at its source."""
        return self.state is TextState.CLOSED

    @property
    def text_hash(self) -> str:
        """The SHA-256 of what is embedded of it."""
        return hash_of(text_to_embed(self.title, self.body))

    @property
    def item(self) -> Item:
        """The item that stands for it: what is embedded, compared and grouped."""
        return Item(
            name=self.name,
            point_id=self.name.rpartition("/")[2],
            scope=self.scope,
            blob_key="",
            words=words_of("", (), (self.title, self.body[:_TITLED_CHARACTERS])),
            words_time=self.update_time,
            pixels=0,
            quality=None,
            create_time=self.create_time,
            described=True,
            prose=self.body,
        )


def scope_of(name: str) -> str:
    """The project of a text's name."""
    return name.partition("/items/")[0]


def checked(draft: Draft, where: str) -> Draft:
    """``draft`` as it can be kept: trimmed, a body of more than 64 KB cut and flagged.

    Raises InvalidArgument on a field below ``where``, such as ``item.source``.
    """
    title, body = _clean(draft.title).strip(), _clean(draft.body).strip()
    if not title and not body:
        raise InvalidArgument.of(f"{where}.title", "an item needs a title or a body")
    if not _SOURCE.fullmatch(draft.source):
        raise InvalidArgument.of(
            f"{where}.source",
            "1 to 40 lower-case letters, digits and hyphens, a letter first, such as github, "
            f"not {draft.source[:80]!r}",
        )
    trimmed = replace(draft, title=title, external_id=draft.external_id.strip())
    for name, most in _LENGTHS.items():
        value: str = getattr(trimmed, name)
        if len(value) > most or "\0" in value:
            raise InvalidArgument.of(f"{where}.{name}", f"at most {most} characters, no zero ones")
    if draft.url and not _URL.fullmatch(draft.url):
        raise InvalidArgument.of(f"{where}.url", "an address that begins with http:// or https://")
    _check_metadata(draft.metadata, f"{where}.metadata")
    kept = _cut(body)
    return replace(trimmed, body=kept, truncated=kept != body)


def created(scope: str, id: str, draft: Draft, now: datetime) -> StoredText:
    """A new text of a checked draft."""
    state = TextState.CLOSED if draft.closed else TextState.PENDING
    text = StoredText(
        name=f"{scope}/items/{id}",
        scope=scope,
        source=draft.source,
        external_id=draft.external_id,
        title=draft.title,
        body=draft.body,
        create_time=now,
        update_time=now,
        state=state,
    )
    return _written(text, draft)


def updated(before: StoredText, draft: Draft, now: datetime) -> StoredText:
    """``before`` with what is in a checked draft; itself if that changes nothing.

    A time at the source that the draft lacks stays. Where a new text is to be embedded, it waits;
    it keeps its cluster meanwhile.
    """
    after = _written(replace(before, title=draft.title, body=draft.body), draft)
    if draft.closed is not None and draft.closed != before.closed:
        state = TextState.CLOSED if draft.closed else TextState.PENDING
        after = replace(after, state=state, cluster_id="")
    elif after.text_hash != before.text_hash and not before.closed:
        after = replace(after, state=TextState.PENDING, error_reason="", error_message="")
    return before if after == before else replace(after, update_time=now)


def _written(text: StoredText, draft: Draft) -> StoredText:
    return replace(
        text,
        url=draft.url,
        metadata=dict(draft.metadata),
        repository=draft.repository,
        truncated=draft.truncated,
        source_time=draft.source_time or text.source_time,
    )


def _check_metadata(metadata: Mapping[str, str], where: str) -> None:
    if len(metadata) > MOST_METADATA:
        raise InvalidArgument.of(where, f"at most {MOST_METADATA} entries, not {len(metadata)}")
    for key, value in metadata.items():
        if not 0 < len(key) <= _KEY_LENGTH or len(value) > _VALUE_LENGTH or "\0" in key + value:
            raise InvalidArgument.of(
                where,
                f"keys have 1 to {_KEY_LENGTH} characters and values at most {_VALUE_LENGTH}; "
                f"see {key[:_KEY_LENGTH]!r}",
            )


def _clean(text: str) -> str:
    """Without the character that no database keeps."""
    return text.replace("\0", "")


def _cut(body: str) -> str:
    """The first 64 KB, whole characters only."""
    return body.encode()[:BODY_BYTES].decode(errors="ignore")
