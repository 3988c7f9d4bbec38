from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from libs.http import HttpClient
from libs.images import ImageLimits, thumbnail_jpeg
from services.scheduler.providers.base import Channel, Image, Publisher, PublishRequest
from services.scheduler.providers.pictures import Pictures
from tests.contract.providers.sides import SIDES, Side, Time
from tests.contract.providers.worker import Worker
from tests.support.buffer.media_host import MediaHost
from tests.support.pictures import encoded, waves
from tests.support.scheduler_fakes import Killed, MemoryBlobs

PATIENCE = 60.0
KEY = "publications/a.jpg"
GPS_IFD, GPS_LATITUDE = 0x8825, 2


class Mortal(httpx.AsyncBaseTransport):
    """The network of a process that dies at its ``dies_at``th request, before or after it."""

    def __init__(self) -> None:
        self._transport = httpx.AsyncHTTPTransport()
        self.requests = 0
        self.dies_at = 0
        self.dies_after = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        dies = self.requests == self.dies_at
        if dies and not self.dies_after:
            raise Killed
        response = await self._transport.handle_async_request(request)
        if dies:
            await response.aread()
            await response.aclose()
            raise Killed
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


def a_picture() -> bytes:
    """A picture as the catalog gives it for publishing, of a photo that says where it was made."""
    image = waves(1200, 900)
    exif = image.getexif()
    exif.get_ifd(GPS_IFD)[GPS_LATITUDE] = (52.0, 31.0, 12.0)
    photo = encoded(image, "JPEG", exif=exif)
    assert b"Exif" in photo
    return thumbnail_jpeg(photo, 1000, 90, ImageLimits())


@pytest.fixture(scope="package")
def picture() -> bytes:
    return a_picture()


@pytest.fixture
def pictures(picture: bytes) -> Pictures:
    blobs = MemoryBlobs()
    blobs.kept[KEY] = picture
    return Pictures(blobs)


@pytest_asyncio.fixture(params=sorted(SIDES), scope="module", loop_scope="module")
async def running_side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    async with SIDES[request.param]() as side:
        yield side


@pytest_asyncio.fixture(loop_scope="module")
async def side(running_side: Side) -> Side:
    await running_side.reset()
    return running_side


@pytest.fixture
def time(side: Side) -> Time:
    return Time(side)


@pytest.fixture
def network() -> Mortal:
    return Mortal()


@pytest_asyncio.fixture(loop_scope="module")
async def http(time: Time, network: Mortal) -> AsyncIterator[HttpClient]:
    async with HttpClient(
        user_agent="colonnade-test/1",
        total=PATIENCE,
        transport=network,
        failures=50,
        clock=time.monotonic,
        sleep=time.sleep,
        jitter=lambda: 0.0,
    ) as client:
        yield client


@pytest.fixture
def adapter(
    side: Side, http: HttpClient, pictures: Pictures, time: Time
) -> Callable[[], Publisher]:
    return lambda: side.publisher(http, pictures, time)


@pytest.fixture
def publisher(adapter: Callable[[], Publisher]) -> Publisher:
    return adapter()


@pytest_asyncio.fixture(loop_scope="module")
async def channel(side: Side, publisher: Publisher) -> Channel:
    return await side.channel(publisher)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def media() -> AsyncIterator[MediaHost]:
    async with MediaHost.serve() as host:
        yield host


@pytest.fixture
def request_now(media: MediaHost, time: Time, picture: bytes) -> PublishRequest:
    image = Image(
        media.address("/m/abc.jpg"), "a cat, asleep", "image/jpeg", len(picture), 1000, 750, KEY
    )
    due_at = time.now() + timedelta(seconds=30)
    text = "Morning light & tea\n\nmore at https://studio.example/a?b=1 #cats #größe"
    return PublishRequest(text, due_at, (image,), key="0192f0c1-1111-7000-8000-00000000000a")


@pytest.fixture
def worker(
    publisher: Publisher, channel: Channel, request_now: PublishRequest, time: Time
) -> Worker:
    return Worker(lambda: publisher, channel, request_now, time)
