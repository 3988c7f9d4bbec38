"""Uploads: raw bodies and forms to client streams."""

import asyncio
import hashlib
import random
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from libs import errors
from tests.contract.gateway.conftest import error_of
from tests.support.http import listening
from tests.support.shelves import Shelves
from tests.support.studio import message
from tests.support.wait import eventually

PATH = "/v1/shelves/7/pictures:upload"
PICTURE = random.Random(7).randbytes(700_001)
JPEG = {"content-type": "image/jpeg"}


@pytest.fixture
async def live(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with listening(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.mark.parametrize("kind", ["image/jpeg", "IMAGE/WEBP; q=1", "application/octet-stream"])
async def test_a_raw_body(client: httpx.AsyncClient, shelves: Shelves, kind: str) -> None:
    query = {"fileName": "a.jpg", "tags": ["x", "y"], "validate_only": "true"}
    headers = {"content-type": kind}
    answer = await client.post(PATH, params=query, content=PICTURE, headers=headers)
    assert answer.json() == {
        "sizeBytes": str(len(PICTURE)),
        "sha256": hashlib.sha256(PICTURE).hexdigest(),
        "header": {
            "parent": "shelves/7",
            "fileName": "a.jpg",
            "tags": ["x", "y"],
            "validateOnly": True,
        },
    }


async def test_a_form(client: httpx.AsyncClient, shelves: Shelves) -> None:
    answer = await client.post(
        PATH,
        data={"tags": ["x", "y"], "validateOnly": "true"},
        files={"file": ("My photo.jpg", PICTURE, "image/jpeg")},
    )
    assert answer.json()["sha256"] == hashlib.sha256(PICTURE).hexdigest()
    assert answer.json()["header"] == {
        "parent": "shelves/7",
        "fileName": "My photo.jpg",
        "tags": ["x", "y"],
        "validateOnly": True,
    }


async def test_a_name_that_is_given_comes_before_that_of_the_form(
    client: httpx.AsyncClient, shelves: Shelves
) -> None:
    files = {"file": ("form.jpg", b"x", "image/jpeg")}
    answer = await client.post(PATH, params={"file_name": "mine.jpg"}, files=files)
    assert answer.json()["header"]["fileName"] == "mine.jpg"


async def test_no_bytes_are_the_services_business(
    client: httpx.AsyncClient, shelves: Shelves
) -> None:
    answer = await client.post(PATH, content=b"", headers=JPEG)
    assert answer.json()["sizeBytes"] == "0"


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (
            {"content": b"x", "headers": {"content-type": "application/json"}},
            415,
            "the file itself",
        ),
        ({"content": b"x"}, 415, "content-type is missing"),
        ({"content": b"x", "headers": JPEG, "params": {"colour": "red"}}, 400, "colour: is not"),
        ({"content": b"x", "headers": JPEG, "params": {"parent": "p"}}, 400, "parent: is not"),
        ({"files": {"picture": ("a", b"x")}}, 400, "no file in a part named 'file'"),
        ({"files": {"file": ("a", b"x")}, "data": {"colour": "red"}}, 400, "colour: is not"),
        ({"files": [("file", ("a", b"x")), ("late", (None, b"y"))]}, 400, "late: comes after"),
        ({"content": b"x" * 3_000_001, "headers": JPEG}, 413, "3000000 bytes"),
        ({"files": {"file": ("a", b"x" * 3_000_001)}}, 413, "3000000 bytes"),
        ({"content": b"x" * 5_000_000, "headers": JPEG}, 413, "bytes"),
    ],
)
async def test_uploads_that_are_refused(
    client: httpx.AsyncClient, shelves: Shelves, options: dict[str, Any], code: int, text: str
) -> None:
    error = error_of(await client.post(PATH, **options))
    assert error["code"] == code
    assert text in error["message"]


async def test_the_limit_of_a_file_is_its_own(client: httpx.AsyncClient, shelves: Shelves) -> None:
    answer = await client.post(PATH, content=b"x" * 3_000_000, headers=JPEG)
    assert answer.json()["sizeBytes"] == "3000000"


async def test_errors_of_the_service(client: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["UploadPicture"] = errors.InvalidArgument.of("chunk", "is not a picture")
    error = error_of(await client.post(PATH, content=PICTURE, headers=JPEG))
    assert (error["code"], error["message"]) == (400, "chunk: is not a picture")


@pytest.mark.parametrize("round_", range(10))
async def test_an_answer_before_the_end_is_given_at_once(
    live: httpx.AsyncClient, shelves: Shelves, round_: int
) -> None:
    shelves.answers["UploadPicture"] = message("UploadPictureResponse")(sha256="known")
    answer = await live.post(PATH, content=PICTURE * 4, headers=JPEG)
    assert answer.json()["sha256"] == "known"


async def test_an_answer_does_not_wait_for_a_slow_client(
    client: httpx.AsyncClient, shelves: Shelves
) -> None:
    shelves.answers["UploadPicture"] = message("UploadPictureResponse")(sha256="known")
    released = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        await released.wait()

    answer = await asyncio.wait_for(client.post(PATH, content=slowly(), headers=JPEG), 60)
    released.set()
    assert answer.json()["sha256"] == "known"


async def test_a_client_that_leaves_ends_the_call(
    live: httpx.AsyncClient, shelves: Shelves
) -> None:
    async def forever() -> AsyncIterator[bytes]:
        yield PICTURE
        await asyncio.Event().wait()

    async def some_arrived() -> bool:
        return shelves.received_bytes > 0

    async def was_cancelled() -> bool:
        return shelves.cancelled == ["UploadPicture"]

    shelves.is_never_complete = True
    sending = asyncio.create_task(live.post(PATH, content=forever(), headers=JPEG))
    await eventually(some_arrived)
    sending.cancel()
    await eventually(was_cancelled)


async def test_a_large_file_is_never_held_whole(app: Starlette, shelves: Shelves) -> None:
    size = 2_900_000
    tracemalloc.start()
    try:
        async with listening(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:

            async def pieces() -> AsyncIterator[bytes]:
                for _ in range(size // 10_000):
                    yield b"x" * 10_000

            # What is made once is not what this is about.
            first = await client.post(PATH, content=PICTURE, headers=JPEG)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            answer = await client.post(PATH, content=pieces(), headers=JPEG)
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The shelf counts all that came.
    assert int(answer.json()["sizeBytes"]) - int(first.json()["sizeBytes"]) == size
    assert peak - before < size
