from datetime import timedelta

import pytest

from services.scheduler.domain.channel import ChannelState, Provider
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import Credentials, ReadFailed, Renewal
from services.scheduler.usecases.outgoing import Accounts
from services.scheduler.usecases.renew_tokens import RenewTokens
from tests.support.scheduler_fakes import FakePublisher, OnePublisher, a_channel
from tests.unit.scheduler.usecases.conftest import Desk


class RenewingPublisher(FakePublisher):
    """Gives a new token, or the error it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Renewal | Exception
        self.renewed: list[str] = []

    async def renew(self, credentials: Credentials) -> Renewal:
        self.renewed.append(credentials.token)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def publisher() -> RenewingPublisher:
    return RenewingPublisher()


@pytest.fixture
def renew(desk: Desk, publisher: RenewingPublisher) -> RenewTokens:
    accounts = Accounts(OnePublisher(publisher), desk.vault)
    return RenewTokens(desk.store, accounts, desk.vault, desk.care, desk.clock)


def connect(desk: Desk, **fields: object) -> None:
    now = desk.clock.now()
    desk.store.add(a_channel(now, provider=Provider.INSTAGRAM, renew_at=now, **fields))


async def test_a_token_is_renewed_thirty_days_before_its_end(
    desk: Desk, publisher: RenewingPublisher, renew: RenewTokens
) -> None:
    connect(desk)
    ends_at = desk.clock.now() + timedelta(days=60)
    publisher.answer = Renewal("renewed", ends_at)
    await renew()
    channel = desk.store.channel
    assert desk.vault.unseal(channel.sealed_token) == "renewed"
    assert (channel.token_expires_at, channel.renew_at) == (ends_at, ends_at - timedelta(days=30))
    assert channel.batch == f"instagram:{Credentials('renewed').key}:org:"
    await renew()
    desk.clock.advance(timedelta(days=29))
    await renew()
    assert publisher.renewed == ["token"]
    desk.clock.advance(timedelta(days=1))
    await renew()
    assert publisher.renewed == ["token", "renewed"]


async def test_a_refusal_of_the_first_day_stops_nothing_and_is_tried_a_day_later(
    desk: Desk, publisher: RenewingPublisher, renew: RenewTokens
) -> None:
    connect(desk)
    publisher.answer = ReadFailed(FailureKind.AUTH, "the token is too young")
    await renew()
    await renew()
    assert desk.store.channel.state is ChannelState.CONNECTED
    assert len(publisher.renewed) == 1
    desk.clock.advance(timedelta(days=1))
    await renew()
    assert len(publisher.renewed) == 2


async def test_a_token_that_has_ended_stops_the_channel(
    desk: Desk, publisher: RenewingPublisher, renew: RenewTokens
) -> None:
    connect(desk, token_expires_at=desk.clock.now())
    publisher.answer = ReadFailed(FailureKind.AUTH, "the session has been invalidated")
    await renew()
    assert desk.store.channel.state is ChannelState.NEEDS_ATTENTION
    assert "invalidated" in desk.store.channel.state_reason
