"""Server streams as NDJSON and as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from libs import errors
from tests.contract.gateway.conftest import LIMITS, error_of
from tests.support.http import listening
from tests.support.shelves import Shelves
from tests.support.studio import message
from tests.support.wait import eventually

EVENTS = {"accept": "text/event-stream"}
OFTEN = replace(LIMITS, heartbeat=0.05)


@pytest.fixture
async def live(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A client over a real socket, which sees a stream as it comes in."""
    async with listening(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


def stream_of(*items: Any) -> Any:
    """A stream of these shelves; a number waits so many seconds, an event until it is set, and an
    error ends it."""

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        for item in items:
            if isinstance(item, float):
                await asyncio.sleep(item)
            elif isinstance(item, asyncio.Event):
                await item.wait()
            elif isinstance(item, Exception):
                raise item
            else:
                yield message("Shelf")(title=item)

    return stream


async def test_lines_of_json(live: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["WatchShelf"] = stream_of("a", "b")
    answer = await live.get("/v1/shelves/1:watch")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["result"]["title"] for line in lines] == ["a", "b"]
    assert shelves.calls[0].request.name == "shelves/1"


async def test_an_error_after_the_first_message_is_the_last_line(
    live: httpx.AsyncClient, shelves: Shelves
) -> None:
    shelves.answers["WatchShelf"] = stream_of("a", errors.Unavailable("gone"))
    answer = await live.get("/v1/shelves/1:watch")
    assert answer.status_code == 200
    first, last = (json.loads(line) for line in answer.text.splitlines())
    assert first["result"]["title"] == "a"
    assert (last["error"]["code"], last["error"]["message"]) == (503, "gone")


async def test_an_error_at_once_has_its_own_status(
    live: httpx.AsyncClient, shelves: Shelves
) -> None:
    shelves.answers["WatchShelf"] = stream_of(errors.NotFound("shelf", "shelves/1"))
    for headers in ({}, EVENTS):
        answer = await live.get("/v1/shelves/1:watch", headers=headers)
        assert error_of(answer)["code"] == 404


async def test_a_stream_without_messages(live: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["WatchShelf"] = stream_of()
    answer = await live.get("/v1/shelves/1:watch")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_events(live: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["WatchShelf"] = stream_of("a\nb", errors.Conflict("lost"))
    answer = await live.get("/v1/shelves/1:watch", headers=EVENTS)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-cache"
    first, last, rest = answer.text.split("\n\n")
    assert rest == ""
    event, data = first.split("\n")
    assert event == "event: message"
    assert json.loads(data.removeprefix("data: "))["title"] == "a\nb"
    event, data = last.split("\n")
    assert event == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["status"] == "ABORTED"


@pytest.mark.parametrize("limits", [OFTEN])
async def test_silence_is_filled_with_comments(live: httpx.AsyncClient, shelves: Shelves) -> None:
    first, last = asyncio.Event(), asyncio.Event()
    shelves.answers["WatchShelf"] = stream_of(first, "a", last)
    async with live.stream("GET", "/v1/shelves/1:watch", headers=EVENTS) as answer:
        lines = answer.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [": alive", ""] * 2
        first.set()
        data = [line async for line in lines_to(lines, "data: ")][-1]
        assert json.loads(data.removeprefix("data: "))["title"] == "a"
        assert [await anext(lines) for _ in range(5)] == ["", *[": alive", ""] * 2]
        last.set()
        assert {line async for line in lines} <= {": alive", ""}


async def lines_to(lines: AsyncIterator[str], start: str) -> AsyncIterator[str]:
    """The lines up to the first that begins like that."""
    async for line in lines:
        yield line
        if line.startswith(start):
            return


@pytest.mark.parametrize("limits", [OFTEN])
async def test_lines_have_no_heartbeats(live: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["WatchShelf"] = stream_of(0.18, "a", 0.18)
    answer = await live.get("/v1/shelves/1:watch")
    assert len(answer.text.splitlines()) == 1


async def test_messages_arrive_as_they_are_sent_and_leaving_ends_the_call(
    live: httpx.AsyncClient, shelves: Shelves
) -> None:
    async def was_cancelled() -> bool:
        return shelves.cancelled == ["WatchShelf"]

    shelves.answers["WatchShelf"] = stream_of("a", asyncio.Event())
    async with live.stream("GET", "/v1/shelves/1:watch") as answer:
        line = await anext(answer.aiter_lines())
        assert json.loads(line)["result"]["title"] == "a"
    await eventually(was_cancelled)


async def test_a_stream_ends_at_its_deadline(live: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["WatchShelf"] = stream_of("a", asyncio.Event())
    answer = await live.get("/v1/shelves/1:watch", headers={"grpc-timeout": "300m"})
    last = json.loads(answer.text.splitlines()[-1])
    assert last["error"]["status"] == "DEADLINE_EXCEEDED"
