"""Pictures are served while the database is away, to those whose address says enough."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from libs.errors import NotFound, Unavailable
from libs.signing import Signer
from services.scheduler.domain.photo import Snapshot
from services.scheduler.usecases import media
from services.scheduler.usecases.media import ReadMedia
from services.scheduler.usecases.media_address import Grant, MediaAddress, MediaAddresses, key_of
from tests.support.clock import NOON, FakeClock
from tests.support.scheduler_fakes import (
    FakeStore,
    FakeTransaction,
    MemoryBlobs,
    a_channel,
    a_post,
    a_publication,
)

DIGEST = "cd" * 32
PICTURE = Snapshot(key_of(DIGEST), DIGEST, "image/jpeg", 9, 40, 30)
TOKEN = "secret-media-token"


class Outage(FakeStore):
    """A store whose database can be away, or stuck."""

    is_away = is_stuck = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[FakeTransaction]:
        if self.is_away:
            raise Unavailable("the database is away")
        if self.is_stuck:
            await asyncio.Event().wait()
        async with super().reading() as view:
            yield view


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Outage:
    store = Outage()
    store.add(a_channel(clock.now()), a_post(clock.now(), media=PICTURE))
    return store


@pytest.fixture
def addresses() -> MediaAddresses:
    return MediaAddresses("https://studio.example", Signer(b"of a test", "media"))


@pytest.fixture
def read(store: Outage, addresses: MediaAddresses, clock: FakeClock) -> ReadMedia:
    return ReadMedia(store, MemoryBlobs(), addresses, clock)


def address(addresses: MediaAddresses, token: str = TOKEN) -> str:
    url = addresses.url(token, Grant(PICTURE, NOON + timedelta(days=3)))
    return url.rpartition("/")[2].removesuffix(".jpg")


def test_an_address_says_what_it_opens_and_for_how_long(addresses: MediaAddresses) -> None:
    text = address(addresses)
    grant = Grant(PICTURE, NOON + timedelta(days=3))
    assert addresses.read(text) == MediaAddress(TOKEN, grant)
    assert text == address(addresses)
    assert len(text) <= 400


def test_what_was_not_signed_here_grants_nothing(addresses: MediaAddresses) -> None:
    other = MediaAddresses("https://studio.example", Signer(b"of another", "media"))
    forged = address(other)
    changed = address(addresses)[:-4] + "AAAA"
    of_another = f"another.{address(addresses).partition('.')[2]}"
    for text in (TOKEN, "A" * 32, "A" * 31, forged, changed, of_another, ""):
        assert addresses.read(text) == MediaAddress(text.partition(".")[0], None)


async def test_an_address_that_another_secret_signed_opens_its_picture_by_its_token(
    store: Outage, read: ReadMedia
) -> None:
    before = MediaAddresses("https://studio.example", Signer(b"of yesterday", "media"))
    assert await read.find(address(before)) == PICTURE
    store.is_away = True
    with pytest.raises(Unavailable):
        await read.find(address(before))


@pytest.mark.parametrize("kind", ["is_away", "is_stuck"])
async def test_an_address_opens_its_picture_without_the_database(
    kind: str,
    store: Outage,
    read: ReadMedia,
    addresses: MediaAddresses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "DATABASE_PATIENCE", 0.01)
    setattr(store, kind, True)
    assert await read.find(address(addresses)) == PICTURE
    with pytest.raises(Unavailable):
        await read.find(TOKEN)


async def test_the_grant_of_an_address_ends(
    store: Outage, read: ReadMedia, addresses: MediaAddresses, clock: FakeClock
) -> None:
    store.is_away = True
    clock.advance(3 * 86400 - 1)
    assert await read.find(address(addresses)) == PICTURE
    clock.advance(1)
    with pytest.raises(Unavailable):
        await read.find(address(addresses))
    store.is_away = False
    assert await read.find(address(addresses)) == PICTURE


async def test_the_database_decides_while_it_is_there(
    store: Outage, read: ReadMedia, addresses: MediaAddresses, clock: FakeClock
) -> None:
    now = clock.now()
    ended = a_publication(now, ended_at=now - timedelta(days=1))
    store.add(a_channel(now), a_post(now, ended, media=PICTURE))
    for text in (address(addresses), address(addresses, token="of another"), TOKEN):
        with pytest.raises(NotFound) as caught:
            await read.find(text)
        assert text not in str(caught.value)
