"""The stand-in itself: what it answers, and that it survives being killed."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio

from libs.http import HttpClient
from services.scheduler.providers.base import Channel, PublishRequest
from services.scheduler.providers.buffer import BufferPublisher
from tests.contract.buffer.conftest import Time
from tests.support.buffer import (
    DEFAULT_TOKEN,
    INSTAGRAM_ID,
    MASTODON_ID,
    ORGANIZATION_ID,
    Admin,
    BufferStandIn,
)
from tests.support.buffer.clock import from_wire
from tests.support.buffer.media_host import MediaHost
from tests.support.wait import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE = """mutation ($input: CreatePostInput!) { createPost(input: $input) {
  __typename ... on PostActionSuccess { post { id status dueAt } } ... on MutationError { message }
} }"""
EDIT = CREATE.replace("CreatePostInput", "EditPostInput").replace("createPost", "editPost")
POSTS = """query ($first: Int, $after: String, $input: PostsInput!) {
  posts(first: $first, after: $after, input: $input) {
    edges { cursor node { id text assets { mimeType ... on ImageAsset { image { altText } } } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  } }"""


class Client:
    """Sends what it is told and answers with status and body."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def __call__(self, query: str, path: str = "/", **variables: Any) -> tuple[int, Any]:
        body = {"query": query, "variables": variables}
        response = await self._http.post(path, json=body)
        return response.status_code, response.json()

    async def create(self, **fields: Any) -> dict[str, Any]:
        """The payload of a text post to Mastodon, with ``fields`` changed."""
        post = {"channelId": MASTODON_ID, "mode": "addToQueue", "schedulingType": "automatic"}
        _, body = await self(CREATE, input={**post, "text": "Hello", **fields})
        payload: dict[str, Any] = body["data"]["createPost"]
        return payload


@pytest_asyncio.fixture(loop_scope="module")
async def call(buffer: BufferStandIn) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {DEFAULT_TOKEN}", "User-Agent": "test/1"}
    async with httpx.AsyncClient(base_url=buffer.url, headers=headers) as http:
        yield Client(http)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{ profiles { id } }", "Cannot query field 'profiles'"),
        ("{ post(id: 3) { id } }", "Unknown argument 'id'"),
        (
            'mutation { createPost(input: {channelId: "x", mode: customSchedule,'
            " schedulingType: automatic}) { __typename } }",
            "'customSchedule' does not exist in 'ShareMode'",
        ),
        (
            'mutation { createPost(input: {channelId: "x", mode: addToQueue,'
            " schedulingType: automatic}) { ... on VoidMutationError { message } } }",
            "can never be of type 'VoidMutationError'",
        ),
        ("{ account { organizations } }", "must have a selection of subfields"),
        ("{ account", "Syntax Error"),
    ],
)
async def test_what_the_schema_does_not_know_is_a_true_400(
    call: Client, query: str, words: str
) -> None:
    status, body = await call(query)
    assert status == 400
    assert words in body["errors"][0]["message"]
    assert body["errors"][0]["extensions"]["code"].startswith("GRAPHQL_")
    assert body["errors"][0]["locations"]


@pytest.mark.parametrize(
    "fields",
    [
        {"schedulingType": "automatic_publishing"},
        {"assets": {"images": [{"url": "https://m.example/1.jpg"}]}},
        {"dueAt": "tomorrow"},
        {"mode": "recommendedTime"},
    ],
)
async def test_wrong_variables_are_a_400_too(
    call: Client, buffer: BufferStandIn, fields: dict[str, Any]
) -> None:
    post = {"channelId": MASTODON_ID, "mode": "addToQueue", "schedulingType": "automatic"}
    status, body = await call(CREATE, input={**post, **fields})
    assert status == 400
    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert await buffer.admin.calls() == {"received": 1, "processed": 0}


async def test_both_paths_answer(call: Client) -> None:
    assert (await call("{ account { email } }", path="/graphql"))[0] == 200
    status, body = await call("{ account { organizations { channelCount } } }")
    assert (status, body["data"]["account"]["organizations"]) == (200, [{"channelCount": 2}])


async def test_what_is_missing_is_an_error_with_200(call: Client) -> None:
    status, body = await call('{ post(input: {id: "65"}) { id } }')
    assert (status, body["data"]) == (200, None)
    assert body["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_pages_are_relays_and_sorted(call: Client) -> None:
    image = {"url": "https://m.example/1.jpg", "metadata": {"altText": "a cat"}}
    for text in "abc":
        await call.create(text=text, assets=[{"image": image}])
    sort = [{"field": "dueAt", "direction": "desc"}]
    wanted = {"organizationId": ORGANIZATION_ID, "sort": sort}
    _, first = await call(POSTS, first=2, input=wanted)
    edges, page = first["data"]["posts"]["edges"], first["data"]["posts"]["pageInfo"]
    assert [edge["node"]["text"] for edge in edges] == ["c", "b"]
    assert edges[0]["node"]["assets"] == [{"mimeType": "image/jpeg", "image": {"altText": "a cat"}}]
    assert page == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": edges[0]["cursor"],
        "endCursor": edges[1]["cursor"],
    }
    _, second = await call(POSTS, first=2, after=page["endCursor"], input=wanted)
    assert [edge["node"]["text"] for edge in second["data"]["posts"]["edges"]] == ["a"]
    assert second["data"]["posts"]["pageInfo"]["hasNextPage"] is False


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        ({"channelIds": [MASTODON_ID]}, ["queued", "draft"]),
        ({"channelIds": [INSTAGRAM_ID]}, []),
        ({"status": ["draft"]}, ["draft"]),
        ({"dueAtPresence": "absent"}, ["draft"]),
        ({"dueAt": {"start": "2020-01-01T00:00:00Z"}}, ["queued"]),
        ({"dueAt": {"end": "2020-01-01T00:00:00Z"}}, []),
        ({"createdAt": {"end": "2020-01-01T00:00:00Z"}}, []),
        ({"startDate": "2020-01-01T00:00:00+02:00"}, ["queued", "draft"]),
        ({"endDate": "2020-01-01T00:00:00Z"}, []),
    ],
)
async def test_filters(call: Client, wanted: dict[str, Any], texts: list[str]) -> None:
    await call.create(text="queued")
    await call.create(text="draft", saveToDraft=True)
    sort = [{"field": "createdAt", "direction": "asc"}]
    _, body = await call(
        POSTS, input={"organizationId": ORGANIZATION_ID, "filter": wanted, "sort": sort}
    )
    found = [edge["node"]["text"] for edge in body["data"]["posts"]["edges"]]
    assert sorted(found) == sorted(texts)


async def test_a_queue_fills_the_slots_of_its_own_time_zone(
    call: Client, buffer: BufferStandIn
) -> None:
    zone = "America/New_York"
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    schedule = [{"day": day, "times": ["09:00"], "paused": day == "sun"} for day in days]
    await buffer.admin.change_channel(MASTODON_ID, timezone=zone, postingSchedule=schedule)
    dues = [
        from_wire((await call.create(text=str(n)))["post"]["dueAt"]).astimezone(ZoneInfo(zone))
        for n in range(7)
    ]
    assert [(due.hour, due.minute) for due in dues] == [(9, 0)] * 7
    assert len({due.date() for due in dues}) == 7
    assert all(due.weekday() != 6 for due in dues)
    assert dues == sorted(dues)


async def test_an_empty_schedule_gives_no_time(call: Client, buffer: BufferStandIn) -> None:
    await buffer.admin.change_channel(MASTODON_ID, postingSchedule=[])
    payload = await call.create()
    assert payload["post"]["dueAt"] is None


async def test_checks_come_in_order(call: Client, buffer: BufferStandIn) -> None:
    wrong: dict[str, Any] = {"text": "", "mode": "customScheduled", "channelId": "x"}
    assert (await call.create(**wrong))["__typename"] == "NotFoundError"
    wrong["channelId"] = INSTAGRAM_ID
    await buffer.admin.change_channel(INSTAGRAM_ID, isLocked=True)
    assert (await call.create(**wrong))["__typename"] == "UnauthorizedError"
    await buffer.admin.change_channel(INSTAGRAM_ID, isLocked=False)
    assert (await call.create(**wrong))["message"] == (
        "Invalid post: Posts require text or an attachment., "
        "Instagram posts require at least one image or video., "
        "Instagram posts require a type (post, story, or reel)."
    )
    wrong |= {"channelId": MASTODON_ID, "text": "x"}
    await buffer.admin.change_settings(scheduledPosts=0)
    assert "requires dueAt" in (await call.create(**wrong))["message"]
    wrong["mode"] = "addToQueue"
    assert (await call.create(**wrong))["__typename"] == "LimitReachedError"


async def test_an_asset_is_exactly_one_thing(call: Client) -> None:
    both = {"image": {"url": "https://m.example/1"}, "link": {"url": "https://m.example/2"}}
    assert "exactly one" in (await call.create(assets=[both]))["message"]


async def test_a_draft_is_never_published_until_it_is_promoted(
    call: Client, buffer: BufferStandIn, time: Time
) -> None:
    draft = (await call.create(saveToDraft=True))["post"]
    assert (draft["status"], draft["dueAt"]) == ("draft", None)
    await time.advance(86_400)
    assert (await buffer.admin.posts())[0]["status"] == "draft"
    due = datetime.fromtimestamp(time.now().timestamp() + 60, UTC).isoformat()
    promote = {"id": draft["id"], "mode": "customScheduled", "dueAt": due, "saveToDraft": False}
    _, body = await call(EDIT, input=promote)
    assert body["data"]["editPost"]["post"]["status"] == "scheduled"
    await time.advance(70)
    [post] = await buffer.admin.posts()
    assert (post["status"], post["text"]) == ("sent", "Hello")
    _, body = await call(EDIT, input={"id": draft["id"], "text": "late"})
    assert body["data"]["editPost"]["__typename"] == "InvalidInputError"


async def test_a_paused_queue_publishes_nothing(
    call: Client, buffer: BufferStandIn, time: Time
) -> None:
    await buffer.admin.change_channel(MASTODON_ID, isQueuePaused=True)
    await call.create(mode="shareNow")
    await time.advance(3600)
    assert (await buffer.admin.posts())[0]["status"] == "scheduled"
    await buffer.admin.change_channel(MASTODON_ID, isQueuePaused=False)
    await time.advance(0)
    assert (await buffer.admin.posts())[0]["status"] == "sent"


async def test_what_is_due_is_published_without_being_asked(
    call: Client, buffer: BufferStandIn
) -> None:
    await buffer.admin.change_settings(publishSeconds=0)
    await call.create(mode="shareNow")

    async def is_sent() -> bool:
        return bool((await buffer.admin.posts())[0]["status"] == "sent")

    await eventually(is_sent)


@contextlib.asynccontextmanager
async def _process(state: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, Admin]]:
    arguments = ("--port", "0", "--admin-port", "0", "--state", str(state))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.buffer", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        words = (await process.stdout.readline()).decode().replace(",", "").split()
        url, admin_url = (word for word in words if word.startswith("http"))
        async with Admin(admin_url) as admin:
            yield process, url, admin
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_killed_stand_in_goes_on_where_it_was(
    tmp_path: Path,
    http: HttpClient,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    media: MediaHost,
) -> None:
    state = tmp_path / "buffer.json"
    async with _process(state) as (process, url, admin):
        await admin.fault("drop_before", operation="account", times=2)
        other = BufferPublisher(http, url=url)
        # That process goes by the clock of this machine.
        due_at = datetime.now(UTC) + timedelta(hours=1)
        submitted = await other.submit(instagram, replace(request_in_an_hour, due_at=due_at))
        process.kill()
    assert media.fetched == []
    async with _process(state) as (process, url, admin):
        assert [post["id"] for post in await admin.posts()] == [submitted.provider_post_id]
        assert (await admin.state())["faults"][0]["times"] == 2
        assert await admin.calls() == {"received": 1, "processed": 1}
        after = await admin.advance(3700)
        assert [post["status"] for post in after["posts"].values()] == ["sent"]
        process.terminate()
        assert await process.wait() == 0
    assert len(media.fetched) == 1
