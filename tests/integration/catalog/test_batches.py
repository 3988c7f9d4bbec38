"""Batches of photos: an outcome for each name, in order, and only what is right is changed."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import photo_pb2
from colonnade.events.v1 import event_pb2
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status

from gateway.app import build_app
from gateway.module import UPLOAD
from gateway.openapi import ApiInfo, build_document
from gateway.routes import build_bindings
from gateway.upload import UploadAdapter
from libs.errors import AlreadyExists, InvalidArgument, NotFound
from libs.rpc.channels import open_channel
from services.catalog.domain.photo import Filing, FilingState, Proposal, Usage
from services.catalog.module import CATALOG
from tests.integration.catalog.library import Library
from tests.integration.catalog.test_photos_cli import Shell
from tests.integration.catalog.test_photos_cli import shell as shell

SERVICE = CATALOG[0]
OK, INVALID = code_pb2.OK, code_pb2.INVALID_ARGUMENT
UNKNOWN, REFUSED = code_pb2.NOT_FOUND, code_pb2.FAILED_PRECONDITION


def codes(results: Sequence[photo_pb2.PhotoResult]) -> list[int]:
    return [result.status.code for result in results]


def reason(status: Status) -> str:
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)


async def get(lib: Library, name: str) -> photo_pb2.Photo:
    return await lib.stub.GetPhoto(pb.GetPhotoRequest(name=name))


async def tag(lib: Library, persona: str, names: list[str], **fields: Any) -> Any:
    request = pb.BatchTagPhotosRequest(parent=persona, names=names, **fields)
    return (await lib.stub.BatchTagPhotos(request)).results


async def archive(lib: Library, persona: str, names: list[str], **fields: Any) -> Any:
    request = pb.BatchArchivePhotosRequest(parent=persona, names=names, **fields)
    return (await lib.stub.BatchArchivePhotos(request)).results


async def a_mixed_batch(lib: Library) -> tuple[str, str, list[str], list[int]]:
    """Persona, pillar, names of every kind, and the code that each must get."""
    persona, pillar = await lib.place()
    _, foreign = await lib.place()
    good = [(await lib.shelve(pillar)).name for _ in range(3)]
    names = [
        good[0],
        "holiday.jpg",
        (await lib.shelve(foreign)).name,
        good[1],
        f"{persona}/photos/{uuid.uuid4()}",
        f"{persona}/photos/17",
        f"{persona}/photos/{str(uuid.uuid4()).upper()}",
        good[2],
    ]
    return persona, pillar, names, [OK, INVALID, UNKNOWN, OK, UNKNOWN, INVALID, INVALID, OK]


async def test_a_mixed_batch_of_moves_changes_only_what_is_right(lib: Library) -> None:
    persona, _, names, expected = await a_mixed_batch(lib)
    target = await lib.pillar(persona, display_name="Coffee")
    before = await get(lib, names[2])
    request = pb.BatchMovePhotosRequest(parent=persona, names=names, pillar=target)
    results = (await lib.stub.BatchMovePhotos(request)).results
    assert [result.name for result in results] == names
    assert codes(results) == expected
    for name, result in zip(names, results, strict=True):
        assert result.HasField("photo") == (result.status.code == OK)
        if result.status.code == OK:
            assert result.photo == await get(lib, name)
            assert (result.photo.pillar, result.photo.etag) == (target, "2")
            assert await lib.events(name) == ["photo.updated"]
        else:
            assert result.status.message
    assert await get(lib, names[2]) == before
    assert await lib.events(names[2]) == []


async def test_a_mixed_batch_of_tags(lib: Library) -> None:
    persona, _, names, expected = await a_mixed_batch(lib)
    results = await tag(lib, persona, names, add_tags=["sea", "sun", "sea"], remove_tags=["sun"])
    assert codes(results) == expected
    assert [list(r.photo.tags) for r in results if r.status.code == OK] == [["sea"]] * 3
    again = await tag(lib, persona, names[:1], add_tags=["sea"], remove_tags=["never-there"])
    assert again[0].photo.etag == "2", "nothing to change, nothing changed"


async def test_a_mixed_batch_of_archivals(lib: Library) -> None:
    persona, pillar, names, expected = await a_mixed_batch(lib)
    used = (await lib.shelve(pillar, usage=Usage.SCHEDULED)).name
    results = await archive(lib, persona, [*names, used])
    assert codes(results) == [*expected, REFUSED]
    assert reason(results[-1].status) == "PHOTO_IN_USE"
    archived = photo_pb2.Photo.STATE_ARCHIVED
    assert {r.photo.state for r in results if r.status.code == OK} == {archived}
    assert (await get(lib, used)).state == photo_pb2.Photo.STATE_ACTIVE
    back = await archive(lib, persona, names, unarchive=True)
    assert codes(back) == expected
    assert (await get(lib, names[0])).state == photo_pb2.Photo.STATE_ACTIVE


async def test_more_than_twenty_tags_are_refused_for_that_photo_alone(lib: Library) -> None:
    persona, pillar = await lib.place()
    full = await lib.shelve(pillar, tags=tuple(f"t{n}" for n in range(19)))
    free = await lib.shelve(pillar)
    results = await tag(lib, persona, [full.name, free.name], add_tags=["a", "b"])
    assert codes(results) == [REFUSED, OK]
    assert reason(results[0].status) == "TOO_MANY_TAGS"
    assert len((await get(lib, full.name)).tags) == 19
    results = await tag(lib, persona, [full.name], add_tags=["a", "b"], remove_tags=["t0"])
    assert codes(results) == [OK]
    assert len(results[0].photo.tags) == 20


async def test_the_same_request_gets_the_same_answer(lib: Library) -> None:
    persona, pillar = await lib.place()
    full = await lib.shelve(pillar, tags=tuple(f"t{n}" for n in range(20)))
    free, gone = await lib.shelve(pillar), f"{persona}/photos/{uuid.uuid4()}"
    names = [full.name, free.name, gone, "nonsense"]
    fields: dict[str, Any] = {"add_tags": ["a"], "request_id": str(uuid.uuid4())}
    first = await tag(lib, persona, names, **fields)
    assert codes(first) == [REFUSED, OK, UNKNOWN, INVALID]
    # What was refused then is refused still, although it would be possible by now.
    await tag(lib, persona, [full.name], remove_tags=["t0", "t1"])
    assert list(await tag(lib, persona, names, **fields)) == list(first)
    assert len((await get(lib, full.name)).tags) == 18
    assert await lib.events(free.name) == ["photo.updated"]
    with pytest.raises(AlreadyExists):
        await tag(lib, persona, names, **{**fields, "add_tags": ["b"]})
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=free.name))
    later = await tag(lib, persona, names, **fields)
    assert codes(later) == codes(first)
    assert not later[1].HasField("photo"), "there is none to show any more"


async def test_batches_that_are_refused_as_a_whole(lib: Library) -> None:
    persona, pillar = await lib.place()
    _, foreign = await lib.place()
    names = [(await lib.shelve(pillar)).name]
    many = [f"{persona}/photos/{uuid.uuid4()}" for _ in range(201)]
    for wrong in (many, [], names * 2):
        for answer in (tag(lib, persona, wrong, add_tags=["a"]), archive(lib, persona, wrong)):
            with pytest.raises(InvalidArgument) as raised:
                await answer
            assert raised.value.violations[0].field == "names"
    with pytest.raises(InvalidArgument):
        await tag(lib, persona, names, add_tags=["Not A Slug"])
    with pytest.raises(NotFound):
        await tag(lib, "personas/nobody-here", names, add_tags=["a"])
    for other in (foreign, f"{persona}/pillars/none"):
        request = pb.BatchMovePhotosRequest(parent=persona, names=names, pillar=other)
        with pytest.raises(NotFound):
            await lib.stub.BatchMovePhotos(request)
    assert codes(await tag(lib, persona, many[:200], add_tags=["a"])) == [UNKNOWN] * 200


async def test_two_hundred_photos_cost_a_handful_of_statements(lib: Library) -> None:
    persona, pillar = await lib.place()
    target = await lib.pillar(persona)
    names = [(await lib.shelve(pillar)).name for _ in range(200)]
    requests: list[Any] = [
        lambda: lib.stub.BatchMovePhotos(
            pb.BatchMovePhotosRequest(parent=persona, names=names, pillar=target)
        ),
        lambda: tag(lib, persona, names, add_tags=["a"]),
        lambda: archive(lib, persona, names),
    ]
    for request in requests:
        async with lib.statements() as seen:
            await request()
        assert len(seen) <= 5, seen


async def test_batches_that_overlap_wait_for_each_other(lib: Library) -> None:
    persona, pillar = await lib.place()
    names = [(await lib.shelve(pillar)).name for _ in range(20)]
    tags = [f"t{n}" for n in range(8)]
    orders = [names if n % 2 else names[::-1] for n in range(8)]
    await asyncio.gather(
        *(tag(lib, persona, o, add_tags=[t]) for o, t in zip(orders, tags, strict=True))
    )
    for name in names:
        photo = await get(lib, name)
        assert (sorted(photo.tags), photo.etag) == (tags, "9")


async def test_a_move_settles_the_filing(lib: Library) -> None:
    persona, pillar = await lib.place()
    open_ = Filing(FilingState.REVIEW, 0.4, "like others", (Proposal("x", 0.3),))
    one, other = [await lib.shelve(pillar, filing=open_) for _ in range(2)]
    moved = (await lib.stub.MovePhoto(pb.MovePhotoRequest(name=one.name, pillar=pillar))).photo
    request = pb.BatchMovePhotosRequest(parent=persona, names=[other.name], pillar=pillar)
    batch = (await lib.stub.BatchMovePhotos(request)).results[0].photo
    for photo in (moved, batch, await get(lib, one.name)):
        assert photo.filing == photo_pb2.Filing(state=photo_pb2.Filing.STATE_CONFIRMED)


async def test_the_world_is_told_of_rights_and_state(lib: Library) -> None:
    persona, pillar = await lib.place()
    name = (await lib.shelve(pillar)).name
    held = photo_pb2.Photo(name=name, rights=photo_pb2.UsageRights(held=True))
    await lib.stub.UpdatePhoto(pb.UpdatePhotoRequest(photo=held))
    await lib.stub.ArchivePhoto(pb.ArchivePhotoRequest(name=name))
    await archive(lib, persona, [name], unarchive=True)
    rows = await lib.rows(
        "SELECT payload FROM catalog.outbox WHERE subject = :s ORDER BY id", s=name
    )
    told = [event_pb2.PhotoUpdated.FromString(bytes(row.payload)) for row in rows]
    assert [(t.version, t.rights.held, t.rights.archived) for t in told] == [
        (2, True, False),
        (3, True, True),
        (4, True, False),
    ]


async def test_over_rest_a_batch_is_a_success_with_a_code_for_each(
    shell: Shell, lib: Library
) -> None:
    persona, pillar = await lib.place()
    good = (await lib.shelve(pillar)).name
    full = (await lib.shelve(pillar, tags=tuple(f"t{n}" for n in range(20)))).name
    uploads = {UPLOAD: UploadAdapter(1000, file_name="file_name")}
    bindings = build_bindings([SERVICE], uploads=[UPLOAD])
    channel = open_channel(shell.address, [SERVICE])
    app = build_app(
        bindings=bindings,
        channels={SERVICE.full_name: channel},
        document=build_document(bindings, ApiInfo("T", "1"), uploads=uploads),
        ready=lambda: True,
        uploads=uploads,
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        body = {"names": [good, "holiday.jpg", full], "addTags": ["sea"]}
        answer = await client.post(f"/v1/{persona}/photos:batchTag", json=body)
        assert answer.status_code == 200
        results = answer.json()["results"]
        assert [r["name"] for r in results] == body["names"]
        assert [r["status"]["code"] for r in results] == [OK, INVALID, REFUSED]
        assert results[0]["photo"]["tags"] == ["sea"]
        assert results[2]["status"]["details"][0]["reason"] == "TOO_MANY_TAGS"
        many = {"names": [f"{persona}/photos/{uuid.uuid4()}" for _ in range(201)]}
        answer = await client.post(f"/v1/{persona}/photos:batchTag", json=many)
        assert answer.status_code == 400
    await channel.close()
