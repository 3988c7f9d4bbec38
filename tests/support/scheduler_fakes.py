"""The scheduler's outside in memory, for tests of its use cases."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from libs.errors import NotFound, Unavailable
from libs.rpc.paging import Page, PageRequest
from libs.signing import Signer
from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.domain.channel import Channel, ChannelState, Provider
from services.scheduler.domain.names import Key, no_post
from services.scheduler.domain.photo import Photo, Rights, Snapshot
from services.scheduler.domain.post import Post, PostState
from services.scheduler.domain.publication import CHANNEL_HELD, Publication, PublicationState
from services.scheduler.domain.reconciliation import READ_BACK
from services.scheduler.domain.remote_check import WATCH_AFTER, RemoteCheck
from services.scheduler.domain.repeat import Appearance, Likeness
from services.scheduler.domain.slots import Cadence
from services.scheduler.ports import (
    CatalogPage,
    CatalogPhoto,
    ChannelHealth,
    Claim,
    PostListing,
    Rendition,
    Sent,
    SentPage,
    ServedMedia,
    UnusedPhotos,
)
from services.scheduler.providers.base import (
    Channel as Account,
)
from services.scheduler.providers.base import (
    Credentials,
    Note,
    Problem,
    ProviderError,
    PublishRequest,
    RemoteChannel,
    RemotePost,
    Submitted,
    forget,
)

_WAITING = (PublicationState.READY, PublicationState.RETRY_WAIT)
_AT_PROVIDER = (PublicationState.SCHEDULED, PublicationState.PUBLISHING)


@dataclass
class Data:
    """What is committed."""

    channels: dict[Key, Channel] = field(default_factory=dict)
    posts: dict[Key, Post] = field(default_factory=dict)
    attempts: dict[str, tuple[Attempt, AttemptResult | None]] = field(default_factory=dict)
    leases: dict[str, datetime] = field(default_factory=dict)
    prepare_at: dict[Key, datetime] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    rights: dict[str, tuple[Rights, int]] = field(default_factory=dict)
    handled: set[tuple[str, str]] = field(default_factory=set)
    copies: dict[str, tuple[dict[str, Likeness], int]] = field(default_factory=dict)

    def copy(self) -> "Data":
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Data(**{name: part.copy() for name, part in parts.items()})


class FakeStore:
    """A ``ports.Store``: changes show when they are committed, and not before."""

    def __init__(self) -> None:
        self.data = Data()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["FakeTransaction"]:
        yield FakeTransaction(self, self.data)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator["FakeTransaction"]:
        yield FakeTransaction(self, self.data.copy())

    def add(self, channel: Channel, *posts: Post) -> None:
        """Puts a channel and posts in."""
        self.data.channels[channel.key] = channel
        for post in posts:
            self.data.posts[post.key] = post

    @property
    def post(self) -> Post:
        """The only post."""
        [post] = self.data.posts.values()
        return post

    @property
    def publication(self) -> Publication:
        """The only publication of the only post."""
        [publication] = self.post.publications
        return publication

    @property
    def channel(self) -> Channel:
        """The only channel."""
        [channel] = self.data.channels.values()
        return channel

    @property
    def results(self) -> list[AttemptResult | None]:
        """How the attempts ended."""
        return [result for _, result in self.data.attempts.values()]


class FakeTransaction:
    """All ports of one unit of work."""

    def __init__(self, store: FakeStore, data: Data) -> None:
        self._store = store
        self.data = data
        self.channels = FakeChannels(data)
        self.posts = FakePosts(data)
        self.publications = FakePublications(data)
        self.attempts = FakeAttempts(data)
        self.history = self
        self.requests = self
        self.post_events = self
        self.inbox = self
        self.rights = FakeRights(data)
        self.remote_checks = FakeRemoteChecks(data)
        self.copies = FakeCopies(data)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        before = self.data.copy()
        try:
            yield
        except Exception:
            self.data.__dict__.update(before.__dict__)
            raise

    async def first_time(self, event_id: str, consumer: str) -> bool:
        is_new = (event_id, consumer) not in self.data.handled
        self.data.handled.add((event_id, consumer))
        return is_new

    async def commit(self) -> None:
        self._store.data = self.data

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None:
        return self.data.requests.get(request_id)

    async def record(self, request_id: str, result: str) -> None:
        if request_id:
            self.data.requests[request_id] = result

    async def post_moved(self, post: Post, was: PostState | None) -> None:
        self.data.moves.append(("post", was or "", post.state))

    async def publication_moved(self, publication: Publication, was: PublicationState) -> None:
        self.data.moves.append(("publication", was, publication.state))

    async def drifted(self, publication: Publication, check: RemoteCheck) -> None:
        self.data.moves.append(("remote", publication.id, check.state))

    def changed(self, post: Post) -> None:
        self.data.events.append((post.state, post.version))


class FakeChannels:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(self, channel: Channel) -> None:
        self._data.channels[channel.key] = channel

    async def get(self, key: Key) -> Channel | None:
        return self._data.channels.get(key)

    locked = get

    async def pinned(self, persona: str, ids: Collection[str] | None) -> Sequence[Channel]:
        channels = [c for c in self._data.channels.values() if c.persona == persona]
        return [c for c in channels if ids is None or c.id in ids]

    async def of_batch(self, batch: str) -> Sequence[Channel]:
        return [c for c in self._data.channels.values() if c.batch == batch]

    async def save(self, channel: Channel) -> None:
        self._data.channels[channel.key] = channel

    async def delete(self, key: Key) -> None:
        del self._data.channels[key]

    async def is_in_use(self, key: Key) -> bool:
        raise NotImplementedError

    async def page(self, persona: str, page: PageRequest) -> Page[Channel]:
        raise NotImplementedError

    async def to_check(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        due = [c for c in self._data.channels.values() if c.check_at and c.check_at <= now][:limit]
        for channel in due:
            self._data.channels[channel.key] = replace(channel, check_at=again_at)
        return [channel.key for channel in due]

    async def to_renew(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        due = [c for c in self._data.channels.values() if c.renew_at and c.renew_at <= now][:limit]
        for channel in due:
            self._data.channels[channel.key] = replace(channel, renew_at=again_at)
        return [channel.key for channel in due]

    async def health(self) -> Sequence[ChannelHealth]:
        counts = Counter((c.provider, c.state) for c in self._data.channels.values())
        return [ChannelHealth(*key, count, None) for key, count in counts.items()]


class FakePosts:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(self, post: Post, prepare_at: datetime) -> None:
        self._data.posts[post.key] = post
        self._data.prepare_at[post.key] = prepare_at

    async def add_publications(self, post: Post) -> None:
        self._data.posts[post.key] = post

    async def imported(self, persona: str, external_ids: Collection[str]) -> Mapping[str, Post]:
        return {
            post.external_id: post
            for post in self._data.posts.values()
            if post.persona == persona and post.external_id in external_ids
        }

    async def suggestions_of(self, campaign: str) -> Collection[str]:
        return [p.suggestion for p in self._data.posts.values() if p.campaign == campaign]

    async def awaiting(self, suggestion: str) -> Key | None:
        posts = self._data.posts.values()
        waiting = (p.key for p in posts if p.suggestion == suggestion and not p.photo)
        return next(waiting, None)

    async def taken(self, photos: Collection[str]) -> Collection[str]:
        return {p.photo for p in self._data.posts.values() if p.state != "cancelled"} & set(photos)

    async def lock_calendar(self, persona: str) -> None:
        return

    async def times(self, persona: str, start: datetime, end: datetime) -> Sequence[datetime]:
        times = (p.scheduled_time for p in self._data.posts.values() if p.persona == persona)
        return [at for at in times if at is not None and start <= at <= end]

    async def locked_of_photo(self, photo: str) -> Post | None:
        posts = self._data.posts.values()
        there = (p for p in posts if p.photo == photo and p.state != "cancelled")
        return max(there, key=lambda post: post.generation, default=None)

    latest_of_photo = locked_of_photo

    async def get(self, key: Key) -> Post:
        if key not in self._data.posts:
            raise no_post(key)
        return self._data.posts[key]

    locked = get

    async def of_publication(self, publication: str) -> Post | None:
        posts = self._data.posts.values()
        found = (p for p in posts if publication in {x.id for x in p.publications})
        return next(found, None)

    locked_of_publication = of_publication

    async def save(self, post: Post) -> None:
        stored = self._data.posts[post.key]
        self._data.posts[post.key] = replace(post, publications=stored.publications)

    async def keep_media(self, post: str, snapshot: Snapshot) -> None:
        for key, stored in self._data.posts.items():
            if stored.id == post:
                self._data.posts[key] = replace(stored, media=snapshot)

    async def lock_media(self, key: str) -> None:
        return

    async def spent_media(self, before: datetime, limit: int) -> Sequence[str]:
        raise NotImplementedError

    async def forget_media(self, key: str, before: datetime) -> bool:
        raise NotImplementedError

    async def page(self, listing: PostListing) -> Page[Post]:
        return Page(list(self._data.posts.values()))

    async def version(self, key: Key) -> int:
        return (await self.get(key)).version

    async def unprepared(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        due = [key for key, at in self._data.prepare_at.items() if at <= now][:limit]
        self._data.prepare_at.update(dict.fromkeys(due, again_at))
        return due


class FakePublications:
    def __init__(self, data: Data) -> None:
        self._data = data

    def _all(self) -> list[Publication]:
        return [x for post in self._data.posts.values() for x in post.publications]

    async def save(self, publication: Publication) -> None:
        key = Key(publication.persona, publication.post)
        post = self._data.posts[key]
        others = tuple(publication if x.id == publication.id else x for x in post.publications)
        self._data.posts[key] = replace(post, publications=others)
        self._data.leases.pop(publication.id, None)

    async def postpone(self, publication: str, until: datetime) -> None:
        [found] = [x for x in self._all() if x.id == publication]
        await self.save(replace(found, next_attempt_at=until))

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        waiting = [(x.next_attempt_at, x) for x in self._all() if x.next_attempt_at]
        due = sorted(
            ((at, x) for at, x in waiting if at <= now and self._is_free(x.id, now)),
            key=lambda pair: pair[0],
        )[:limit]
        self._data.leases.update({x.id: until for _, x in due})
        return [
            Claim(x.id, x.state, self._data.channels[Key(x.persona, x.channel)].batch, x.due_at)
            for _, x in due
        ]

    def _is_free(self, id: str, now: datetime) -> bool:
        return id not in self._data.leases or self._data.leases[id] <= now

    async def overdue(self, before: datetime, limit: int) -> Sequence[str]:
        return [x.id for x in self._all() if x.state in _WAITING and x.due_at < before][:limit]

    async def to_confirm(self, batch: str, now: datetime, limit: int) -> Sequence[Publication]:
        return [
            x
            for x in self._all()
            if x.state in _AT_PROVIDER
            and x.next_attempt_at is not None
            and x.next_attempt_at <= now
            and self._data.channels[Key(x.persona, x.channel)].batch == batch
        ]

    async def release_held(
        self,
        channel: Key,
        now: datetime,
        lead: timedelta,
        reason: str = CHANNEL_HELD,
        photos: Collection[str] | None = None,
    ) -> None:
        for found in self._all():
            is_held = found.problem is not None and found.problem.reason == reason
            post = self._data.posts[Key(found.persona, found.post)]
            is_meant = photos is None or post.photo in photos
            if is_held and is_meant and (found.persona, found.channel) == channel:
                first = max(now, found.due_at - lead)
                await self.save(replace(found, next_attempt_at=first, problem=None))

    async def served(self, token: str) -> ServedMedia | None:
        for post in self._data.posts.values():
            for publication in post.publications:
                if publication.media_token == token and post.media:
                    return ServedMedia(post.media, publication.ended_at)
        return None


class FakeRights:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def known(self, photo: str) -> Rights:
        return self._data.rights.get(photo, (Rights(), 0))[0]

    async def remembered(self, photo: str, rights: Rights) -> Rights:
        await self.note(photo, rights, 0)
        return await self.known(photo)

    async def note(self, photo: str, rights: Rights, version: int) -> bool:
        if photo in self._data.rights and self._data.rights[photo][1] > version:
            return False
        self._data.rights[photo] = rights, version
        return True


class FakeCopies:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def lock(self, persona: str, photos: Collection[str]) -> None:
        return

    async def note(self, photo: str, copies: Mapping[str, Likeness], version: int) -> bool:
        if photo in self._data.copies and self._data.copies[photo][1] >= version:
            return False
        self._data.copies[photo] = dict(copies), version
        return True

    async def forget(self, photo: str) -> None:
        self._data.copies.pop(photo, None)

    async def of(self, photos: Collection[str]) -> Mapping[str, Collection[str]]:
        known = {photo: self._data.copies.get(photo, ({}, 0))[0] for photo in photos}
        return {photo: frozenset(copies) for photo, copies in known.items() if copies}

    async def seen(
        self, photos: Collection[str], channels: Collection[Key]
    ) -> Sequence[Appearance]:
        return [
            Appearance(
                photo=photo,
                copy=copy,
                likeness=likeness,
                post=post.name,
                repeats=post.repeats,
                publication=each.id,
                persona=each.persona,
                channel=each.channel,
                due_at=each.due_at,
                at=each.posted_at or each.due_at,
                waits=each.state in _WAITING,
                was_unknown=each.was_unknown,
            )
            for photo in photos
            for copy, likeness in self._data.copies.get(photo, ({}, 0))[0].items()
            for post in self._data.posts.values()
            if post.photo == copy
            for each in post.publications
            if Key(each.persona, each.channel) in channels and _takes_photo(each)
        ]


def _takes_photo(publication: Publication) -> bool:
    if publication.state is PublicationState.FAILED:
        return publication.provider_post_id != ""
    if publication.state is PublicationState.CANCELLED:
        return publication.in_doubt
    return publication.state is not PublicationState.MISSED


class FakeRemoteChecks:
    def __init__(self, data: Data) -> None:
        self._data = data

    def _sent(self, *states: PublicationState) -> list[Sent]:
        return [
            Sent(publication, post.final_text)
            for post in self._data.posts.values()
            for publication in post.publications
            if publication.state in states
        ]

    async def watch(self, now: datetime, limit: int) -> None:
        for publication, _ in map(_parts, self._sent(PublicationState.POSTED)):
            if publication.remote is None and publication.posted_at is not None:
                first = publication.posted_at + WATCH_AFTER[0]
                check = RemoteCheck(
                    publication=publication.id, posted_at=publication.posted_at, next_at=first
                )
                await self.save(check)

    async def leave(self, now: datetime) -> None:
        return

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        batches = {channel.batch for channel in self._data.channels.values()}
        return [batch for batch in batches if self._due(batch, now)]

    async def claim(self, batch: str, now: datetime, until: datetime, limit: int) -> Sequence[Sent]:
        return self._due(batch, now)[:limit]

    def _due(self, batch: str, now: datetime) -> list[Sent]:
        return [
            Sent(publication, text)
            for publication, text in map(_parts, self._sent(PublicationState.POSTED))
            if self._data.channels[Key(publication.persona, publication.channel)].batch == batch
            and publication.remote is not None
            and publication.remote.next_at is not None
            and publication.remote.next_at <= now
        ]

    async def of_persona(self, persona: str, since: datetime, limit: int) -> SentPage:
        found = self._sent(PublicationState.POSTED, *_AT_PROVIDER)
        return SentPage(found[:limit], len(found))

    async def save(self, check: RemoteCheck) -> None:
        for key, post in self._data.posts.items():
            publications = tuple(
                replace(x, remote=check) if x.id == check.publication else x
                for x in post.publications
            )
            self._data.posts[key] = replace(post, publications=publications)


def _parts(sent: Sent) -> tuple[Publication, str]:
    return sent.publication, sent.text


class FakeAttempts:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(self, attempt: Attempt) -> None:
        self._data.attempts[attempt.id] = (attempt, None)

    async def note(self, attempt: str, handle: str) -> None:
        made, result = self._data.attempts[attempt]
        self._data.attempts[attempt] = (replace(made, handle=handle), result)

    async def finish(self, attempt: str, result: AttemptResult) -> None:
        made, _ = self._data.attempts[attempt]
        self._data.attempts[attempt] = (replace(made, ended_at=result.ended_at), result)

    async def of(self, publication: str) -> Sequence[Attempt]:
        made = [a for a, _ in self._data.attempts.values() if a.publication == publication]
        return sorted(made, key=lambda attempt: attempt.number)

    async def known(self, provider_post_ids: Collection[str]) -> dict[str, str]:
        return {
            result.provider_post_id: attempt.publication
            for attempt, result in self._data.attempts.values()
            if result and result.provider_post_id in provider_post_ids
        }


class Killed(BaseException):
    """Stands for the end of a process: nothing of ours catches it."""


class FakePublisher:
    """A provider that does as told: ``answers`` (errors or ids) in turn, then ids of its own."""

    name = "fake"
    doubt = READ_BACK

    def __init__(self) -> None:
        self.answers: list[str | BaseException] = []
        self.submitted: list[PublishRequest] = []
        self.problems: list[Problem] = []
        self.found: list[RemotePost] | BaseException = []
        self.statuses: list[RemotePost] | ProviderError = []
        self.asked: list[Mapping[str, datetime]] = []
        self.accounts: list[RemoteChannel] | ProviderError = []
        self.withdrawn: list[str] = []
        self.withdrawal: ProviderError | None = None
        self.has_reserve = True

    def preflight(self, channel: Account, request: PublishRequest) -> list[Problem]:
        return self.problems

    async def submit(
        self, channel: Account, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        self.submitted.append(request)
        answer = self.answers.pop(0) if self.answers else f"remote-{len(self.submitted)}"
        if isinstance(answer, BaseException):
            raise answer
        return Submitted(answer, {"id": answer})

    async def find(
        self, channel: Account, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        self.looked_for = request, since
        return _answer(self.found)

    async def status(self, channel: Account, posts: Mapping[str, datetime]) -> list[RemotePost]:
        self.asked.append(dict(posts))
        return _answer(self.statuses)

    def reads(self, post: RemotePost, text: str) -> bool:
        return post.text == text

    async def withdraw(self, channel: Account, provider_post_id: str) -> None:
        self.withdrawn.append(provider_post_id)
        if self.withdrawal:
            raise self.withdrawal

    async def channels(self, credentials: Credentials) -> list[RemoteChannel]:
        return _answer(self.accounts)

    def may_poll(self, credentials: Credentials) -> bool:
        return self.has_reserve


def _answer(told: Any) -> Any:
    if isinstance(told, BaseException):
        raise told
    return told


class OnePublisher:
    """``ports.Publishers`` with one for all."""

    def __init__(self, publisher: FakePublisher) -> None:
        self._publisher = publisher

    def of(self, provider: Provider, endpoint: str) -> FakePublisher:
        return self._publisher


class PlainVault:
    """Turns texts around; knows the ones it was given."""

    def seal(self, text: str) -> str:
        return text[::-1]

    def unseal(self, sealed: str) -> str:
        if sealed == "another secret":
            raise ValueError("sealed with another secret")
        return sealed[::-1]

    def signer(self, purpose: str) -> Signer:
        return Signer(b"of a test", purpose)


class OnePhotoCatalog:
    """A catalog with one photo, unless it ``is_down`` or the photo ``is_gone``."""

    def __init__(self, photo: Photo) -> None:
        self._photo = photo
        self.is_down = False
        self.is_gone = False

    async def check_persona(self, persona: str) -> None:
        self._check()

    async def photo(self, name: str) -> Photo:
        self._check()
        return self._photo

    async def cadence(self, persona: str) -> Cadence:
        self._check()
        return Cadence(ZoneInfo("UTC"))

    async def unused(self, wanted: UnusedPhotos, size: int, token: str) -> CatalogPage:
        self._check()
        return CatalogPage([CatalogPhoto(self._photo.name, b"")], "")

    async def rendition(self, name: str) -> Rendition:
        self._check()
        return Rendition("image/jpeg", 40, 30, b"a picture")

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable("the catalog is away")
        if self.is_gone:
            raise NotFound("photo", self._photo.name)


class MemoryBlobs:
    """``ports.Blobs`` in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> None:
        self.kept[key] = data

    async def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    async def exists(self, key: str) -> bool:
        return key in self.kept

    async def stream(
        self, key: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        data = self.kept[key][offset:]
        yield data if length is None else data[:length]


class RecordingQueue:
    """A ``JobQueue`` that remembers, or is away."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.is_away = False

    async def enqueue(self, task: str, job_id: str, queue: str) -> bool:
        if not self.is_away:
            self.sent.append((task, job_id))
        return not self.is_away


def a_channel(now: datetime, **fields: Any) -> Channel:
    """Nora's channel."""
    values: dict[str, Any] = {
        "persona": "nora",
        "id": "insta",
        "display_name": "Insta",
        "provider": Provider.BUFFER,
        "endpoint": "",
        "account": "acc",
        "organization": "org",
        "service": "instagram",
        "sealed_token": "nekot",
        "batch": "batch",
        "create_time": now,
        "update_time": now,
        "state": ChannelState.CONNECTED,
    }
    return Channel(**{**values, **fields})


def a_publication(now: datetime, **fields: Any) -> Publication:
    """The publication of ``a_post``, due now."""
    values: dict[str, Any] = {
        "id": "pub",
        "persona": "nora",
        "post": "post",
        "channel": "insta",
        "provider": "buffer",
        "photo_sha256": "ab",
        "due_at": now,
        "media_token": "secret-media-token",
        "next_attempt_at": now,
    }
    return Publication(**{**values, **fields})


def a_post(now: datetime, *publications: Publication, **fields: Any) -> Post:
    """Nora's post, with its picture."""
    values: dict[str, Any] = {
        "persona": "nora",
        "id": "post",
        "photo": "personas/nora/photos/1",
        "photo_sha256": "ab",
        "pillar": "personas/nora/pillars/tea",
        "caption": "Light",
        "hashtags": (),
        "final_text": "Light",
        "alt_text": "",
        "scheduled_time": now,
        "create_time": now,
        "update_time": now,
        "publications": publications or (a_publication(now),),
        "media": Snapshot("publications/a.jpg", "cd", "image/jpeg", 9, 40, 30),
    }
    return Post(**{**values, **fields})
