"""What is particular to Bluesky: sessions, record keys, blobs, facets."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image as Pillow

from libs.http import HttpClient
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Channel,
    Credentials,
    NotSent,
    Publisher,
    PublishRequest,
    ReadFailed,
    RemoteState,
)
from services.scheduler.providers.bluesky import MAX_BLOB
from services.scheduler.providers.pictures import Pictures
from tests.contract.providers.conftest import KEY
from tests.contract.providers.sides import BlueskySide, Side, Time
from tests.contract.providers.worker import Worker
from tests.support.bluesky import BlueskyStandIn
from tests.support.pictures import encoded
from tests.support.scheduler_fakes import MemoryBlobs

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("running_side", ["bluesky"], indirect=True, scope="module"),
]


@pytest.fixture
def server(side: Side) -> BlueskyStandIn:
    assert isinstance(side, BlueskySide)
    stand_in: BlueskyStandIn = side.stand_in
    return stand_in


def only(server: BlueskyStandIn) -> dict[str, Any]:
    [record] = server.live.values()
    return record


async def test_links_and_hashtags_work(
    worker: Worker, server: BlueskyStandIn, request_now: PublishRequest
) -> None:
    text = "Grüße 👋🏽 von https://studio.example/ä, #größe! #2024"
    worker.request = replace(request_now, text=text)
    await worker.publish()
    record, raw = only(server), text.encode()
    spans = {
        raw[f["index"]["byteStart"] : f["index"]["byteEnd"]].decode(): f["features"][0]
        for f in record["facets"]
    }
    assert set(spans) == {"https://studio.example/ä", "#größe"}
    assert spans["#größe"]["tag"] == "größe"
    assert record["createdAt"].endswith("Z")
    [image] = record["embed"]["images"]
    assert image["aspectRatio"] == {"width": 1000, "height": 750}


async def test_the_same_post_is_put_once_however_often_it_is_called_for(
    worker: Worker, server: BlueskyStandIn
) -> None:
    ids = {await worker.attempt() for _ in range(4)}
    assert len(ids) == len(server.live) == server.commits == 1


async def test_a_record_that_is_ours_but_for_its_picture_is_adopted(
    worker: Worker, server: BlueskyStandIn, request_now: PublishRequest
) -> None:
    """Another release of the picture library may write other bytes: still it is one post."""
    first = await worker.attempt()
    record = only(server)
    record["embed"]["images"][0]["alt"] = "made otherwise"
    assert await worker.attempt() == first
    assert server.commits == 1


async def test_another_record_under_the_key_is_not_replaced(
    worker: Worker, server: BlueskyStandIn
) -> None:
    await worker.attempt()
    only(server)["createdAt"] = "2020-01-01T00:00:00.000Z"
    error = await worker.attempt()
    assert isinstance(error, NotSent)
    assert error.kind is FailureKind.PERMANENT
    assert only(server)["createdAt"].startswith("2020")


async def test_a_session_that_ended_is_refreshed_once_for_all(
    publisher: Publisher, channel: Channel, server: BlueskyStandIn, worker: Worker
) -> None:
    uri = await worker.publish()
    assert isinstance(uri, str)
    assert (server.calls["sign_in"], server.calls["refresh"]) == (2, 0)
    server.end_sessions()
    asked = {uri: worker.request.due_at}
    bodies = await asyncio.gather(*(publisher.withdraw(channel, "at://x/y/none") for _ in range(6)))
    assert len(bodies) == 6
    assert (server.calls["sign_in"], server.calls["refresh"]) == (2, 1)
    assert len(await publisher.status(channel, asked)) == 1


async def test_a_refresh_token_that_was_used_already_leads_to_a_new_session(
    publisher: Publisher, channel: Channel, server: BlueskyStandIn, worker: Worker
) -> None:
    await worker.publish()
    server.end_sessions()
    server._refresh.clear()
    await publisher.withdraw(channel, "at://x/y/none")
    assert (server.calls["refresh"], server.calls["sign_in"]) == (1, 3)


async def test_sign_ins_have_a_window_of_their_own(
    adapter: Callable[[], Publisher], server: BlueskyStandIn, channel: Channel, time: Time
) -> None:
    server.fault("rate_limit", operation="sign_in", seconds=240)
    fresh = adapter()
    with pytest.raises(NotSent) as caught:
        await fresh.channels(channel.credentials)
    assert caught.value.kind is FailureKind.THROTTLED
    assert caught.value.retry_after == pytest.approx(240, abs=20)
    await time.advance(270)
    assert len(await fresh.channels(channel.credentials)) == 1


async def test_a_heavy_picture_is_made_to_fit_the_same_way_each_time(
    http: HttpClient,
    side: Side,
    server: BlueskyStandIn,
    time: Time,
    channel: Channel,
    request_now: PublishRequest,
) -> None:
    noise = Pillow.frombytes("RGB", (1400, 1400), random.Random(7).randbytes(1400 * 1400 * 3))
    blobs = MemoryBlobs()
    blobs.kept[KEY] = encoded(noise, "JPEG", quality=90)
    assert len(blobs.kept[KEY]) > MAX_BLOB
    publisher = side.publisher(http, Pictures(blobs), time)
    await publisher.submit(channel, request_now)
    await publisher.submit(channel, request_now)
    [record] = server.live.values()
    photo = server.photo(record)
    assert photo is not None
    assert photo.size <= MAX_BLOB
    assert not photo.has_metadata
    assert len(server.blobs) == server.commits == 1


async def test_what_bluesky_refuses_is_told_before(
    publisher: Publisher, channel: Channel, request_now: PublishRequest
) -> None:
    [image] = request_now.images
    bare = replace(request_now, text="a" * 301, images=(replace(image, alt_text=" "),))
    codes = [problem.code for problem in publisher.preflight(channel, bare)]
    assert codes == ["TEXT_TOO_LONG", "ALT_TEXT_MISSING"]
    family = "👨‍👩‍👧"
    assert publisher.preflight(channel, replace(request_now, text=family * 160)) == []
    heavy = publisher.preflight(channel, replace(request_now, text=family * 170))
    assert [(p.code, p.allowed) for p in heavy] == [("TEXT_TOO_LONG", "3000")]


async def test_an_account_is_known_by_its_handle_and_kept_by_its_did(
    publisher: Publisher, channel: Channel, server: BlueskyStandIn
) -> None:
    [remote] = await publisher.channels(Credentials(channel.credentials.token, channel.id))
    assert remote.id == channel.id
    assert remote.name in remote.aliases
    assert server.calls["sign_in"] == 2


async def test_one_record_that_cannot_be_read_hides_no_other(
    publisher: Publisher, channel: Channel, server: BlueskyStandIn, request_now: PublishRequest
) -> None:
    first = (await publisher.submit(channel, request_now)).provider_post_id
    second = (await publisher.submit(channel, replace(request_now, key="another"))).provider_post_id
    posts = {first: request_now.due_at, second: request_now.due_at}
    server.live[first]["createdAt"] = "yesterday"
    states = {post.id: post.state for post in await publisher.status(channel, posts)}
    assert states == {first: RemoteState.SENDING, second: RemoteState.SENT}
    with pytest.raises(ReadFailed):
        await publisher.status(channel, {first: request_now.due_at})
