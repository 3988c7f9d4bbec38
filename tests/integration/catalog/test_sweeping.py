"""Bytes that no photo uses go after a grace; bytes that one uses never do."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb

from libs.aio import BlockingPool
from libs.blobs.store import content_key, sha256
from libs.signing import Signer
from services.catalog.deps import sweep, use_cases
from services.catalog.domain.photo import Picture
from services.catalog.usecases.sweeping import SweepBlobs
from services.catalog.usecases.uploads import Upload
from tests.integration.catalog.library import Library, picture
from tests.support.wait import eventually

DAY = timedelta(days=1)
PUBLISH = pb.ReadPhotoMediaRequest.RENDITION_PUBLISH


@pytest.fixture
def sweeper(lib: Library) -> SweepBlobs:
    return sweep(lib.settings, lib.database, lib.blobs, lib.clock)


async def keys(lib: Library) -> set[str]:
    return {key async for key in lib.blobs.list()}


async def orphan(lib: Library, data: bytes = b"nobody's", folder: str = "originals") -> str:
    key = content_key(folder, sha256(data), "jpg")
    await lib.blobs.put(key, data)
    return key


async def test_unused_blobs_go_after_a_day_and_used_ones_stay(
    lib: Library, sweeper: SweepBlobs
) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona)
    await lib.media(photo.name, PUBLISH)
    used = await keys(lib)
    assert {key.partition("/")[0] for key in used} == {"originals", "thumbnails", "publish"}
    orphans = {await orphan(lib, folder=folder) for folder in ("originals", "thumbnails")}
    assert await sweeper.run() == 0
    lib.clock.advance(DAY - timedelta(seconds=1))
    assert await sweeper.run() == 0
    assert await keys(lib) == used | orphans
    lib.clock.advance(1)
    assert await sweeper.run() == 2
    assert await keys(lib) == used
    assert await lib.rows("SELECT key FROM catalog.unused_blobs") == []


async def test_bytes_of_a_deleted_photo_go_unless_another_uses_them(
    lib: Library, sweeper: SweepBlobs
) -> None:
    data = picture(5001)
    (first, _), (second, _) = await lib.place(), await lib.place()
    one, other = await lib.photo(first, data), await lib.photo(second, data)
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=one.name))
    for _ in range(2):
        await sweeper.run()
        lib.clock.advance(DAY)
    assert (await lib.media(other.name))[1] == data
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=other.name))
    for _ in range(2):
        await sweeper.run()
        lib.clock.advance(DAY)
    assert await keys(lib) == set()


async def test_a_blob_that_is_used_again_is_forgotten_not_removed(
    lib: Library, sweeper: SweepBlobs
) -> None:
    data = picture(5002)
    persona, _ = await lib.place()
    photo = await lib.photo(persona, data)
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=photo.name))
    await sweeper.run()
    lib.clock.advance(DAY)
    again = await lib.photo(persona, data)
    assert await sweeper.run() == 0
    assert (await lib.media(again.name))[1] == data


async def test_a_blob_whose_row_came_after_the_note_is_kept(
    lib: Library, sweeper: SweepBlobs
) -> None:
    """The sweep looked between the bytes and the row of an upload."""
    _, pillar = await lib.place()
    data = b"on its way in"
    key = await orphan(lib, data)
    await sweeper.run()
    digest = sha256(data)
    await lib.shelve(pillar, picture=Picture(digest, "image/jpeg", 1, 1, 1, digest))
    lib.clock.advance(DAY)
    assert await sweeper.run() == 0
    assert await keys(lib) == {key}


class Killed(Exception):
    """Stands for a process that dies."""


class DyingBlobs:
    """Dies right after the first blob is written."""

    def __init__(self, lib: Library) -> None:
        self._blobs = lib.blobs

    async def put(self, key: str, data: bytes | AsyncIterator[bytes]) -> None:
        await self._blobs.put(key, data)
        raise Killed


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_kill_between_bytes_and_row_leaves_only_what_the_sweep_removes(
    lib: Library, sweeper: SweepBlobs
) -> None:
    persona, _ = await lib.place()
    id = persona.removeprefix("personas/")
    pool = BlockingPool("decode", 1)
    signer = Signer(b"test", "photo-url")
    blobs = DyingBlobs(lib)
    dying = use_cases(lib.settings, lib.database, blobs, pool, lib.clock, lib.queue, signer)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        await dying.uploads.receive(Upload(id), once(picture(5003)))
    pool.close()
    assert len(await keys(lib)) == 1
    stats = await lib.cases.personas.stats(id)
    assert stats.photos == 0
    await sweeper.run()
    lib.clock.advance(DAY)
    assert await sweeper.run() == 1
    assert await keys(lib) == set()


async def test_an_upload_waits_for_a_removal_that_has_begun(
    lib: Library, sweeper: SweepBlobs
) -> None:
    """The removal holds the note, so the upload writes its bytes after it and keeps them."""
    data = picture(5004)
    persona, _ = await lib.place()
    photo = await lib.photo(persona, data)
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=photo.name))
    await sweeper.run()
    lib.clock.advance(DAY)
    for _ in range(5):
        received, _ = await asyncio.gather(lib.upload(persona, data), sweeper.run())
        assert (await lib.media(received.photo.name))[1] == data
        await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=received.photo.name))
        await sweeper.run()
        lib.clock.advance(DAY)


async def test_two_sweeps_at_once_do_no_harm(lib: Library, sweeper: SweepBlobs) -> None:
    for number in range(30):
        await orphan(lib, str(number).encode())
    await asyncio.gather(sweeper.run(), sweeper.run())
    lib.clock.advance(DAY)
    removed = await asyncio.gather(sweeper.run(), sweeper.run())
    assert sum(removed) == 30
    assert await keys(lib) == set()


async def test_notes_of_the_same_blobs_in_any_order_do_not_block_each_other(lib: Library) -> None:
    """A store lists its blobs in an order of its own, and it may be another the next time."""
    keys = sorted(content_key("originals", sha256(b"%d" % number), "jpg") for number in range(9))

    async def note(some: list[str]) -> None:
        async with lib.catalog.changing() as tx:
            await tx.blobs.mark(some, lib.clock.now())
            await tx.commit()

    async def both_wait() -> bool:
        waiting = await lib.rows(
            "SELECT FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return len(waiting) == 2

    # Held up in the middle, so that each has noted a half.
    async with lib.catalog.changing() as other:
        await other.blobs.mark(keys[4:5], lib.clock.now())
        sweeps = [asyncio.create_task(note(some)) for some in (keys, keys[::-1])]
        await eventually(both_wait)
        await other.commit()
    await asyncio.gather(*sweeps)
    rows = await lib.rows(
        "DELETE FROM catalog.unused_blobs WHERE key = ANY(:keys) RETURNING key", keys=keys
    )
    assert {row.key for row in rows} == set(keys)
