import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from libs.blobs.objects import ObjectBlobs, open_blobs
from libs.blobs.store import BlobStore, content_key, sha256
from libs.errors import InvalidArgument, NotFound, Unavailable
from tests.support.s3 import S3StandIn, s3_server
from tests.support.wait import eventually

_numbers = count(1)
DATA = bytes(range(256)) * 20_000  # 5 MB


@pytest.fixture(scope="module")
def s3() -> Iterator[S3StandIn]:
    with s3_server() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> ObjectBlobs:
    return open_blobs((tmp_path / "my blobs").as_uri())


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, folder: ObjectBlobs) -> ObjectBlobs:
    """Every test that takes this runs against a folder and against a bucket."""
    if request.param == "folder":
        return folder
    server: S3StandIn = request.getfixturevalue("s3")
    bucket = f"bucket-{next(_numbers)}"
    server.make_bucket(bucket)
    return open_blobs(f"s3://{bucket}/some/prefix", server.options)


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(blobs: BlobStore, key: str, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.stream(key, offset, length)])


def sizes_below(folder: Path) -> list[int]:
    """The sizes of all files, whatever they are called."""
    return [file.stat().st_size for file in folder.rglob("*") if file.is_file()]


async def keys(blobs: BlobStore, prefix: str = "") -> list[str]:
    return sorted([key async for key in blobs.list(prefix)])


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "one byte", "5 MB"])
async def test_what_is_put_can_be_got(blobs: ObjectBlobs, data: bytes) -> None:
    await blobs.put("a/whole.bin", data)
    await blobs.put("a/streamed.bin", pieces(data))
    for key in ("a/whole.bin", "a/streamed.bin"):
        assert await blobs.get(key) == data
        assert await read(blobs, key) == data
        assert await blobs.head(key) == len(data)


async def test_put_replaces(blobs: ObjectBlobs) -> None:
    await blobs.put("a", DATA)
    await blobs.put("a", b"short")
    assert await blobs.get("a") == b"short"


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 1), (10, 90), (0, None), (4_000_000, None), (len(DATA) - 1, 5), (len(DATA), None), (7, 0)],
)
async def test_ranges(blobs: ObjectBlobs, offset: int, length: int | None) -> None:
    await blobs.put("a", DATA)
    end = len(DATA) if length is None else offset + length
    assert await read(blobs, "a", offset, length) == DATA[offset:end]


@pytest.mark.parametrize("offset", [-1, len(DATA) + 1])
async def test_ranges_outside_are_refused(blobs: ObjectBlobs, offset: int) -> None:
    await blobs.put("a", DATA)
    with pytest.raises(InvalidArgument):
        await read(blobs, "a", offset)


async def test_a_large_stream_comes_in_pieces(blobs: ObjectBlobs) -> None:
    await blobs.put("a", DATA)
    sizes = [len(piece) async for piece in blobs.stream("a")]
    assert len(sizes) > 1
    assert max(sizes) <= 2 * 1024 * 1024


async def test_missing_keys(blobs: ObjectBlobs) -> None:
    for read_missing in (blobs.get("no/thing"), blobs.head("no/thing"), read(blobs, "no/thing")):
        with pytest.raises(NotFound):
            await read_missing
    assert not await blobs.exists("no/thing")
    await blobs.delete("no/thing")


async def test_delete(blobs: ObjectBlobs) -> None:
    await blobs.put("a/b", b"x")
    assert await blobs.exists("a/b")
    await blobs.delete("a/b")
    assert not await blobs.exists("a/b")


async def test_list_is_by_folder(blobs: ObjectBlobs) -> None:
    for key in ("photos/ab/1.jpg", "photos/ab/2.jpg", "photos/cd/3.jpg", "other/4.jpg"):
        await blobs.put(key, b"x")
    assert await keys(blobs, "photos/ab") == ["photos/ab/1.jpg", "photos/ab/2.jpg"]
    assert len(await keys(blobs)) == 4
    assert await keys(blobs, "nothing") == []


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "../a", "a/../b", "a//b", ".hidden", "a b", "ä", "a\n", "a#1"]
)
async def test_keys_that_are_no_keys(blobs: ObjectBlobs, tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidArgument):
        await blobs.put(key, b"x")
    assert sizes_below(tmp_path) == []


async def test_failed_upload_leaves_nothing(blobs: ObjectBlobs) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield DATA
        raise RuntimeError("the sender went away")

    with pytest.raises(Exception, match="went away"):
        await blobs.put("a", breaks())
    assert not await blobs.exists("a")
    assert await keys(blobs) == []


async def test_failed_upload_leaves_what_was_there(blobs: ObjectBlobs) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield DATA
        raise RuntimeError("the sender went away")

    await blobs.put("a", b"before")
    with pytest.raises(Exception, match="went away"):
        await blobs.put("a", breaks())
    assert await blobs.get("a") == b"before"


KILLED = """
import asyncio, sys
from libs.blobs.objects import open_blobs

async def endless():
    while True:
        yield b"x" * 6_000_000
        await asyncio.sleep(0.1)  # or it fills a disk before a busy machine comes to kill it

asyncio.run(open_blobs(sys.argv[1]).put("a/b.bin", endless()))
"""


async def test_nobody_sees_half_a_file_after_kill_9(folder: ObjectBlobs, tmp_path: Path) -> None:
    url = (tmp_path / "my blobs").as_uri()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, url)

    async def something_is_written() -> bool:
        return any(size > 0 for size in sizes_below(tmp_path))

    await eventually(something_is_written, within=120)
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    assert any(size > 0 for size in sizes_below(tmp_path))
    assert not await folder.exists("a/b.bin")
    assert await keys(folder) == []
    await folder.put("a/b.bin", b"whole")
    assert await folder.get("a/b.bin") == b"whole"


async def test_store_that_refuses_is_unavailable(tmp_path: Path) -> None:
    blobs = open_blobs(tmp_path.as_uri())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        await blobs.put("file/below.bin", b"x")


async def test_bucket_that_does_not_answer_is_unavailable() -> None:
    blobs = open_blobs(
        "s3://bucket/prefix",
        {
            "endpoint": "http://127.0.0.1:1",
            "access_key_id": "key",
            "secret_access_key": "secret",
            "region": "here",
        },
    )
    with pytest.raises(Unavailable):
        await blobs.get("a")


@pytest.mark.parametrize("url", ["http://example.org", "folder", "", "s4://bucket"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"blobs\.url"):
        open_blobs(url)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="colour"):
        open_blobs("s3://bucket", {"colour": "red"})


def test_content_key() -> None:
    digest = sha256(b"abc")
    assert digest.startswith("ba7816bf")
    assert content_key("photos", digest, "jpg") == f"photos/ba/78/{digest}.jpg"
