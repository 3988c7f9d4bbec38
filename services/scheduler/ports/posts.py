"""Where posts are kept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.names import Key
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import Post


@dataclass(frozen=True, slots=True)
class PostListing:
    """Which posts of a list: those of a persona (None: of all) that meet the conditions."""

    persona: str | None
    page: PageRequest
    conditions: Sequence[Condition] = field(default_factory=tuple)
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """A photo in the calendar: when it goes out or went out, and its pillar then."""

    at: datetime
    photo: str
    pillar: str


class Posts(Protocol):
    """Where posts are kept, with their publications."""

    async def add(self, post: Post, prepare_at: datetime) -> None:
        """Raises AlreadyExists (PHOTO_ALREADY_SCHEDULED) if another post has the photo, or has
        its bytes on one of the channels."""

    async def add_publications(self, post: Post) -> None:
        """Adds those of a post that is there. Raises as ``add`` does."""

    async def imported(self, persona: str, external_ids: Collection[str]) -> Mapping[str, Post]:
        """The imported posts of the persona with these external ids."""

    async def taken(self, photos: Collection[str]) -> Collection[str]:
        """Those of the photos that a post has which is not cancelled."""

    async def captions(self, persona: str, limit: int) -> Sequence[str]:
        """The captions of the latest posts of a persona, newest first; no empty ones."""

    async def lock_calendar(self, persona: str) -> None:
        """Until the end of the transaction nobody else looks for free slots of the persona."""

    async def times(self, persona: str, start: datetime, end: datetime) -> Sequence[datetime]:
        """When the persona's posts between the two are due, or went out."""

    async def placed(self, persona: str, start: datetime, end: datetime) -> Sequence[Placed]:
        """The persona's photos that go out between the two, or went out; those of cancelled posts
        and of posts without a photo are left out."""

    async def suggestions_of(self, campaign: str) -> Collection[str]:
        """The suggestions for which the campaign has posts."""

    async def awaiting(self, suggestion: str) -> Key | None:
        """The post that waits for the photo of this suggestion, if there is one."""

    async def get(self, key: Key) -> Post:
        """Raises NotFound."""

    async def locked(self, key: Key) -> Post:
        """Like ``get``; until the end of the transaction nobody else changes the post."""

    async def of_publication(self, publication: str) -> Post | None:
        """The post of a publication."""

    async def locked_of_publication(self, publication: str) -> Post | None:
        """Like ``of_publication``; nobody else changes it until the end of the transaction."""

    async def locked_of_photo(self, photo: str) -> Post | None:
        """The latest post that has the photo and is not cancelled, locked like ``locked``."""

    async def latest_of_photo(self, photo: str) -> Post | None:
        """Like ``locked_of_photo``, without a lock."""

    async def save(self, post: Post) -> None:
        """Stores what changed of the post itself, not of its publications."""

    async def keep_media(self, post: str, snapshot: Snapshot) -> None:
        """Notes where the picture is."""

    async def lock_media(self, key: str) -> None:
        """Until the end of the transaction nobody else takes this picture over, or removes it."""

    async def spent_media(self, before: datetime, limit: int) -> Sequence[str]:
        """Keys of pictures of which all publications ended before that moment."""

    async def forget_media(self, key: str, before: datetime) -> bool:
        """Forgets where the picture is, and answers True, if that is still so."""

    async def page(self, listing: PostListing) -> Page[Post]:
        """One page, by time of publication."""

    async def version(self, key: Key) -> int:
        """Its version. Raises NotFound."""

    async def unprepared(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """Scheduled posts without a picture; not answered again before ``again_at``."""
