"""Each provider as the shared tests see it: its stand-in, our adapter, what people see there."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from libs.http import HttpClient
from services.scheduler.providers.base import Channel, Credentials, Publisher
from services.scheduler.providers.bluesky import BlueskyPublisher
from services.scheduler.providers.buffer import BufferPublisher
from services.scheduler.providers.instagram import InstagramPublisher
from services.scheduler.providers.mastodon import MastodonPublisher
from services.scheduler.providers.pictures import Pictures
from services.scheduler.providers.postiz import PostizPublisher
from services.scheduler.providers.webhook import WebhookPublisher
from tests.support.bluesky import APP_PASSWORD, HANDLE, BlueskyStandIn
from tests.support.buffer import DEFAULT_TOKEN, INSTAGRAM_ID, ORGANIZATION_ID, BufferStandIn
from tests.support.clock import NOON
from tests.support.instagram import ACCOUNT_ID, InstagramStandIn
from tests.support.instagram import TOKEN as INSTAGRAM_TOKEN
from tests.support.mastodon import TOKEN as MASTODON_TOKEN
from tests.support.mastodon import MastodonStandIn
from tests.support.postiz import KEY as POSTIZ_KEY
from tests.support.postiz import MASTODON_ID as POSTIZ_MASTODON_ID
from tests.support.postiz import PostizStandIn
from tests.support.webhook import ACCOUNT, SECRET, WebhookStandIn


@dataclass(frozen=True)
class Live:
    """A post that people see, or will at its time. ``has_metadata``: that its picture tells."""

    id: str
    text: str
    alt_text: str
    has_metadata: bool = False


class Clock(Protocol):
    """What tells an adapter the time, and lets it wait."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class Side(Protocol):
    """A provider's side.

    ``removes``: people can delete there what is out, and we see that. ``believed``: faults that
    are no faults, as the provider's status is proof enough.
    """

    name: str
    removes: bool
    believed: Sequence[str]

    def publisher(self, http: HttpClient, pictures: Pictures, time: Clock) -> Publisher: ...
    async def channel(self, publisher: Publisher) -> Channel: ...
    async def live(self) -> Sequence[Live]: ...
    async def received(self) -> int: ...
    async def fault(self, kind: str, **options: Any) -> None: ...
    async def calm(self) -> None: ...
    async def reset(self) -> None: ...
    async def remove(self, id: str) -> None: ...
    async def advance(self, seconds: float) -> None: ...


async def only_channel(publisher: Publisher, credentials: Credentials) -> Channel:
    """The account of ``credentials``, as it would be connected."""
    found = await publisher.channels(credentials)
    [remote] = [r for r in found if len(found) == 1 or r.id == credentials.account]
    signed_in = Credentials(credentials.token, remote.id)
    return Channel(remote.id, remote.organization_id, remote.service, signed_in, remote.limits)


class BufferSide:
    name = "buffer"
    removes = True
    believed: Sequence[str] = ()

    def __init__(self, stand_in: BufferStandIn) -> None:
        self._stand_in = stand_in

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator["BufferSide"]:
        async with BufferStandIn(wall=NOON.timestamp) as stand_in:
            yield cls(stand_in)

    def publisher(self, http: HttpClient, pictures: Pictures, time: Clock) -> Publisher:
        return BufferPublisher(http, url=self._stand_in.url, now=time.now)

    async def channel(self, publisher: Publisher) -> Channel:
        return Channel(INSTAGRAM_ID, ORGANIZATION_ID, "instagram", Credentials(DEFAULT_TOKEN))

    async def live(self) -> Sequence[Live]:
        posts = await self._stand_in.admin.posts()
        return [Live(p["id"], p["text"], p["assets"][0]["altText"]) for p in posts]

    async def received(self) -> int:
        return (await self._stand_in.admin.calls())["received"]

    async def fault(self, kind: str, **options: Any) -> None:
        match kind:
            case "nonsense":
                await self._stand_in.admin.fault("gateway_error", status=200, **options)
            case "refuse":
                await self._stand_in.admin.fault("errors", code="NOT_FOUND", **options)
            case "unauthorized":
                await self._stand_in.admin.fault("errors", code="UNAUTHORIZED", **options)
            case _:
                await self._stand_in.admin.fault(kind, **options)

    async def calm(self) -> None:
        await self._stand_in.admin.clear_faults()

    async def reset(self) -> None:
        await self._stand_in.admin.reset()

    async def remove(self, id: str) -> None:
        await self._stand_in.admin.delete_post(id)

    async def advance(self, seconds: float) -> None:
        await self._stand_in.admin.advance(seconds)


class StandInSide:
    """What the sides have in common whose stand-in is a ``StandIn``."""

    removes = True
    believed: Sequence[str] = ()

    def __init__(self, stand_in: Any) -> None:
        self.stand_in = stand_in

    async def received(self) -> int:
        return int(self.stand_in.calls["publish"])

    async def fault(self, kind: str, **options: Any) -> None:
        if kind == "unauthorized":
            self.stand_in.disconnect()
        elif kind == "refuse":
            self.stand_in.fault(kind, status=422, **options)
        else:
            self.stand_in.fault(kind, **options)

    async def calm(self) -> None:
        self.stand_in.faults.clear()

    async def reset(self) -> None:
        self.stand_in.reset()

    async def remove(self, id: str) -> None:
        self.stand_in.remove(id)

    async def advance(self, seconds: float) -> None:
        self.stand_in.clock.advance(seconds)


class MastodonSide(StandInSide):
    name = "mastodon"

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator["MastodonSide"]:
        async with MastodonStandIn() as stand_in:
            yield cls(stand_in)

    def publisher(self, http: HttpClient, pictures: Pictures, time: Clock) -> Publisher:
        return MastodonPublisher(
            http,
            pictures,
            url=self.stand_in.url,
            now=time.now,
            sleep=time.sleep,
            monotonic=time.monotonic,
        )

    async def channel(self, publisher: Publisher) -> Channel:
        return await only_channel(publisher, Credentials(MASTODON_TOKEN))

    async def live(self) -> Sequence[Live]:
        return [
            Live(s.id, s.text, s.media[0].description, s.media[0].photo.has_metadata)
            for s in self.stand_in.live
        ]


class BlueskySide(StandInSide):
    name = "bluesky"

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator["BlueskySide"]:
        async with BlueskyStandIn() as stand_in:
            yield cls(stand_in)

    def publisher(self, http: HttpClient, pictures: Pictures, time: Clock) -> Publisher:
        return BlueskyPublisher(http, pictures, url=self.stand_in.url, now=time.now)

    async def channel(self, publisher: Publisher) -> Channel:
        return await only_channel(publisher, Credentials(APP_PASSWORD, HANDLE))

    async def live(self) -> Sequence[Live]:
        return [
            Live(
                uri,
                record["text"],
                record["embed"]["images"][0]["alt"],
                self.stand_in.photo(record).has_metadata,
            )
            for uri, record in self.stand_in.live.items()
        ]


class WebhookSide(StandInSide):
    name = "webhook"
    removes = False
    believed = ("nonsense",)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator["WebhookSide"]:
        async with WebhookStandIn() as stand_in:
            yield cls(stand_in)

    def publisher(self, http: HttpClient, pictures: Pictures, time: Clock) -> Publisher:
        return WebhookPublisher(http, url=self.stand_in.url, now=time.now)

    async def channel(self, publisher: Publisher) -> Channel:
        return await only_channel(publisher, Credentials(SECRET, ACCOUNT))

    async def live(self) -> Sequence[Live]:
        return [
            Live(id, data["text"], data["images"][0]["alt_text"])
            for id, data in self.stand_in.posts.items()
        ]


class PostizSide(StandInSide):
    name = "postiz"

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator["PostizSide"]:
        async with PostizStandIn() as stand_in:
            yield cls(stand_in)

    def publisher(self, http: HttpClient, pictures: Pictures, time: Clock) -> Publisher:
        return PostizPublisher(http, pictures, url=self.stand_in.url, now=time.now)

    async def channel(self, publisher: Publisher) -> Channel:
        return await only_channel(publisher, Credentials(POSTIZ_KEY, POSTIZ_MASTODON_ID))

    async def live(self) -> Sequence[Live]:
        uploads = self.stand_in.uploads
        return [
            Live(p.id, p.content, p.images[0]["alt"], uploads[p.images[0]["id"]].has_metadata)
            for p in self.stand_in.live
        ]


class InstagramSide(StandInSide):
    name = "instagram"

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator["InstagramSide"]:
        async with InstagramStandIn() as stand_in:
            yield cls(stand_in)

    def publisher(self, http: HttpClient, pictures: Pictures, time: Clock) -> Publisher:
        return InstagramPublisher(
            http, url=self.stand_in.url, now=time.now, sleep=time.sleep, monotonic=time.monotonic
        )

    async def channel(self, publisher: Publisher) -> Channel:
        return await only_channel(publisher, Credentials(INSTAGRAM_TOKEN, ACCOUNT_ID))

    async def live(self) -> Sequence[Live]:
        return [Live(media.id, media.caption, media.alt_text) for media in self.stand_in.live]


Open = Callable[[], AbstractAsyncContextManager[Side]]
SIDES: dict[str, Open] = {
    "buffer": BufferSide.open,
    "mastodon": MastodonSide.open,
    "bluesky": BlueskySide.open,
    "webhook": WebhookSide.open,
    "postiz": PostizSide.open,
    "instagram": InstagramSide.open,
}


@dataclass
class Time:
    """One time for a stand-in and for us, which passes only as it is told."""

    side: Side
    ahead: timedelta = timedelta(0)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return NOON + self.ahead

    def monotonic(self) -> float:
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.advance(seconds)

    async def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)
        await self.side.advance(seconds)
