"""The importer against a catalog that only counts, behind a real gRPC server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    CatalogServiceStub,
    add_CatalogServiceServicer_to_server,
)
from colonnade.catalog.v1.photo_pb2 import Photo

from cli.connection import Suite
from cli.importer import Destination, Feed, Line, Report, Result, import_files, send_files
from cli.sources import Candidate
from cli.walk import Found
from libs.errors import FailedPrecondition, InvalidArgument, Unavailable
from libs.rpc.contracts import SERVICES
from tests.support.rpc import serve
from tests.support.wait import eventually

PERSONA = "personas/nora"
CHUNK = 1024 * 1024


class CountingCatalog(CatalogServiceServicer):
    """Knows bytes by their hash; refuses what starts with ``not`` as no image."""

    def __init__(self) -> None:
        self.headers: list[catalog.PhotoUpload] = []
        self.chunks: list[list[int]] = []
        self.known: set[str] = set()
        self.running = 0
        self.most_running = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.away_after = 1_000_000
        self.refuses_all = ""

    async def UploadPhoto(
        self,
        request_iterator: AsyncIterator[catalog.UploadPhotoRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> catalog.UploadPhotoResponse:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            return await self._receive(request_iterator)
        finally:
            self.running -= 1

    async def _receive(
        self, messages: AsyncIterator[catalog.UploadPhotoRequest]
    ) -> catalog.UploadPhotoResponse:
        received = [message async for message in messages]
        await self.gate.wait()
        chunks = [message.chunk for message in received[1:]]
        if len(self.headers) >= self.away_after:
            raise Unavailable("the database does not answer")
        if self.refuses_all:
            raise FailedPrecondition("nothing comes in", reason=self.refuses_all)
        self.headers.append(received[0].header)
        self.chunks.append([len(chunk) for chunk in chunks])
        content = b"".join(chunks)
        asked = received[0].header.sha256
        if asked in self.known:
            return catalog.UploadPhotoResponse(photo=photo_of(asked), duplicate=True)
        if asked and hashlib.sha256(content).hexdigest() != asked:
            raise InvalidArgument.of("header.sha256", "other bytes", reason="HASH_MISMATCH")
        if content.startswith(b"not"):
            raise InvalidArgument.of("chunk", "is no image", reason="UNSUPPORTED_IMAGE")
        digest = hashlib.sha256(content).hexdigest()
        duplicate = digest in self.known
        self.known.add(digest)
        return catalog.UploadPhotoResponse(photo=photo_of(digest), duplicate=duplicate)


def photo_of(digest: str) -> Photo:
    return Photo(name=f"{PERSONA}/photos/{digest[:8]}")


@pytest.fixture
def servicer() -> CountingCatalog:
    return CountingCatalog()  # type: ignore[abstract]


@pytest.fixture
async def suite(servicer: CountingCatalog) -> AsyncIterator[Suite]:
    served = serve(
        servicer,
        SERVICES["catalog"][0],
        add_CatalogServiceServicer_to_server,
        CatalogServiceStub,
    )
    async with served as stub:
        nobody = cast(Any, None)
        yield Suite(**{**dict.fromkeys(Suite.__dataclass_fields__, nobody), "catalog": stub})


def files_in(folder: Path, **contents: bytes) -> list[Found]:
    """Files by name; ``__`` stands for the dot."""
    found = []
    for key, content in contents.items():
        path = folder / key.replace("__", ".")
        path.write_bytes(content)
        found.append(Found(path, path.name))
    return found


def results(report: Report) -> dict[str, tuple[Result, str]]:
    return {line.path: (line.result, line.code) for line in report.lines}


async def test_each_file_is_accounted_for(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path
) -> None:
    files = files_in(
        tmp_path, a__jpg=b"one", b__jpg=b"two", c__jpg=b"not one", d__JPEG=b"not", e__txt=b"not"
    )
    copies = files_in(tmp_path, z__jpg=b"one")
    passed = Found(tmp_path / "pipe", "pipe", "not a plain file")
    report = await import_files(
        suite, [*files, *copies, passed], Destination(PERSONA), concurrency=1
    )
    assert results(report) == {
        "a.jpg": (Result.IMPORTED, ""),
        "b.jpg": (Result.IMPORTED, ""),
        "c.jpg": (Result.FAILED, "UNSUPPORTED_IMAGE"),
        "d.JPEG": (Result.FAILED, "UNSUPPORTED_IMAGE"),
        "e.txt": (Result.SKIPPED, "UNSUPPORTED_IMAGE"),
        "z.jpg": (Result.DUPLICATE, ""),
        "pipe": (Result.SKIPPED, ""),
    }
    by_path = {line.path: line for line in report.lines}
    assert by_path["z.jpg"].photo == by_path["a.jpg"].photo != ""
    assert by_path["c.jpg"].message == "is no image"
    assert by_path["pipe"].message == "not a plain file"


async def test_the_report_counts_and_lists(suite: Suite, tmp_path: Path) -> None:
    files = files_in(tmp_path, a__jpg=b"one", b__jpg=b"not")
    report = await import_files(suite, files, Destination(PERSONA), concurrency=1)
    data = report.as_dict()
    listed = data.pop("files")
    assert data == {"imported": 1, "duplicate": 0, "skipped": 0, "failed": 1}
    assert listed[1] == {
        "path": "b.jpg",
        "result": "failed",
        "photo": "",
        "code": "UNSUPPORTED_IMAGE",
        "message": "is no image",
    }


async def test_a_large_file_is_sent_in_pieces(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path
) -> None:
    files = files_in(tmp_path, large__jpg=bytes(2 * CHUNK + 5))
    await import_files(suite, files, Destination(PERSONA))
    assert servicer.chunks == [[CHUNK, CHUNK, 5]]


async def test_what_is_there_already_is_not_sent_again(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path
) -> None:
    """The first answer that a file is there makes the next ask before they send."""
    large = {f"large{n}__jpg": bytes([n]) * (5 * CHUNK) for n in range(2)}
    files = files_in(tmp_path, **{f"f{n}__jpg": b"%d" % n for n in range(6)}, **large)
    await import_files(suite, files, Destination(PERSONA), concurrency=1)
    servicer.chunks.clear()
    new = files_in(tmp_path, new__jpg=b"new", other__jpg=b"other")
    report = await import_files(suite, [*files, *new], Destination(PERSONA), concurrency=1)
    assert report.count(Result.DUPLICATE) == 8
    assert report.count(Result.IMPORTED) == 2
    asked: list[list[int]] = [[]] * 8
    assert servicer.chunks == [[1], *asked, [3], [5]], "only the last of eight is not known"


async def test_files_are_looked_for_as_they_are_sent(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path
) -> None:
    files = files_in(tmp_path, **{f"f{n}__jpg": b"%d" % n for n in range(40)})
    ahead = 0

    def looked_for() -> Iterator[Found]:
        nonlocal ahead
        for number, found in enumerate(files):
            ahead = max(ahead, number - len(servicer.headers))
            yield found

    async def done(_found: Candidate, _line: Line) -> None:
        pass

    feed = Feed(looked_for(), ahead=4)
    await send_files(suite, feed, Destination(PERSONA), done, concurrency=2)
    assert len(servicer.headers) == 40
    assert ahead <= 4 + 2


async def test_a_stopped_feed_lets_what_is_on_its_way_arrive(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path
) -> None:
    files = files_in(tmp_path, **{f"f{n}__jpg": b"%d" % n for n in range(12)})
    feed = Feed(files)
    seen: list[str] = []

    async def done(_found: Candidate, line: Line) -> None:
        seen.append(line.path)
        if len(seen) == 3:
            feed.stop()

    await send_files(suite, feed, Destination(PERSONA), done, concurrency=3)
    assert 3 <= len(seen) == len(servicer.headers) <= 6


@pytest.mark.parametrize("reason", ["IMPORT_COMPLETED", "NO_PILLARS", "ARCHIVED"])
async def test_what_is_wrong_with_every_file_ends_the_import(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path, reason: str
) -> None:
    servicer.refuses_all = reason
    with pytest.raises(FailedPrecondition):
        await import_files(suite, files_in(tmp_path, a__jpg=b"one"), Destination(PERSONA))


async def test_the_header_says_where_to_and_where_from(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path
) -> None:
    path = tmp_path / "été 🏖.jpg"
    path.write_bytes(b"sun")
    to = Destination(PERSONA, f"{PERSONA}/pillars/sea", ("sun", "sand"), dry_run=True)
    await import_files(suite, [Found(path, "2021/été 🏖.jpg")], to)
    assert servicer.headers == [
        catalog.PhotoUpload(
            parent=PERSONA,
            pillar=f"{PERSONA}/pillars/sea",
            file_name="été 🏖.jpg",
            source_path="2021/été 🏖.jpg",
            tags=["sun", "sand"],
            sha256=hashlib.sha256(b"sun").hexdigest(),
            validate_only=True,
        )
    ]


async def test_only_so_many_files_are_sent_at_once(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path
) -> None:
    files = files_in(tmp_path, **{f"f{n}__jpg": b"%d" % n for n in range(12)})
    servicer.gate.clear()

    async def three() -> bool:
        return servicer.running == 3

    sending = asyncio.create_task(import_files(suite, files, Destination(PERSONA), concurrency=3))
    await eventually(three)
    servicer.gate.set()
    await sending
    assert servicer.most_running == 3
    assert len(servicer.headers) == 12


async def test_a_file_that_cannot_be_read_costs_only_itself(suite: Suite, tmp_path: Path) -> None:
    """One is gone, one is a folder by now, one opens but fails while it is read."""
    (tmp_path / "folder.jpg").mkdir()
    broken = [
        Found(tmp_path / "gone.jpg", "gone.jpg"),
        Found(tmp_path / "folder.jpg", "folder.jpg"),
        Found(Path("/proc/self/mem"), "mem.jpg"),
    ]
    good = files_in(tmp_path, good__jpg=b"good")
    report = await import_files(suite, [*broken, *good], Destination(PERSONA), concurrency=1)
    assert results(report) == {
        "gone.jpg": (Result.FAILED, "UNREADABLE"),
        "folder.jpg": (Result.FAILED, "UNREADABLE"),
        "mem.jpg": (Result.FAILED, "UNREADABLE"),
        "good.jpg": (Result.IMPORTED, ""),
    }
    assert all(line.message for line in report.lines if line.result is Result.FAILED)


async def test_a_suite_that_goes_away_ends_the_import(
    suite: Suite, servicer: CountingCatalog, tmp_path: Path
) -> None:
    servicer.away_after = 2
    seen: list[Line] = []
    files = files_in(tmp_path, **{f"f{n}__jpg": b"%d" % n for n in range(6)})
    with pytest.raises(Unavailable):
        await import_files(suite, files, Destination(PERSONA), concurrency=1, progress=seen.append)
    assert [line.path for line in seen] == ["f0.jpg", "f1.jpg"]


async def test_progress_is_told_of_every_file(suite: Suite, tmp_path: Path) -> None:
    seen: list[Line] = []
    files = files_in(tmp_path, a__jpg=b"one", b__jpg=b"not")
    report = await import_files(suite, files, Destination(PERSONA), progress=seen.append)
    assert seen == report.lines
