"""A store in memory, and its units of work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.scheduler.domain.attempt import AttemptResult
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.post import Post, PostState
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.remote_check import RemoteCheck
from tests.support.scheduler_fakes.attempts import FakeAttempts
from tests.support.scheduler_fakes.channels import FakeChannels
from tests.support.scheduler_fakes.copies import FakeCopies
from tests.support.scheduler_fakes.data import Data
from tests.support.scheduler_fakes.posts import FakePosts
from tests.support.scheduler_fakes.publications import FakePublications
from tests.support.scheduler_fakes.remote_checks import FakeRemoteChecks
from tests.support.scheduler_fakes.rights import FakeRights


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
