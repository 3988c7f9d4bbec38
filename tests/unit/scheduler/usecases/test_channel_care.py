from datetime import timedelta

import pytest

from services.scheduler.domain.channel import ChannelState
from services.scheduler.domain.publication import Problem
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import ProviderError, ReadFailed, RemoteChannel
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel, a_post, a_publication
from tests.unit.scheduler.usecases.conftest import Desk

NAME = "personas/nora/channels/insta"
KEY = ("nora", "insta")


def account(id: str = "acc", **fields: bool) -> RemoteChannel:
    flags = {"is_disconnected": False, "is_locked": False, "is_queue_paused": False, **fields}
    return RemoteChannel(id, "org", "instagram", "insta", "Insta", "UTC", **flags)


async def test_a_refused_channel_is_paused_once(desk: Desk) -> None:
    desk.store.add(a_channel(NOON))
    await desk.care.pause(desk.store.channel.key, "key revoked")
    paused = desk.store.channel
    assert paused.state is ChannelState.NEEDS_ATTENTION
    assert paused.state_reason == "key revoked"
    assert paused.check_at == NOON + timedelta(minutes=30)
    assert paused.version == 2
    await desk.care.pause(paused.key, "key still revoked")
    assert desk.store.channel == paused


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [account("another")],
        [account(is_disconnected=True)],
        [account(is_locked=True)],
        [account(is_queue_paused=True)],
        ReadFailed(FailureKind.AUTH, "key revoked"),
    ],
)
async def test_a_channel_that_is_not_mended_stays_paused(
    desk: Desk, answer: list[RemoteChannel] | ProviderError
) -> None:
    desk.store.add(a_channel(NOON, state=ChannelState.NEEDS_ATTENTION))
    desk.publisher.accounts = answer
    await desk.care.check(NAME)
    assert desk.store.channel.state is ChannelState.NEEDS_ATTENTION


async def test_a_mended_channel_goes_on_with_what_it_held(desk: Desk) -> None:
    later = NOON + timedelta(minutes=30)
    problem = Problem("CHANNEL_HELD", "key revoked", retryable=True)
    held = a_publication(NOON, next_attempt_at=later, problem=problem)
    channel = a_channel(NOON, state=ChannelState.NEEDS_ATTENTION, check_at=NOON)
    desk.store.add(channel, a_post(NOON, held))
    desk.publisher.accounts = [account()]
    await desk.care.check(NAME)
    mended = desk.store.channel
    assert (mended.state, mended.state_reason) == (ChannelState.CONNECTED, "")
    assert mended.check_at is None
    assert desk.store.publication.next_attempt_at == NOON


async def test_a_channel_that_works_or_is_gone_is_not_checked(desk: Desk) -> None:
    desk.publisher.accounts = RuntimeError("must not be asked")  # type: ignore[assignment]
    await desk.care.check(NAME)
    desk.store.add(a_channel(NOON))
    await desk.care.check(NAME)
