"""What the use cases need of the outside."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.domain.channel import Channel, Provider
from services.scheduler.domain.names import Key
from services.scheduler.domain.photo import Photo, Snapshot
from services.scheduler.domain.post import Post, PostState
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.providers.base import Publisher


@dataclass(frozen=True, slots=True)
class PostListing:
    """Which posts of a list: those of a persona (None: of all) that meet the conditions."""

    persona: str | None
    page: PageRequest
    conditions: Sequence[Condition] = field(default_factory=tuple)
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Claim:
    """A publication for which something is to be done; ``batch`` is that of its channel."""

    publication: str
    state: PublicationState
    batch: str


@dataclass(frozen=True, slots=True)
class ServedMedia:
    """A picture that is served by a token, and when its publication ended, if it has."""

    snapshot: Snapshot
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rendition:
    """A picture as the catalog gives it for publishing."""

    mime_type: str
    width: int
    height: int
    data: bytes = field(repr=False)


class Channels(Protocol):
    """Where channels are kept."""

    async def add(self, channel: Channel) -> None:
        """Raises AlreadyExists if the id is taken or the account is connected already."""

    async def get(self, key: Key) -> Channel | None:
        """The channel, if there is one."""

    async def locked(self, key: Key) -> Channel | None:
        """Like ``get``; until the end of the transaction nobody else changes or uses it."""

    async def pinned(self, persona: str, ids: Collection[str] | None) -> Sequence[Channel]:
        """The channels with these ids (None: all), oldest first; none of them can be deleted
        until the end of the transaction."""

    async def of_batch(self, batch: str) -> Sequence[Channel]:
        """The channels whose posts can be asked for together."""

    async def save(self, channel: Channel) -> None:
        """Stores a changed channel."""

    async def delete(self, key: Key) -> None:
        """Removes it."""

    async def is_in_use(self, key: Key) -> bool:
        """Whether a publication on it has not ended."""

    async def page(self, persona: str, page: PageRequest) -> Page[Channel]:
        """One page, by time of creation."""

    async def to_check(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """Channels that should be checked by ``now``; they will not be answered again before
        ``again_at``."""


class Posts(Protocol):
    """Where posts are kept, with their publications."""

    async def add(self, post: Post, prepare_at: datetime) -> None:
        """Raises AlreadyExists (PHOTO_ALREADY_SCHEDULED) if another post has the photo, or has
        its bytes on one of the channels."""

    async def get(self, key: Key) -> Post:
        """Raises NotFound."""

    async def locked(self, key: Key) -> Post:
        """Like ``get``; until the end of the transaction nobody else changes the post."""

    async def of_publication(self, publication: str) -> Post | None:
        """The post of a publication."""

    async def locked_of_publication(self, publication: str) -> Post | None:
        """Like ``of_publication``; nobody else changes it until the end of the transaction."""

    async def save(self, post: Post) -> None:
        """Stores what changed of the post itself, not of its publications."""

    async def keep_media(self, post: str, snapshot: Snapshot) -> None:
        """Notes where the picture is."""

    async def page(self, listing: PostListing) -> Page[Post]:
        """One page, by time of publication."""

    async def version(self, key: Key) -> int:
        """Its version. Raises NotFound."""

    async def unprepared(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """Scheduled posts without a picture; not answered again before ``again_at``."""


class Publications(Protocol):
    """Where publications are kept. What changes a state goes with a lock on the post."""

    async def save(self, publication: Publication) -> None:
        """Stores what changed and releases the claim. Raises AlreadyExists
        (PHOTO_ALREADY_SCHEDULED) and Conflict (ADOPTED_TWICE)."""

    async def postpone(self, publication: str, until: datetime) -> None:
        """Sets when something is done next and releases the claim; nothing else changes."""

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Those for which something is to be done by ``now``, longest waiting first. Nobody
        else is given them before ``until``, unless they are changed."""

    async def overdue(self, before: datetime, limit: int) -> Sequence[str]:
        """Those that were due before that moment and were never handed to a provider."""

    async def to_confirm(self, batch: str, now: datetime, limit: int) -> Sequence[Publication]:
        """Those that a provider has and that should be asked for by ``now``."""

    async def release_held(self, channel: Key, now: datetime, lead: timedelta) -> None:
        """Sets those in motion that waited for their channel."""

    async def served(self, token: str) -> ServedMedia | None:
        """The picture that a token opens."""


class Attempts(Protocol):
    """Where the calls to providers are written down."""

    async def add(self, attempt: Attempt) -> None:
        """Keeps an intent."""

    async def finish(self, attempt: str, result: AttemptResult) -> None:
        """Keeps how it ended."""

    async def of(self, publication: str) -> Sequence[Attempt]:
        """Those of a publication, in order."""

    async def known(self, provider_post_ids: Collection[str]) -> dict[str, str]:
        """Those of the ids that an attempt ended with, and whose publication's it was."""


class History(Protocol):
    """The log of what happened to posts and publications."""

    async def post_moved(self, post: Post, was: PostState | None) -> None:
        """A post is in a new state; ``was`` is None for a new post."""

    async def publication_moved(self, publication: Publication, was: PublicationState) -> None:
        """A publication is in a new state."""


class Requests(Protocol):
    """The requests that were served."""

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None:
        """None for whoever is first; else the result. Raises AlreadyExists for another request."""

    async def record(self, request_id: str, result: str) -> None:
        """Keeps the result of the request."""


class PostEvents(Protocol):
    """What the world is told once the transaction is committed."""

    def changed(self, post: Post) -> None:
        """A post is in a new state."""


class Reading(Protocol):
    """The scheduler's data, to be read; each statement stands alone."""

    @property
    def channels(self) -> Channels: ...
    @property
    def posts(self) -> Posts: ...
    @property
    def publications(self) -> Publications: ...
    @property
    def attempts(self) -> Attempts: ...


class Changing(Reading, Protocol):
    """One transaction; what is not committed is undone.

    Whoever locks channels and posts locks the channels first, so that nobody waits in a circle.
    """

    @property
    def history(self) -> History: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def post_events(self) -> PostEvents: ...
    async def commit(self) -> None:
        """Makes everything so far lasting, and lets the events go."""


class Store(Protocol):
    """Where everything of the scheduler is kept."""

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """For reads."""

    def changing(self) -> AbstractAsyncContextManager[Changing]:
        """For changes."""


class Catalog(Protocol):
    """The catalog service. Every method raises Unavailable when it does not answer."""

    async def check_persona(self, persona: str) -> None:
        """Raises NotFound for an unknown persona, FailedPrecondition for an archived one."""

    async def photo(self, name: str) -> Photo:
        """Raises NotFound."""

    async def rendition(self, name: str) -> Rendition:
        """The picture for publishing. Raises NotFound, and InvalidArgument if it is no picture."""


class Publishers(Protocol):
    """The adapters of the providers."""

    def of(self, provider: Provider, endpoint: str) -> Publisher:
        """The one for a provider at an address; empty means its public address."""


class Vault(Protocol):
    """Keeps keys from being readable in the database."""

    def seal(self, text: str) -> str:
        """``text``, encrypted."""

    def unseal(self, sealed: str) -> str:
        """What ``seal`` was given. Raises ValueError if it was sealed with another secret."""


class Blobs(Protocol):
    """The part of the blob store that is needed."""

    async def put(self, key: str, data: bytes) -> None:
        """Stores ``data``. Raises Unavailable."""

    async def exists(self, key: str) -> bool:
        """Whether there is such a key. Raises Unavailable."""

    def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Bytes from ``offset`` on, up to ``length``. Raises NotFound, InvalidArgument."""
