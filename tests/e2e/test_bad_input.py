"""What people and programs get wrong: each is refused with a message that helps, and breaks
nothing. On the suite in one process."""

import asyncio
import csv
import uuid
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import Post

from cli.connection import Suite as Api
from cli.importer import Destination, Report, Result, import_files
from cli.walk import Found
from libs.errors import (
    AlreadyExists,
    ColonnadeError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfQuota,
)
from tests.e2e import work
from tests.e2e.conftest import Library, Provider
from tests.support.buffer import Admin
from tests.support.harness import SuiteInOne
from tests.support.pictures import checkers, encoded, speckles, waves
from tests.support.shared import SHARED, needs_shared

AWKWARD = SHARED / "photos" / "awkward"
NOBODY = "personas/nobody"
NO_PHOTO = f"{NOBODY}/photos/{uuid.UUID(int=0)}"


async def persona_with_photos(api: Api, folder: Path, count: int) -> list[Photo]:
    """The photos of a new persona."""
    persona = await work.new_persona(api, f"p {uuid.uuid4().hex[:8]}")
    for number in range(count):
        (folder / f"{number}.png").write_bytes(encoded(waves(shift=number)))
    await work.import_folder(api, persona, folder)
    return await work.photos_of(api, persona)


@needs_shared
async def test_every_awkward_file_is_accounted_for(api: Api, web: httpx.AsyncClient) -> None:
    persona = await work.new_persona(api, "Awkward")
    report = await work.import_folder(api, persona, AWKWARD)
    lines = {line.path: line for line in report.lines}
    with (AWKWARD / "expected.csv").open(newline="", encoding="utf-8") as table:
        rows = {r["file"].removeprefix("awkward/"): r for r in csv.DictReader(table)}
    assert lines.keys() == rows.keys() | {"expected.csv"}
    stored = (Result.IMPORTED, Result.DUPLICATE)
    for path, row in rows.items():
        if row["decodes"] == "yes":
            assert lines[path].result in stored, lines[path]
        elif row["decodes"] == "no":
            assert lines[path].result not in stored, lines[path]
    assert all(line.photo if line.result in stored else line.message for line in report.lines)
    photos = await work.embedded(api, persona)
    assert len(photos) == report.count(Result.IMPORTED)
    await names_survive_everywhere(report, photos, web)


async def names_survive_everywhere(
    report: Report, photos: list[Photo], web: httpx.AsyncClient
) -> None:
    sent = {line.photo: line.path for line in report.lines if line.result is Result.IMPORTED}
    assert {photo.name: photo.source_path for photo in photos} == sent
    for photo in photos:
        assert (await web.get(f"/v1/{photo.name}")).json()["sourcePath"] == sent[photo.name]


async def test_weights_beyond_100_are_refused(api: Api, web: httpx.AsyncClient) -> None:
    persona = await work.new_persona(api, "Heavy", weight=60)
    with pytest.raises(FailedPrecondition) as refused:
        await work.new_pillar(api, persona, "Sea", 41)
    assert refused.value.reason == "WEIGHTS_EXCEED_100"
    assert "40" in refused.value.message, "it says how much is left"
    assert (await work.new_pillar(api, persona, "Sea", 40)).weight == 40
    body = {"displayName": "Heavier", "weight": 101}
    answer = await web.post(f"/v1/{persona}/pillars", json=body)
    assert (answer.status_code, "weight" in answer.text) == (400, True)


async def test_an_unknown_persona_is_not_found_by_any_method(api: Api) -> None:
    request = catalog.ListPhotosRequest(parent=NOBODY)
    asked = (
        api.catalog.GetPersona(catalog.GetPersonaRequest(name=NOBODY)),
        api.catalog.ListPhotos(request),
        api.catalog.AnalyzeGaps(catalog.AnalyzeGapsRequest(parent=NOBODY)),
        api.scheduler.ListChannels(scheduler.ListChannelsRequest(parent=NOBODY)),
        work.new_pillar(api, NOBODY, "Sea", 10),
        work.schedule(api, NO_PHOTO, timedelta(days=1)),
    )
    for call in asked:
        with pytest.raises(NotFound) as missing:
            await call
        assert "nobody" in missing.value.message


async def test_a_file_for_an_unknown_persona_fails_alone(api: Api, library: Library) -> None:
    path = library.pictures[0].path
    report = await work.import_some(api, NOBODY, library.folder, [path])
    assert [(line.path, line.result, line.code) for line in report.lines] == [
        (path, Result.FAILED, "NOT_FOUND")
    ]


@pytest.fixture
async def photo(api: Api, provider: Provider, buffer: Admin, tmp_path: Path) -> Photo:
    """A photo of a persona that has a channel."""
    (photo,) = await persona_with_photos(api, tmp_path, 1)
    persona = photo.name.partition("/photos/")[0]
    await work.new_channel(api, persona, provider.url, provider.token)
    return photo


@pytest.mark.parametrize("after", [timedelta(hours=-1), timedelta(days=366)], ids=str)
async def test_a_time_that_is_past_or_too_far_is_refused(
    api: Api, photo: Photo, after: timedelta
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await work.schedule(api, photo.name, after)
    assert [v.field for v in refused.value.violations] == ["post.scheduled_time"]
    assert (await work.schedule(api, photo.name, timedelta(days=1))).photo == photo.name


async def test_of_fifty_posts_of_one_photo_at_once_one_is_made(api: Api, photo: Photo) -> None:
    attempts = (work.schedule(api, photo.name, timedelta(days=1)) for _ in range(50))
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    made = [answer for answer in answers if isinstance(answer, Post)]
    refused = [answer for answer in answers if isinstance(answer, AlreadyExists)]
    assert (len(made), len(refused)) == (1, 49)
    assert {error.reason for error in refused} == {"PHOTO_ALREADY_SCHEDULED"}
    assert {error.name for error in refused} == {made[0].name}
    parent = photo.name.partition("/photos/")[0]
    listed = await api.scheduler.ListPosts(scheduler.ListPostsRequest(parent=parent))
    assert [post.name for post in listed.posts] == [made[0].name]


async def test_a_persona_without_a_channel_cannot_schedule(api: Api, tmp_path: Path) -> None:
    (photo,) = await persona_with_photos(api, tmp_path, 1)
    with pytest.raises(FailedPrecondition) as refused:
        await work.schedule(api, photo.name, timedelta(days=1))
    assert refused.value.reason == "NO_CHANNEL"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"displayName": "Sea", "wait": 3}, "wait"),
        ({"displayName": 3}, "displayName"),
        ({"displayName": "Sea", "weight": "much"}, "weight"),
        ({"displayName": "Sea", "state": "STATE_GREAT"}, "state"),
        ([], "object"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_by_name(
    api: Api, web: httpx.AsyncClient, body: object, named: str
) -> None:
    persona = await work.new_persona(api, f"b {uuid.uuid4().hex[:8]}")
    answer = await web.post(f"/v1/{persona}/pillars", json=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


async def test_a_body_that_is_no_json_is_refused(web: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await web.post("/v1/personas", content=b'{"displayName": ', headers=headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_a_page_token_counts_for_its_own_list_only(api: Api, tmp_path: Path) -> None:
    photos = await persona_with_photos(api, tmp_path, 3)
    parent = photos[0].name.partition("/photos/")[0]
    other = await work.new_persona(api, f"o {uuid.uuid4().hex[:8]}")
    request = catalog.ListPhotosRequest(parent=parent, page_size=1)
    token = (await api.catalog.ListPhotos(request)).next_page_token
    elsewhere = (
        catalog.ListPhotosRequest(parent=other, page_token=token),
        catalog.ListPhotosRequest(parent=parent, page_token=token, filter='usage = "UNUSED"'),
        catalog.ListPhotosRequest(parent=parent, page_token=token[:-1] + "!"),
    )
    for wrong in elsewhere:
        with pytest.raises(InvalidArgument) as refused:
            await api.catalog.ListPhotos(wrong)
        assert [v.field for v in refused.value.violations] == ["page_token"]
    with pytest.raises(InvalidArgument):
        await api.catalog.ListPersonas(catalog.ListPersonasRequest(page_token=token))
    request.page_token = token
    assert [p.name for p in (await api.catalog.ListPhotos(request)).photos] == [photos[1].name]


async def test_what_is_too_large_is_refused_before_it_is_kept(
    api: Api, web: httpx.AsyncClient, tmp_path: Path
) -> None:
    persona = await work.new_persona(api, f"l {uuid.uuid4().hex[:8]}")
    large = await web.post("/v1/personas", json={"displayName": "x" * (1024 * 1024)})
    assert large.status_code == 413
    picture = encoded(speckles()) + bytes(3 * 1024 * 1024)
    (tmp_path / "large.png").write_bytes(picture)
    report = await work.import_folder(api, persona, tmp_path)
    assert [line.code for line in report.lines] == ["IMAGE_TOO_LARGE"]
    answer = await upload(web, persona, picture + bytes(1024 * 1024))
    assert answer.status_code == 413
    with pytest.raises(OutOfQuota):
        pillar = catalog.CreatePersonaRequest(persona_id="a" * (17 * 1024 * 1024))
        await api.catalog.CreatePersona(pillar)
    assert await work.photos_of(api, persona) == []
    assert (await upload(web, persona, encoded(checkers()))).status_code == 200


async def upload(web: httpx.AsyncClient, persona: str, picture: bytes) -> httpx.Response:
    """Sends a picture as a form with a file."""
    files = {"file": ("picture.png", picture, "image/png")}
    return await web.post(f"/v1/{persona}/photos:upload", files=files)


async def test_a_file_that_changes_or_vanishes_while_importing_costs_only_itself(
    api: Api, tmp_path: Path
) -> None:
    persona = await work.new_persona(api, f"v {uuid.uuid4().hex[:8]}")
    good = tmp_path / "good.png"
    good.write_bytes(encoded(checkers(cell=20)))
    files = [Found(good, "good.png"), Found(tmp_path / "gone.png", "gone.png")]
    report = await import_files(api, files, Destination(persona))
    results = {line.path: (line.result, line.code) for line in report.lines}
    assert results == {
        "good.png": (Result.IMPORTED, ""),
        "gone.png": (Result.FAILED, "UNREADABLE"),
    }


async def test_the_same_request_id_makes_one_persona(api: Api) -> None:
    request = catalog.CreatePersonaRequest(request_id=str(uuid.uuid4()))
    request.persona.display_name = "Once"
    answers = await asyncio.gather(
        *(api.catalog.CreatePersona(request) for _ in range(8)), return_exceptions=True
    )
    made = [answer.name for answer in answers if not isinstance(answer, BaseException)]
    assert made and set(made) == {"personas/once"}
    assert all(isinstance(a, ColonnadeError) for a in answers if isinstance(a, BaseException))
    again = await api.catalog.CreatePersona(request)
    assert again.name == "personas/once"
    request.persona.display_name = "Twice"
    with pytest.raises(ColonnadeError) as reused:
        await api.catalog.CreatePersona(request)
    assert reused.value.reason == "REQUEST_ID_REUSED"


def test_nothing_of_all_this_was_an_unplanned_error(suite_in_one: SuiteInOne) -> None:
    output = suite_in_one.parts["all"].output()
    assert [line for line in output.splitlines() if "unplanned error" in line] == []
    assert "Traceback" not in output
