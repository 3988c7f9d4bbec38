"""Photos coming in: any image, each file accounted for, no bytes twice, nothing half done."""

import asyncio
import csv
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import photo_pb2, pillar_pb2
from colonnade.events.v1 import event_pb2
from PIL import ExifTags, Image

from libs.errors import (
    ColonnadeError,
    InvalidArgument,
    NotFound,
    OutOfQuota,
    Unavailable,
)
from services.catalog.domain.measures import KNOWN
from services.catalog.usecases.uploads import Upload
from tests.integration.catalog.library import Library, picture
from tests.support.pictures import encoded, speckles, waves
from tests.support.shared import SHARED, needs_shared

Photo = photo_pb2.Photo
AWKWARD = SHARED / "photos/awkward"

# The few that are refused; everything else in the folder is imported.
REFUSED = {
    "truncated-60pct.jpg": "DAMAGED_IMAGE",
    "truncated-header.jpg": "DAMAGED_IMAGE",
    "zero-byte.jpg": "DAMAGED_IMAGE",
    "text-file.jpg": "UNSUPPORTED_IMAGE",
    "html-page.jpeg": "UNSUPPORTED_IMAGE",
    "bomb-20000x20000.png": "IMAGE_TOO_LARGE",
    "lying-header-60000x60000.png": "IMAGE_TOO_LARGE",
    "nested/empty-folder/.keep": "DAMAGED_IMAGE",
    "sidecar/photo.xmp": "UNSUPPORTED_IMAGE",
    "Thumbs.db": "UNSUPPORTED_IMAGE",
}


async def reason_of(answer: Any) -> str:
    with pytest.raises(ColonnadeError) as raised:
        await answer
    return raised.value.reason


async def keys(lib: Library) -> list[str]:
    return sorted([key async for key in lib.blobs.list()])


async def test_a_photo_comes_in_whole(lib: Library) -> None:
    persona, pillar = await lib.place()
    data = encoded(waves(900, 600), "JPEG")
    answer = await lib.upload(
        persona, data, file_name="a.jpg", source_path="x/a.jpg", tags=["sun", "sea", "sun"]
    )
    photo = answer.photo
    assert not answer.duplicate
    assert photo == await lib.stub.GetPhoto(pb.GetPhotoRequest(name=photo.name))
    assert photo.pillar == pillar
    assert (photo.file_name, photo.source_path) == ("a.jpg", "x/a.jpg")
    assert photo.sha256 == hashlib.sha256(data).hexdigest()
    assert (photo.mime_type, photo.size_bytes) == ("image/jpeg", len(data))
    assert (photo.width, photo.height) == (900, 600)
    assert list(photo.tags) == ["sun", "sea"]
    assert photo.usage == Photo.USAGE_UNUSED
    assert photo.embedding.state == photo_pb2.PhotoEmbedding.STATE_PENDING
    assert photo.scene == photo.name.rpartition("/")[2]
    assert photo.content_uri == f"/v1/{photo.name}/content"
    assert photo.thumbnail_uri == f"/v1/{photo.name}/thumbnail"
    assert photo.etag == "1"
    measures = {measure.id: measure.value for measure in photo.analysis.measures}
    assert tuple(measures) == KNOWN
    assert all(0 <= value <= 1 for value in measures.values())
    info, stored, chunks = await lib.media(photo.name)
    assert stored == data
    assert (info.mime_type, info.size_bytes) == ("image/jpeg", len(data))
    assert max(chunks) <= 256 * 1024


async def test_the_event_tells_what_the_others_need(lib: Library) -> None:
    persona, pillar = await lib.place()
    data = encoded(waves(300, 200, 2.0), "PNG")
    photo = await lib.photo(persona, data, file_name="b.png", tags=["x"])
    rows = await lib.rows(
        "SELECT type, ordering_key, payload FROM catalog.outbox WHERE subject = :subject",
        subject=photo.name,
    )
    ((kind, key, payload),) = rows
    assert (kind, key) == ("photo.created", photo.name)
    event = event_pb2.PhotoCreated.FromString(bytes(payload))
    assert (event.photo, event.pillar, event.sha256) == (photo.name, pillar, photo.sha256)
    assert (event.width, event.height, event.file_name) == (300, 200, "b.png")
    assert list(event.tags) == ["x"]
    ready = photo_pb2.PhotoMeasure.STATE_READY
    values = [measure.value for measure in photo.analysis.measures if measure.state == ready]
    assert event.quality == pytest.approx(sum(values) / len(values))
    assert sorted(event.measures.values()) == pytest.approx(sorted(values))
    with Image.open(io.BytesIO(await lib.blobs.get(event.thumbnail_key))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (300, 200))


async def test_same_bytes_are_a_duplicate(lib: Library) -> None:
    persona, _ = await lib.place()
    data = encoded(waves(120, 90, 3.0), "WEBP")
    photo = await lib.photo(persona, data, file_name="first.webp")
    again = await lib.upload(persona, data, file_name="second.webp")
    assert again.duplicate
    assert again.photo == photo
    assert await lib.events(photo.name) == ["photo.created"]
    other, _ = await lib.place()
    assert not (await lib.upload(other, data)).duplicate


async def test_known_digest_is_answered_without_the_bytes(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona)

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("nobody needs these bytes")
        yield b""

    upload = Upload(persona.removeprefix("personas/"), sha256=photo.sha256)
    received = await lib.cases.uploads.receive(upload, unread())
    assert (received.photo.name, received.duplicate) == (photo.name, True)
    header = pb.PhotoUpload(parent=persona, sha256=photo.sha256)
    answer = await lib.send(header, [b"never needed " * 10_000] * 10)
    assert (answer.photo, answer.duplicate) == (photo, True)


async def test_ten_parallel_uploads_of_the_same_bytes_make_one_photo(lib: Library) -> None:
    persona, _ = await lib.place()
    data = encoded(waves(400, 300, 4.0), "JPEG")
    answers = await asyncio.gather(*(lib.upload(persona, data) for _ in range(10)))
    assert len({answer.photo.name for answer in answers}) == 1
    assert sum(not answer.duplicate for answer in answers) == 1
    assert await lib.events(answers[0].photo.name) == ["photo.created"]
    stats = await lib.stub.GetLibraryStats(
        pb.GetLibraryStatsRequest(name=f"{persona}/libraryStats")
    )
    assert stats.photos == 1


async def test_too_many_bytes_are_refused_while_they_arrive(lib: Library) -> None:
    persona, _ = await lib.place()
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield encoded(waves(64, 64), "JPEG")
        while True:
            taken += 500_000
            yield b"\0" * 500_000

    refused = lib.cases.uploads.receive(Upload(persona.removeprefix("personas/")), endless())
    assert await reason_of(refused) == "IMAGE_TOO_LARGE"
    assert taken <= lib.settings.max_bytes + 500_000


@pytest.mark.parametrize("attempt", range(5))
async def test_a_client_that_still_sends_learns_why_it_is_refused(
    lib: Library, attempt: int
) -> None:
    persona, _ = await lib.place()
    data = encoded(waves(64, 64), "JPEG") + b"\0" * 3_500_000
    with pytest.raises(OutOfQuota) as raised:
        await lib.upload(persona, data)
    assert raised.value.reason == "IMAGE_TOO_LARGE"
    with pytest.raises(NotFound):
        await lib.upload("personas/nobody-here", data[:1_900_000])


async def test_what_is_no_picture_is_refused_at_its_first_chunk(lib: Library) -> None:
    persona, _ = await lib.place()
    taken = 0

    async def text() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"plain text " * 1000

    refused = lib.cases.uploads.receive(Upload(persona.removeprefix("personas/")), text())
    assert await reason_of(refused) == "UNSUPPORTED_IMAGE"
    assert taken == 1


async def test_too_many_pixels_are_refused(lib: Library) -> None:
    persona, _ = await lib.place()
    big = encoded(Image.new("1", (20_000, 10_001)), "PNG")
    assert await reason_of(lib.upload(persona, big)) == "IMAGE_TOO_LARGE"


async def test_what_a_cancelled_upload_left_off_at_is_not_stored(lib: Library) -> None:
    """Each is cancelled behind a whole picture, where more bytes were to come."""
    persona, _ = await lib.place()

    async def cut_off(data: bytes) -> None:
        sent = asyncio.Event()

        async def messages() -> AsyncIterator[pb.UploadPhotoRequest]:
            yield pb.UploadPhotoRequest(header=pb.PhotoUpload(parent=persona))
            yield pb.UploadPhotoRequest(chunk=data)
            sent.set()
            await asyncio.Event().wait()

        upload = asyncio.ensure_future(lib.stub.UploadPhoto(messages()))
        await sent.wait()
        upload.cancel()
        await asyncio.wait([upload])

    for number in range(30):
        await cut_off(picture(80_000 + number))
    whole = await lib.photo(persona)
    photos = await lib.stub.ListPhotos(pb.ListPhotosRequest(parent=persona))
    assert [photo.name for photo in photos.photos] == [whole.name]


async def test_wrong_digest_is_refused(lib: Library) -> None:
    persona, _ = await lib.place()
    data = encoded(waves(64, 64, 5.0), "JPEG")
    wrong = hashlib.sha256(b"other").hexdigest()
    assert await reason_of(lib.upload(persona, data, sha256=wrong)) == "HASH_MISMATCH"
    right = hashlib.sha256(data).hexdigest()
    assert (await lib.upload(persona, data, sha256=right)).photo.sha256 == right


async def test_the_header_comes_first_and_once(lib: Library) -> None:
    persona, _ = await lib.place()
    header = pb.UploadPhotoRequest(header=pb.PhotoUpload(parent=persona))
    chunk = pb.UploadPhotoRequest(chunk=b"x")

    async def stream(*messages: pb.UploadPhotoRequest) -> AsyncIterator[pb.UploadPhotoRequest]:
        for message in messages:
            yield message

    for messages in ((), (chunk, header), (header, chunk, header)):
        with pytest.raises(InvalidArgument) as raised:
            await lib.stub.UploadPhoto(stream(*messages))
        assert raised.value.violations[0].field == "header"


async def test_pillar_of_highest_weight_then_oldest_is_taken(lib: Library) -> None:
    persona = await lib.persona()
    assert await reason_of(lib.upload(persona)) == "NO_PILLARS"
    await lib.pillar(persona, weight=10)
    second = await lib.pillar(persona, weight=30)
    lib.clock.advance(1)
    await lib.pillar(persona, weight=30)
    await lib.pillar(persona, weight=90, state=pillar_pb2.Pillar.STATE_INACTIVE)
    assert (await lib.photo(persona)).pillar == second


async def test_a_named_pillar_must_be_one_of_the_persona(lib: Library) -> None:
    persona, _ = await lib.place()
    chosen = await lib.pillar(persona, display_name="Coffee")
    foreign = await lib.pillar(await lib.persona(), display_name="Coffee")
    assert (await lib.photo(persona, pillar=chosen)).pillar == chosen
    for pillar in (foreign, f"{persona}/pillars/none"):
        with pytest.raises(NotFound):
            await lib.upload(persona, pillar=pillar)
    with pytest.raises(NotFound):
        await lib.upload("personas/nobody-here")


async def test_validate_only_checks_and_stores_nothing(lib: Library) -> None:
    persona, pillar = await lib.place()
    data = encoded(waves(80, 60, 6.0), "JPEG")
    answer = await lib.upload(persona, data, validate_only=True)
    assert (answer.photo.name, answer.photo.pillar) == ("", pillar)
    assert (answer.photo.width, answer.photo.height) == (80, 60)
    assert not answer.photo.HasField("create_time")
    assert await keys(lib) == []
    assert not (await lib.upload(persona, data)).duplicate
    assert (await lib.upload(persona, data, validate_only=True)).duplicate
    refused = lib.upload(persona, b"GIF89a" + b"\0" * 30, validate_only=True)
    assert await reason_of(refused) == "DAMAGED_IMAGE"


async def test_a_refused_upload_leaves_nothing(lib: Library) -> None:
    persona, _ = await lib.place()
    data = encoded(speckles(400, 400), "JPEG")
    assert await reason_of(lib.upload(persona, data[: len(data) // 2])) == "DAMAGED_IMAGE"
    assert await keys(lib) == []
    assert await lib.rows("SELECT 1 FROM catalog.photos WHERE persona_id = :p", p=persona[9:]) == []


async def test_a_store_that_is_away_leaves_no_row(lib: Library, tmp_path: Path) -> None:
    persona, _ = await lib.place()
    (tmp_path / "blobs" / "originals").write_text("not a folder")
    with pytest.raises(Unavailable):
        await lib.upload(persona)
    assert await lib.rows("SELECT 1 FROM catalog.photos WHERE persona_id = :p", p=persona[9:]) == []


async def test_sideways_pictures_are_measured_upright(lib: Library) -> None:
    persona, _ = await lib.place()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encoded(waves(120, 80, 7.0), "JPEG", exif=exif)
    photo = await lib.photo(persona, data)
    assert (photo.width, photo.height) == (80, 120)


@pytest.mark.parametrize(
    ("exif_time", "offset", "expected"),
    [
        ("2024:07:01 12:30:00", "", datetime(2024, 7, 1, 11, 30, tzinfo=UTC)),
        ("2024:07:01 12:30:00", "-05:00", datetime(2024, 7, 1, 17, 30, tzinfo=UTC)),
        ("0000:00:00 00:00:00", "", None),
        ("2024:13:01 12:30:00", "", None),
        ("yesterday", "", None),
    ],
)
async def test_time_of_the_camera(
    lib: Library, exif_time: str, offset: str, expected: datetime | None
) -> None:
    persona = await lib.persona(time_zone="Europe/Lisbon")
    await lib.pillar(persona)
    exif = Image.Exif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = exif_time
    if offset:
        details[ExifTags.Base.OffsetTimeOriginal] = offset
    photo = await lib.photo(persona, encoded(waves(64, 48), "JPEG", exif=exif))
    taken = photo.taken_time.ToDatetime(UTC) if photo.HasField("taken_time") else None
    assert taken == expected


@needs_shared
async def test_every_awkward_file_is_accounted_for(lib: Library) -> None:
    persona, _ = await lib.place()
    with (AWKWARD / "expected.csv").open() as file:
        names = [row["file"].removeprefix("awkward/") for row in csv.DictReader(file)]
    outcomes: dict[str, str] = {}
    for name in names:
        try:
            answer = await lib.upload(persona, (AWKWARD / name).read_bytes(), file_name=name)
        except ColonnadeError as error:
            outcomes[name] = error.reason
        else:
            outcomes[name] = "duplicate" if answer.duplicate else "imported"
            assert answer.duplicate or answer.photo.file_name == name
    refused = {n: r for n, r in outcomes.items() if r not in ("imported", "duplicate")}
    assert refused == REFUSED
    assert len(outcomes) == len(names)


@needs_shared
async def test_awkward_metadata_does_not_cost_the_picture(lib: Library) -> None:
    persona, _ = await lib.place()

    async def read(name: str) -> Photo:
        return await lib.photo(persona, (AWKWARD / name).read_bytes())

    assert not (await read("exif-bad-dates.jpg")).HasField("taken_time")
    assert not (await read("exif-corrupt-ifd.jpg")).HasField("taken_time")
    rotated, illegal = await read("exif-rotated-6.jpg"), await read("exif-orientation-9.jpg")
    assert (rotated.width, rotated.height) == (illegal.width, illegal.height)
    assert (await read("png-named.jpg")).mime_type == "image/png"
