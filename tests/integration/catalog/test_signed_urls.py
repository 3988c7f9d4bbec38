"""Addresses under which photos are served for a while without a key."""

from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from libs.errors import InvalidArgument, NotFound, PermissionDenied
from tests.integration.catalog.library import Library, picture

THUMBNAIL = pb.ReadPhotoMediaRequest.RENDITION_THUMBNAIL


async def signed(lib: Library, parent: str, *names: str, **options: Any) -> list[pb.SignedPhotoUrl]:
    request = pb.SignPhotoUrlsRequest(parent=parent, names=names, **options)
    return list((await lib.stub.SignPhotoUrls(request)).urls)


async def read(lib: Library, url: pb.SignedPhotoUrl, **part: int) -> tuple[pb.MediaInfo, bytes]:
    request = pb.ReadSignedPhotoMediaRequest(token=url.uri.removeprefix("/p/"), **part)
    info, *chunks = [message async for message in lib.stub.ReadSignedPhotoMedia(request)]
    return info.info, b"".join(message.chunk for message in chunks)


async def test_the_address_gives_the_bytes_for_an_hour(lib: Library) -> None:
    persona, _ = await lib.place()
    data = picture(91_001)
    photo = await lib.photo(persona, data)
    (url,) = await signed(lib, persona, photo.name)
    assert url.photo == photo.name
    assert url.expire_time.ToSeconds() == int(lib.clock.now().timestamp()) + 3600
    info, stored = await read(lib, url)
    assert (stored, info.etag, info.mime_type) == (data, photo.sha256, "image/jpeg")
    assert (await read(lib, url, offset=10, length=5))[1] == data[10:15]
    lib.clock.advance(3599)
    assert (await read(lib, url))[1] == data
    lib.clock.advance(1)
    with pytest.raises(PermissionDenied) as raised:
        await read(lib, url)
    assert raised.value.reason == "URL_EXPIRED"


async def test_the_form_and_the_time_are_part_of_the_address(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona)
    (url,) = await signed(lib, persona, photo.name, rendition=THUMBNAIL, ttl=Duration(seconds=5))
    assert (await read(lib, url))[1] == (await lib.media(photo.name, THUMBNAIL))[1]
    lib.clock.advance(5)
    with pytest.raises(PermissionDenied):
        await read(lib, url)


async def test_many_at_once_in_their_order_without_those_that_are_gone(lib: Library) -> None:
    persona, _ = await lib.place()
    photos = [await lib.photo(persona, picture(91_100 + n)) for n in range(3)]
    names = [photo.name for photo in reversed(photos)]
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=names[1]))
    async with lib.statements() as statements:
        urls = await signed(lib, persona, *names)
    assert [url.photo for url in urls] == [names[0], names[2]]
    assert len(statements) <= 5


async def test_a_photo_that_is_deleted_is_served_no_longer(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona)
    (url,) = await signed(lib, persona, photo.name)
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=photo.name))
    with pytest.raises(NotFound):
        await read(lib, url)


async def test_nobody_can_make_one_up(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona)
    (url,) = await signed(lib, persona, photo.name)
    for position in (3, 30, len(url.uri) - 1):
        letter = "A" if url.uri[position] != "A" else "B"
        forged = pb.SignedPhotoUrl(uri=url.uri[:position] + letter + url.uri[position + 1 :])
        with pytest.raises((NotFound, InvalidArgument)):
            await read(lib, forged)


async def test_what_is_asked_is_checked(lib: Library) -> None:
    persona, _ = await lib.place()
    other, _ = await lib.place()
    photo = await lib.photo(other)
    with pytest.raises(NotFound):
        await signed(lib, persona, photo.name)
    for wrong in ({"ttl": Duration(seconds=0)}, {"ttl": Duration(seconds=604_801)}):
        with pytest.raises(InvalidArgument) as raised:
            await signed(lib, other, photo.name, **wrong)
        assert raised.value.violations[0].field == "ttl"
    with pytest.raises(InvalidArgument) as raised:
        await signed(lib, other)
    assert raised.value.violations[0].field == "names"
