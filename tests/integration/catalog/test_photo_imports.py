"""The account of an import: complete, exact, resumable, and nobody else's."""

import asyncio
import uuid
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import import_service_pb2 as pb
from colonnade.catalog.v1.photo_import_pb2 import PhotoImport, PhotoImportCounts, PhotoImportItem

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from libs.rpc.status import to_status
from tests.integration.catalog.library import Library, picture
from tests.support.wait import eventually

Item = PhotoImportItem
STATEMENTS = 5


async def opened(lib: Library, persona: str, source: str = "/photos", **fields: Any) -> PhotoImport:
    wanted = PhotoImport(source=source, **fields)
    request = pb.CreatePhotoImportRequest(parent=persona, photo_import=wanted)
    return await lib.imports.CreatePhotoImport(request)


async def record(lib: Library, name: str, *items: Item) -> PhotoImport:
    request = pb.RecordPhotoImportItemsRequest(parent=name, items=items)
    return (await lib.imports.RecordPhotoImportItems(request)).photo_import


async def complete(lib: Library, name: str) -> PhotoImport:
    request = pb.CompletePhotoImportRequest(name=name)
    return (await lib.imports.CompletePhotoImport(request)).photo_import


async def got(lib: Library, name: str) -> PhotoImport:
    return await lib.imports.GetPhotoImport(pb.GetPhotoImportRequest(name=name))


async def items_of(lib: Library, name: str, filter: str = "", size: int = 0) -> list[Item]:
    """All items, page by page."""
    found: list[Item] = []
    token = ""
    while True:
        request = pb.ListPhotoImportItemsRequest(
            parent=name, filter=filter, page_size=size, page_token=token
        )
        page = await lib.imports.ListPhotoImportItems(request)
        found.extend(page.items)
        token = page.next_page_token
        if not token:
            return found


def failed(path: str, reason: str = "DAMAGED_IMAGE", message: str = "is damaged") -> Item:
    error = to_status(FailedPrecondition(message, reason=reason))
    return Item(source_path=path, outcome=Item.OUTCOME_FAILED, error=error)


def skipped(path: str) -> Item:
    return Item(source_path=path, outcome=Item.OUTCOME_SKIPPED)


def counts(imported: int = 0, duplicate: int = 0, skipped: int = 0, failed: int = 0) -> Any:
    return PhotoImportCounts(imported=imported, duplicate=duplicate, skipped=skipped, failed=failed)


async def test_uploads_note_themselves_and_counts_equal_a_recount(lib: Library) -> None:
    persona, _ = await lib.place()
    account = await opened(lib, persona)
    one, two = picture(90_001), picture(90_002)
    first = await lib.upload(
        persona, one, photo_import=account.name, source_path="a/1.jpg", fingerprint="10-1"
    )
    await lib.upload(persona, two, photo_import=account.name, source_path="a/2.jpg")
    again = await lib.upload(persona, one, photo_import=account.name, source_path="b/1.jpg")
    found = await record(lib, account.name, failed("c.jpg"), skipped("d.txt"))
    assert found.counts == counts(imported=2, duplicate=1, skipped=1, failed=1)
    assert await got(lib, account.name) == found
    items = {item.source_path: item for item in await items_of(lib, account.name)}
    assert list(items) == ["a/1.jpg", "a/2.jpg", "b/1.jpg", "c.jpg", "d.txt"]
    assert items["a/1.jpg"].outcome == Item.OUTCOME_IMPORTED
    assert items["a/1.jpg"].photo == items["b/1.jpg"].photo == first.photo.name == again.photo.name
    assert items["a/1.jpg"].fingerprint == "10-1"
    assert items["b/1.jpg"].outcome == Item.OUTCOME_DUPLICATE
    assert items["c.jpg"].error.message == "is damaged"
    assert items["c.jpg"].error == failed("c.jpg").error
    assert items["d.txt"].HasField("update_time")


async def test_an_interrupted_import_goes_on_and_a_complete_one_does_not(lib: Library) -> None:
    persona, _ = await lib.place()
    account = await opened(lib, persona)
    await record(lib, account.name, skipped("a"))
    same = await opened(lib, persona)
    assert (same.name, same.counts) == (account.name, counts(skipped=1))
    assert (await opened(lib, persona, dry_run=True)).name != account.name
    assert (await opened(lib, persona, "/other")).name != account.name
    lib.clock.advance(5)
    ended = await complete(lib, account.name)
    assert ended.state == PhotoImport.STATE_COMPLETED
    assert ended.counts == counts(skipped=1)
    assert ended.HasField("complete_time")
    assert await complete(lib, account.name) == ended, "again, it stays as it is"
    assert (await opened(lib, persona)).name != account.name
    late = lib.upload(persona, photo_import=account.name, source_path="late.jpg")
    for change in (late, record(lib, account.name, skipped("b"))):
        with pytest.raises(FailedPrecondition) as raised:
            await change
        assert raised.value.reason == "IMPORT_COMPLETED"
    assert await got(lib, account.name) == ended
    assert (await lib.stub.ListPhotos(catalog.ListPhotosRequest(parent=persona))).photos == []


async def test_a_path_is_noted_once_and_what_came_in_stays_new(lib: Library) -> None:
    persona, _ = await lib.place()
    account = await opened(lib, persona)
    await record(lib, account.name, failed("a.jpg"), skipped("b"), failed("b"))
    data = picture(90_003)
    header: dict[str, Any] = {"photo_import": account.name, "source_path": "a.jpg"}
    await lib.upload(persona, data, **header, fingerprint="1")
    assert (await lib.upload(persona, data, **header, fingerprint="2")).duplicate
    items = await items_of(lib, account.name)
    assert [(item.source_path, item.outcome) for item in items] == [
        ("a.jpg", Item.OUTCOME_IMPORTED),
        ("b", Item.OUTCOME_FAILED),
    ]
    assert items[0].fingerprint == "2"
    assert not items[0].HasField("error")


async def test_a_dry_run_stores_nothing_but_its_account(lib: Library) -> None:
    persona, _ = await lib.place()
    account = await opened(lib, persona, dry_run=True)
    header: dict[str, Any] = {"photo_import": account.name, "validate_only": True}
    await lib.upload(persona, source_path="a.jpg", **header)
    known = await lib.photo(persona)
    data = (await lib.media(known.name))[1]
    await lib.upload(persona, data, source_path="b.jpg", **header)
    assert (await got(lib, account.name)).counts == counts(imported=1, duplicate=1)
    assert [item.photo for item in await items_of(lib, account.name)] == ["", known.name]
    photos = await lib.stub.ListPhotos(catalog.ListPhotosRequest(parent=persona))
    assert [photo.name for photo in photos.photos] == [known.name]
    for mixed in (
        {**header, "validate_only": False},
        {**header, "photo_import": (await opened(lib, persona)).name},
    ):
        with pytest.raises(InvalidArgument) as raised:
            await lib.upload(persona, source_path="c.jpg", **mixed)
        assert raised.value.violations[0].field == "header.validate_only"


async def test_only_uploads_say_that_a_photo_came_in(lib: Library) -> None:
    persona, _ = await lib.place()
    account = await opened(lib, persona)
    for outcome in (Item.OUTCOME_IMPORTED, Item.OUTCOME_DUPLICATE):
        with pytest.raises(InvalidArgument) as raised:
            await record(lib, account.name, skipped("a"), Item(source_path="b", outcome=outcome))
        assert raised.value.violations[0].field == "items[1].outcome"
    with pytest.raises(InvalidArgument) as raised:
        await lib.upload(persona, photo_import=account.name)
    assert raised.value.violations[0].field == "header.source_path"
    assert await items_of(lib, account.name) == []


async def test_what_belongs_to_somebody_else_is_not_found(lib: Library) -> None:
    persona, pillar = await lib.place()
    stranger, foreign = await lib.place()
    account = await opened(lib, persona)
    theirs = account.name.replace(persona, stranger)
    none = f"{persona}/photoImports/{uuid.uuid4()}"
    for name in (theirs, none):
        with pytest.raises(NotFound):
            await got(lib, name)
        with pytest.raises(NotFound):
            await complete(lib, name)
        with pytest.raises(NotFound):
            await record(lib, name, skipped("a"))
        with pytest.raises(NotFound):
            await items_of(lib, name)
    for call in (
        lib.upload(stranger, photo_import=account.name, source_path="a"),
        lib.upload(persona, photo_import=none, source_path="a"),
        opened(lib, persona, pillar=foreign),
        opened(lib, persona, pillar=f"{persona}/pillars/none"),
        opened(lib, "personas/nobody-here"),
        lib.imports.ListPhotoImports(pb.ListPhotoImportsRequest(parent="personas/nobody-here")),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await opened(lib, persona, "/pillar", pillar=pillar)).pillar == pillar


async def test_the_open_import_of_a_source_keeps_its_pillar(lib: Library) -> None:
    persona, pillar = await lib.place()
    account = await opened(lib, persona, pillar=pillar)
    with pytest.raises(AlreadyExists) as raised:
        await opened(lib, persona)
    assert raised.value.name == account.name


async def test_the_same_request_opens_one_import(lib: Library) -> None:
    persona, _ = await lib.place()
    id = str(uuid.uuid4())
    request = pb.CreatePhotoImportRequest(
        parent=persona, photo_import=PhotoImport(source="/once"), request_id=id
    )
    first = await lib.imports.CreatePhotoImport(request)
    await complete(lib, first.name)
    assert (await lib.imports.CreatePhotoImport(request)).name == first.name
    made = await asyncio.gather(*(opened(lib, persona, "/twice") for _ in range(6)))
    assert len({account.name for account in made}) == 1


async def test_imports_are_listed_newest_first(lib: Library) -> None:
    persona, _ = await lib.place()
    names = []
    for source in ("/a", "/b", "/c"):
        names.append((await opened(lib, persona, source)).name)
        lib.clock.advance(1)
    await record(lib, names[0], skipped("x"))
    await complete(lib, names[1])

    async def listed(filter: str = "", size: int = 0, token: str = "") -> Any:
        request = pb.ListPhotoImportsRequest(
            parent=persona, filter=filter, page_size=size, page_token=token
        )
        return await lib.imports.ListPhotoImports(request)

    page = await listed(size=2)
    assert [one.name for one in page.photo_imports] == [names[2], names[1]]
    rest = await listed(size=2, token=page.next_page_token)
    assert [one.counts.skipped for one in rest.photo_imports] == [1]
    by_state = await listed('state = "OPEN"')
    assert [one.source for one in by_state.photo_imports] == ["/c", "/a"]
    assert [one.source for one in (await listed('source = "/b*"')).photo_imports] == ["/b"]
    with pytest.raises(InvalidArgument):
        await listed('state = "LOST"')


async def test_items_are_paged_by_path_however_long(lib: Library) -> None:
    persona, _ = await lib.place()
    account = await opened(lib, persona)
    long = "🏖" * 1000
    paths = sorted([f"{n:04}.jpg" for n in range(230)] + [long + "a", long + "b"])
    for start in range(0, len(paths), 100):
        await record(lib, account.name, *(failed(path) for path in paths[start : start + 100]))
    found = [item.source_path for item in await items_of(lib, account.name, size=50)]
    assert sorted(found) == paths and found[:230] == paths[:230]
    assert await items_of(lib, account.name, 'outcome = "SKIPPED"') == []
    rest = await items_of(lib, account.name, 'outcome != "SKIPPED"')
    assert len(rest) == (await got(lib, account.name)).counts.failed == len(paths)


async def test_concurrent_notes_of_the_same_files_do_not_block_each_other(lib: Library) -> None:
    persona, _ = await lib.place()
    account = await opened(lib, persona)
    paths = [f"{n}.jpg" for n in range(300)]
    both = (paths, paths[::-1])
    await asyncio.gather(
        *(record(lib, account.name, *map(skipped, some)) for some in both for _ in range(3))
    )
    assert (await got(lib, account.name)).counts == counts(skipped=300)


async def test_completing_waits_for_uploads_that_are_noted(lib: Library) -> None:
    """Whatever was noted before the end is in the counts of the end."""
    persona, _ = await lib.place()
    account = await opened(lib, persona)
    uploads = [
        lib.upload(persona, photo_import=account.name, source_path=f"{n}.jpg") for n in range(8)
    ]

    async def some_are_noted() -> bool:
        return (await got(lib, account.name)).counts.imported > 0

    async def ending() -> PhotoImport:
        await eventually(some_are_noted)
        return await complete(lib, account.name)

    *sent, ended = await asyncio.gather(*uploads, ending(), return_exceptions=True)
    assert isinstance(ended, PhotoImport)
    stored = [answer for answer in sent if not isinstance(answer, BaseException)]
    assert ended.counts == counts(imported=len(stored))
    photos = await lib.stub.ListPhotos(catalog.ListPhotosRequest(parent=persona))
    assert len(photos.photos) == len(await items_of(lib, account.name)) == len(stored)


async def test_each_call_takes_few_statements(lib: Library) -> None:
    persona, pillar = await lib.place()
    account = await opened(lib, persona, pillar=pillar)
    many = [failed(f"{n}.jpg") for n in range(500)]
    for call in (
        opened(lib, persona, pillar=pillar),
        got(lib, account.name),
        record(lib, account.name, *many),
        items_of(lib, account.name, size=200),
        lib.imports.ListPhotoImports(pb.ListPhotoImportsRequest(parent=persona)),
        complete(lib, account.name),
    ):
        async with lib.statements() as seen:
            await call
        assert len(seen) <= STATEMENTS, seen
