"""Whole imports: folders, archives and buckets, interrupted and gone on with, in flat memory."""

import gc
import gzip
import io
import os
import signal
import tarfile
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, cast

import obstore
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.photo_import_pb2 import PhotoImport, PhotoImportItem
from obstore.store import MemoryStore

from cli.account import import_items
from cli.buckets import stored_objects
from cli.connection import Suite
from cli.importer import Destination
from cli.importing import Imported, import_source, show_imported
from cli.sources import Candidate, Source, source_of
from libs.errors import InvalidArgument
from tests.integration.catalog.library import Library, picture
from tests.support.folders import BROKEN, COPIES, LINKS, OTHERS, PHOTOS, mixed_folder, tiny_photo

Item = PhotoImportItem
COUNT = 1002
EVERY = 20
FILES = PHOTOS + COPIES + BROKEN + OTHERS + LINKS


class Uploads:
    """Passes uploads on and counts what they send."""

    def __init__(self, lib: Library) -> None:
        self._lib = lib
        self.calls = 0
        self.sent = 0

    async def UploadPhoto(self, messages: AsyncIterator[Any]) -> catalog.UploadPhotoResponse:
        self.calls += 1
        return await self._lib.stub.UploadPhoto(self._counted(messages))

    async def _counted(self, messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for message in messages:
            self.sent += len(message.chunk)
            yield message


@pytest.fixture
def uploads(lib: Library) -> Uploads:
    return Uploads(lib)


@pytest.fixture
def suite(lib: Library, uploads: Uploads) -> Suite:
    nobody = cast(Any, None)
    service = cast(Any, uploads)
    parts = dict.fromkeys(Suite.__dataclass_fields__, nobody)
    known = {"catalog": service, "planning": lib.planning, "imports": lib.imports}
    return Suite(**{**parts, **known})


def counted(imported: Imported) -> tuple[int, int, int, int]:
    counts = imported.account.counts
    return counts.imported, counts.duplicate, counts.skipped, counts.failed


async def outcomes(suite: Suite, imported: Imported) -> dict[str, str]:
    """What became of each file, by path."""
    items = import_items(suite, imported.account.name)
    return {item.source_path: Item.Outcome.Name(item.outcome)[8:] async for item in items}


async def photos_of(lib: Library, persona: str) -> int:
    stats = catalog.GetLibraryStatsRequest(name=f"{persona}/libraryStats")
    return (await lib.stub.GetLibraryStats(stats)).photos


async def test_every_file_of_a_folder_is_accounted_for(
    lib: Library, suite: Suite, uploads: Uploads, tmp_path: Path
) -> None:
    persona, pillar = await lib.place()
    mixed_folder(tmp_path / "photos")
    source = source_of(str(tmp_path / "photos"))
    assert source.count() == FILES == 120
    first = await import_source(suite, source, Destination(persona, pillar), quiet=True)
    assert counted(first) == (PHOTOS, COPIES, OTHERS + LINKS, BROKEN)
    assert first.account.state == PhotoImport.STATE_COMPLETED
    assert len(first.failures) == BROKEN and all(item.error.message for item in first.failures)
    assert len(await outcomes(suite, first)) == FILES
    assert await photos_of(lib, persona) == PHOTOS
    sent, uploads.sent = uploads.sent, 0
    second = await import_source(suite, source, Destination(persona, pillar), quiet=True)
    assert counted(second) == (0, PHOTOS + COPIES, OTHERS + LINKS, BROKEN)
    assert second.account.name != first.account.name
    assert uploads.sent < sent / 2, "what is known is not sent again"


async def test_ctrl_c_finishes_what_is_on_its_way_and_the_next_run_the_rest(
    lib: Library, suite: Suite, uploads: Uploads, tmp_path: Path
) -> None:
    persona, _ = await lib.place()
    mixed_folder(tmp_path / "photos")
    whole = source_of(str(tmp_path / "photos"))

    def interrupted() -> Iterator[Candidate]:
        for number, found in enumerate(whole.files()):
            if number == 40:
                os.kill(os.getpid(), signal.SIGINT)
            yield found

    handler = signal.getsignal(signal.SIGINT)
    to = Destination(persona)
    first = await import_source(suite, replace(whole, files=interrupted, ahead=4), to, quiet=True)
    assert first.interrupted
    assert first.account.state == PhotoImport.STATE_OPEN
    assert 0 < sum(counted(first)) < FILES
    assert signal.getsignal(signal.SIGINT) == handler
    noted = await outcomes(suite, first)
    assert len(noted) == sum(counted(first)) == first.account.counts.failed + uploads_noted(noted)
    calls, uploads.calls = uploads.calls, 0
    second = await import_source(suite, whole, to, quiet=True)
    assert second.account.name == first.account.name
    assert not second.interrupted
    assert counted(second) == (PHOTOS, COPIES, OTHERS + LINKS, BROKEN)
    assert await photos_of(lib, persona) == PHOTOS
    assert uploads.calls < FILES - calls + 2 * BROKEN, "only the rest and what failed is sent"


def uploads_noted(noted: dict[str, str]) -> int:
    return sum(outcome != "FAILED" for outcome in noted.values())


async def test_a_file_that_changed_since_is_looked_at_again(
    lib: Library, suite: Suite, tmp_path: Path
) -> None:
    persona, _ = await lib.place()
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(picture(70_000 + number))
    whole = source_of(str(folder))

    def without_end() -> Iterator[Candidate]:
        yield from whole.files()
        os.kill(os.getpid(), signal.SIGINT)

    to = Destination(persona)
    first = await import_source(suite, replace(whole, files=without_end, ahead=1), to, quiet=True)
    assert first.interrupted
    (folder / "1.jpg").write_bytes(picture(70_010))
    second = await import_source(suite, whole, to, quiet=True)
    assert counted(second) == (3, 0, 0, 0)
    assert await photos_of(lib, persona) == 4, "the old picture stays, the new one came too"


async def test_a_dry_run_tells_what_would_happen(
    lib: Library, suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    persona, _ = await lib.place()
    mixed_folder(tmp_path / "photos")
    to = Destination(persona, dry_run=True)
    imported = await import_source(suite, source_of(str(tmp_path / "photos")), to, quiet=True)
    assert counted(imported) == (PHOTOS + COPIES, 0, OTHERS + LINKS, BROKEN)
    assert imported.account.dry_run
    assert await photos_of(lib, persona) == 0
    show_imported(imported)
    shown = capsys.readouterr().out
    assert "120 files" in shown and "(dry run)" in shown
    assert f"colonnade imports report {imported.account.name}" in shown.replace("\n", "")


def tar_of(path: Path, members: dict[str, bytes], mode: Any = "w") -> None:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)


def zip_of(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")


MEMBERS = {
    "trip/one.jpg": picture(60_001),
    "trip/deeper/two.png": picture(60_002),
    "again.jpg": picture(60_001),
    "../escape.jpg": picture(60_003),
    "/absolute.jpg": picture(60_004),
    "notes.txt": b"nothing to see",
    "bomb.jpg": bytes(30_000_000),
    "large.jpg": picture(60_005) + bytes(1_500_000),
}
BECAME = {
    "trip/one.jpg": "IMPORTED",
    "trip/deeper/two.png": "IMPORTED",
    "again.jpg": "DUPLICATE",
    "../escape.jpg": "SKIPPED",
    "/absolute.jpg": "SKIPPED",
    "notes.txt": "SKIPPED",
    "bomb.jpg": "FAILED",
    "large.jpg": "IMPORTED",
    "link.jpg": "SKIPPED",
}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tgz"])
async def test_archives_are_read_as_they_are(
    lib: Library, suite: Suite, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    persona, _ = await lib.place()
    path = tmp_path / f"photos.{kind}"
    if kind == "zip":
        zip_of(path, MEMBERS)
    else:
        tar_of(path, MEMBERS, "w" if kind == "tar" else "w:gz")
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    source = source_of(str(path))
    assert source.count() == (len(BECAME) if kind == "zip" else None)
    imported = await import_source(suite, source, Destination(persona), quiet=True)
    became = await outcomes(suite, imported)
    twins = ("trip/one.jpg", "again.jpg")  # whichever is first
    assert sorted(became[twin] for twin in twins) == ["DUPLICATE", "IMPORTED"]
    others = {path: what for path, what in BECAME.items() if path not in twins}
    assert {path: what for path, what in became.items() if path not in twins} == others
    assert os.listdir(inside) == [], "nothing is unpacked"
    assert "escape.jpg" not in os.listdir(tmp_path)
    again = await import_source(suite, source_of(str(path)), Destination(persona), quiet=True)
    assert counted(again) == (0, 4, 4, 1)


async def test_an_archive_that_ends_early_leaves_its_import_open(
    lib: Library, suite: Suite, tmp_path: Path
) -> None:
    persona, _ = await lib.place()
    path = tmp_path / "photos.tar.gz"
    tar_of(path, {f"{n}.jpg": os.urandom(30_000) for n in range(20)}, "w:gz")
    path.write_bytes(path.read_bytes()[:300_000])
    with pytest.raises(InvalidArgument) as raised:
        await import_source(suite, source_of(str(path)), Destination(persona), quiet=True)
    assert raised.value.violations[0].field == "source"
    for name in ("not.zip", "not.tar.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"nothing"))
        with pytest.raises(InvalidArgument):
            source = source_of(str(tmp_path / name))
            await import_source(suite, source, Destination(persona), quiet=True)
    for missing in ("nowhere", "photo.jpg"):
        with pytest.raises(InvalidArgument):
            source_of(str(tmp_path / missing))


async def test_a_damaged_member_costs_only_itself(
    lib: Library, suite: Suite, tmp_path: Path
) -> None:
    persona, _ = await lib.place()
    path = tmp_path / "photos.zip"
    good, bad = picture(61_001), picture(61_002)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("good.jpg", good)
        archive.writestr("bad.jpg", bad)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("bad.jpg", picture(61_003))
    data = path.read_bytes()
    middle = data.index(bad) + len(bad) // 2
    path.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    imported = await import_source(suite, source_of(str(path)), Destination(persona), quiet=True)
    assert await outcomes(suite, imported) == {
        "good.jpg": "IMPORTED",
        "bad.jpg": "FAILED",
        "bad.jpg (2)": "IMPORTED",
    }
    (failure,) = imported.failures
    assert "archive" in failure.error.message


async def test_a_bucket_is_read_like_a_folder(lib: Library, suite: Suite) -> None:
    persona, _ = await lib.place()
    bucket = MemoryStore()
    for number in range(12):
        obstore.put(bucket, f"trip {number % 3}/{number}.jpg", picture(62_000 + number))
    obstore.put(bucket, "large.jpg", picture(62_100) + bytes(5_000_000))
    obstore.put(bucket, "readme.txt", b"nothing to see")
    source = Source("s3://photos/all", lambda: stored_objects(bucket), lambda: None)
    imported = await import_source(suite, source, Destination(persona), quiet=True)
    assert counted(imported) == (12, 0, 1, 1), "the large one is larger than what is taken here"
    again = await import_source(suite, source, Destination(persona), quiet=True)
    assert counted(again) == (0, 12, 1, 1)
    flat = [found.relative for found in stored_objects(bucket, recursive=False)]
    assert sorted(flat) == ["large.jpg", "readme.txt"]


async def test_memory_does_not_grow_over_a_thousand_files(lib: Library, suite: Suite) -> None:
    """Client and service together. What is on its way differs from look to look, and something is
    made once: what grows with the files shows in most of the steps from one look to the next."""
    persona, _ = await lib.place()
    held: list[int] = []

    def files() -> Iterator[Candidate]:
        for number in range(COUNT):
            if number % EVERY == 0:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
            yield _Made(number)

    gc.freeze()  # what was there before is not looked through fifty times
    tracemalloc.start()
    try:
        source = Source("/many", files, lambda: COUNT)
        imported = await import_source(suite, source, Destination(persona), quiet=True)
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    assert counted(imported) == (COUNT // 3, 0, COUNT // 2, COUNT // 6)
    steps = [after - before for before, after in pairwise(held[10:])]
    assert median(steps) < EVERY * 600, steps  # half of it is for the bar of progress


class _Made:
    """A file that is made when it is opened: of six two are photos, one is broken, one is text and
    two are links."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._kind = number % 6
        self.skipped = "a link that leaves the folder" if self._kind > 3 else ""
        suffix = "txt" if self._kind == 0 else "jpg"
        self.relative = f"folder {number // 100}/{number:06}.{suffix}"
        self.fingerprint = f"{number}"

    def open(self) -> io.BytesIO:
        rubbish = {0: b"text", 1: b"\xff\xd8\xff broken"}
        return io.BytesIO(rubbish.get(self._kind) or tiny_photo(self._number))
