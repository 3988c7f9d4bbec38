from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from libs.http import HttpClient
from services.scheduler.providers.base import Channel, Credentials, Image, PublishRequest
from services.scheduler.providers.buffer import BufferPublisher
from tests.support.buffer import (
    DEFAULT_TOKEN,
    INSTAGRAM_ID,
    MASTODON_ID,
    ORGANIZATION_ID,
    BufferStandIn,
)
from tests.support.buffer.media_host import MediaHost

TOTAL_TIMEOUT = 1.0


@dataclass
class Time:
    """One time for the stand-in and for us; sleeping takes none of the real one."""

    buffer: BufferStandIn
    ahead: timedelta = timedelta(0)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.advance(seconds)

    async def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)
        await self.buffer.admin.advance(seconds)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_buffer() -> AsyncIterator[BufferStandIn]:
    async with BufferStandIn() as buffer:
        yield buffer


@pytest_asyncio.fixture(loop_scope="module")
async def buffer(running_buffer: BufferStandIn) -> BufferStandIn:
    await running_buffer.admin.reset()
    return running_buffer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_media() -> AsyncIterator[MediaHost]:
    async with MediaHost.serve() as host:
        yield host


@pytest.fixture
def media(running_media: MediaHost) -> MediaHost:
    running_media.forget()
    return running_media


@pytest.fixture
def time(buffer: BufferStandIn) -> Time:
    return Time(buffer)


@pytest_asyncio.fixture(loop_scope="module")
async def http(time: Time) -> AsyncIterator[HttpClient]:
    async with HttpClient(
        user_agent="colonnade-test/1",
        total=TOTAL_TIMEOUT,
        clock=time.monotonic,
        sleep=time.sleep,
        jitter=lambda: 0.0,
    ) as client:
        yield client


@pytest.fixture
def publisher(buffer: BufferStandIn, http: HttpClient, time: Time) -> BufferPublisher:
    return BufferPublisher(http, url=buffer.url, now=time.now)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(DEFAULT_TOKEN)


@pytest.fixture
def instagram(credentials: Credentials) -> Channel:
    return Channel(INSTAGRAM_ID, ORGANIZATION_ID, "instagram", credentials)


@pytest.fixture
def mastodon(credentials: Credentials) -> Channel:
    return Channel(MASTODON_ID, ORGANIZATION_ID, "mastodon", credentials)


@pytest.fixture
def request_in_an_hour(media: MediaHost, time: Time) -> PublishRequest:
    address = media.address("/m/abc/1.jpg")
    image = Image(address, "a cat", "image/jpeg", 40, 1080, 1080, token="abc")
    return PublishRequest("Morning light\n\n#cats", time.now() + timedelta(hours=1), (image,))
