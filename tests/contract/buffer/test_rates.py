"""Rate limits: the headers, the refusals, and keeping away from both."""

from datetime import timedelta

import httpx
import pytest

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import Channel, NotSent, PublishRequest, ReadFailed
from services.scheduler.providers.buffer import BufferPublisher
from tests.contract.buffer.conftest import Time
from tests.support.buffer import DEFAULT_TOKEN, BufferStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEADERS = {"Authorization": f"Bearer {DEFAULT_TOKEN}", "User-Agent": "test/1"}
QUERY = {"query": "{ account { id } }"}


@pytest.mark.parametrize(("window", "name"), [(900, "15m"), (86_400, "24h"), (2_592_000, "30d")])
async def test_each_window_refuses_what_is_too_much_and_rolls(
    buffer: BufferStandIn, time: Time, window: int, name: str
) -> None:
    quotas = {"900": 50, "86400": 60, "2592000": 70} | {str(window): 2}
    await buffer.admin.change_settings(quotas=quotas)
    async with httpx.AsyncClient(headers=HEADERS) as client:
        first = await client.post(buffer.url, json=QUERY)
        await time.advance(100)
        await client.post(buffer.url, json=QUERY)
        refused = await client.post(buffer.url, json=QUERY)
        await time.advance(window - 100)
        again = await client.post(buffer.url, json=QUERY)
    assert (first.status_code, refused.status_code, again.status_code) == (200, 429, 200)
    assert f'"{name}";r=1;t={window}' in first.headers.get_list("ratelimit")
    policies = first.headers.get_list("ratelimit-policy")
    assert any(policy.startswith(f'"{name}";q=2;w={window};pk=:') for policy in policies)
    assert len(policies) == 3
    error = refused.json()["errors"][0]
    assert error["extensions"] == {"code": "RATE_LIMIT_EXCEEDED", "window": name}
    assert int(refused.headers["retry-after"]) == pytest.approx(window - 100, abs=2)


async def test_a_used_up_window_holds_back_the_whole_key_without_asking(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await buffer.admin.change_settings(quotas={"900": 1, "86400": 250, "2592000": 7500})
    await publisher.submit(instagram, request_in_an_hour)
    with pytest.raises(NotSent) as caught:
        await publisher.submit(instagram, request_in_an_hour)
    assert (caught.value.kind, caught.value.window) == (FailureKind.THROTTLED, "15m")
    assert caught.value.retry_after == pytest.approx(900, abs=2)
    with pytest.raises(ReadFailed):
        await publisher.find(instagram, request_in_an_hour, time.now())
    assert (await buffer.admin.calls())["received"] == 1
    await time.advance(901)
    since = time.now() - timedelta(hours=1)
    assert len(await publisher.find(instagram, request_in_an_hour, since)) == 1


async def test_a_refusal_holds_back_the_key_for_as_long_as_it_says(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await buffer.admin.fault("rate_limit", window="30d", seconds=120)
    with pytest.raises(NotSent) as caught:
        await publisher.submit(instagram, request_in_an_hour)
    assert (caught.value.window, caught.value.retry_after) == ("30d", 120)
    with pytest.raises(NotSent):
        await publisher.submit(instagram, request_in_an_hour)
    assert (await buffer.admin.calls())["received"] == 1
    await time.advance(121)
    await publisher.submit(instagram, request_in_an_hour)


async def test_a_refused_call_does_not_put_off_reads_for_longer_than_it_says(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await buffer.admin.fault("rate_limit", seconds=3)
    with pytest.raises(NotSent):
        await publisher.submit(instagram, request_in_an_hour)
    assert publisher.may_poll(instagram.credentials)
    with pytest.raises(ReadFailed) as caught:
        await publisher.status(instagram, {"1": time.now()})
    assert caught.value.retry_after == pytest.approx(3, abs=1)


async def test_a_short_refusal_of_a_query_is_waited_out(
    publisher: BufferPublisher, buffer: BufferStandIn, instagram: Channel, time: Time
) -> None:
    await buffer.admin.fault("rate_limit", operation="account", seconds=3)
    assert len(await publisher.channels(instagram.credentials)) == 2
    assert time.slept == [3.0]


async def test_a_fifth_of_the_day_is_kept_for_publishing(
    publisher: BufferPublisher, buffer: BufferStandIn, instagram: Channel, time: Time
) -> None:
    await buffer.admin.change_settings(quotas={"900": 100, "86400": 5, "2592000": 7500})
    assert publisher.may_poll(instagram.credentials)
    await publisher.channels(instagram.credentials)
    await publisher.channels(instagram.credentials)
    assert publisher.may_poll(instagram.credentials)
    with pytest.raises(ReadFailed):
        await publisher.channels(instagram.credentials)
    assert not publisher.may_poll(instagram.credentials)
