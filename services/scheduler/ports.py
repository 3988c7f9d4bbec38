"""What the use cases need of the outside."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from libs.errors import ColonnadeError
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.domain.channel import Channel, Provider
from services.scheduler.domain.hashtags import Strategy as HashtagStrategy
from services.scheduler.domain.manner import Manner, Subject
from services.scheduler.domain.names import Key
from services.scheduler.domain.photo import Photo, Rights, Snapshot
from services.scheduler.domain.plan_record import PlanRecord
from services.scheduler.domain.planning import Candidate, Pillar
from services.scheduler.domain.post import Post, PostResult, PostState
from services.scheduler.domain.publication import CHANNEL_HELD, Publication, PublicationState
from services.scheduler.domain.slots import Cadence
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


@dataclass(frozen=True, slots=True)
class UnusedPhotos:
    """Which of the catalog's unused photos: of a persona, perhaps of one pillar.

    ``filter`` and ``order_by`` are in the words of the catalog's own list.
    """

    persona: str
    pillar: str = ""
    filter: str = ""
    order_by: str = ""


@dataclass(frozen=True, slots=True)
class CatalogPhoto:
    """A photo as the catalog describes it, to be passed on."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """A photo in the calendar: when it goes out or went out, and its pillar then."""

    at: datetime
    photo: str
    pillar: str


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """Some photos; ``next_token`` is empty on the last page."""

    photos: Sequence[CatalogPhoto]
    next_token: str


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How many channels of a provider are in a state, and when the first of their tokens ends."""

    provider: str
    state: str
    count: int
    token_expires_at: datetime | None


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

    async def to_renew(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """Like ``to_check``: channels whose token should be renewed by ``now``."""

    async def health(self) -> Sequence[ChannelHealth]:
        """How the channels of each provider are."""


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
        """The post that has the photo and is not cancelled, locked like ``locked``."""

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

    async def release_held(
        self, channel: Key, now: datetime, lead: timedelta, reason: str = CHANNEL_HELD
    ) -> None:
        """Has what is held on a channel for ``reason`` go on, ``lead`` before it is due."""

    async def served(self, token: str) -> ServedMedia | None:
        """The picture that a token opens."""


class PlanDecisions(Protocol):
    """Why photos were chosen."""

    async def add(self, record: PlanRecord) -> None:
        """Keeps a decision."""

    async def get(self, key: Key) -> PlanRecord:
        """Raises NotFound."""

    async def page(self, persona: str, page: PageRequest) -> Page[PlanRecord]:
        """One page, newest first."""


class PhotoRights(Protocol):
    """What is known of photos' rights, for whenever the catalog cannot be asked."""

    async def known(self, photo: str) -> Rights:
        """The rights of a photo; none that forbid anything if nothing was told."""

    async def remembered(self, photo: str, rights: Rights) -> Rights:
        """Keeps what the catalog answered, unless an event told more; answers what is known."""

    async def note(self, photo: str, rights: Rights, version: int) -> bool:
        """Keeps what an event told, and answers True, unless something newer is known."""


class Inbox(Protocol):
    """The events that were handled."""

    async def first_time(self, event_id: str, consumer: str) -> bool:
        """Whether the event is new; from now on it is not."""


class Attempts(Protocol):
    """Where the calls to providers are written down."""

    async def add(self, attempt: Attempt) -> None:
        """Keeps an intent."""

    async def note(self, attempt: str, handle: str) -> None:
        """Keeps what the provider calls that which was prepared for it."""

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
    @property
    def rights(self) -> PhotoRights: ...
    @property
    def decisions(self) -> PlanDecisions: ...


class Changing(Reading, Protocol):
    """One transaction; what is not committed is undone.

    Whoever locks channels and posts locks the channels first, so that nobody waits in a circle.
    """

    @property
    def history(self) -> History: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def post_events(self) -> PostEvents: ...
    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """What is stored inside it is undone if it is left by an error, and nothing else. Events
        are told behind it."""

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

    async def cadence(self, persona: str) -> Cadence:
        """When the persona posts. Raises NotFound, FailedPrecondition (ARCHIVED)."""

    async def manner(self, persona: str) -> tuple[Manner, HashtagStrategy]:
        """How a persona writes. Raises NotFound, FailedPrecondition (ARCHIVED), Unavailable."""

    async def subject(self, photo: str) -> Subject:
        """What is to be said about a photo. Raises NotFound, Unavailable."""

    async def thumbnail(self, photo: str) -> bytes:
        """A JPEG of a photo with sides of at most 512 pixels. Raises NotFound, Unavailable."""

    async def unused(self, wanted: UnusedPhotos, size: int, token: str) -> CatalogPage:
        """Up to ``size`` photos that are in use and that no post uses, as far as it knows.

        Raises NotFound for an unknown persona, InvalidArgument on ``filter`` and ``order_by``.
        """

    async def pillars(self, persona: str, at: datetime) -> Sequence[Pillar]:
        """The pillars of the persona that are planned at a moment. Raises NotFound."""

    async def stock(self, pillar: str, limit: int) -> Sequence[Candidate]:
        """The best photos of a pillar that can be used and that no post uses, up to ``limit``."""

    async def scenes(self, photos: Collection[str]) -> Mapping[str, str]:
        """The scenes of these photos, those that there are."""

    async def rendition(self, name: str) -> Rendition:
        """The picture for publishing. Raises NotFound, and InvalidArgument if it is no picture."""


class ResultLog(Protocol):
    """Keeps what became of a batch for whoever asks for it again."""

    def write(self, results: Sequence[PostResult]) -> str:
        """The results as a text; of each post its name."""

    def read(self, text: str) -> Sequence[tuple[str, str | ColonnadeError]]:
        """What ``write`` was given: each photo with the name of its post, or its error."""


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

    async def delete(self, key: str) -> None:
        """Removes the key; passes if there is none. Raises Unavailable."""

    async def exists(self, key: str) -> bool:
        """Whether there is such a key. Raises Unavailable."""

    def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Bytes from ``offset`` on, up to ``length``. Raises NotFound, InvalidArgument."""
