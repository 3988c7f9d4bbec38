from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
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
from tests.support.clock import NOON

# For what only a busy machine makes wait.
PATIENCE = 60.0


class Network(httpx.AsyncBaseTransport):
    """The network to Buffer, over which as many answers come too late as are ``late``."""

    def __init__(self) -> None:
        self._transport = httpx.AsyncHTTPTransport()
        self.late = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        if self.late:
            self.late -= 1
            await response.aclose()
            raise httpx.ReadTimeout("nobody waits any longer", request=request)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


@dataclass
class Time:
    """One time for the stand-in and for us, which passes only as it is told."""

    buffer: BufferStandIn
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
        await self.buffer.admin.advance(seconds)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_buffer() -> AsyncIterator[BufferStandIn]:
    async with BufferStandIn(wall=NOON.timestamp) as buffer:
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


@pytest.fixture
def network() -> Network:
    return Network()


@pytest_asyncio.fixture(loop_scope="module")
async def http(time: Time, network: Network) -> AsyncIterator[HttpClient]:
    async with HttpClient(
        user_agent="colonnade-test/1",
        total=PATIENCE,
        transport=network,
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
