import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.scheduler.domain.channel import (
    ChannelState,
    check_connected,
    check_endpoint,
    check_media_reachable,
)
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://api.buffer.com", "https://api.buffer.com"),
        ("https://buffer.example/graphql/", "https://buffer.example/graphql"),
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123"),
        ("http://127.1.2.3/", "http://127.1.2.3"),
        ("http://localhost:8123", "http://localhost:8123"),
        ("http://[::1]:8123", "http://[::1]:8123"),
    ],
)
def test_a_key_may_go_to_https_and_to_this_machine(url: str, endpoint: str) -> None:
    assert check_endpoint(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "http://api.buffer.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "api.buffer.com",
        "https://",
        "https://user@buffer.example",
        "https://user:password@buffer.example",
        "https://buffer.example/?key=1",
        "https://buffer.example/#top",
        "https://169.254.169.254/latest",
        "https://10.0.0.1",
        "https://127.0.0.1",
        "https://localhost",
        "https://0.0.0.0",
        "https://224.0.0.1",
        "https://[::1]",
        "https://[fe80::1]",
        "https://[fd00::1]",
        "https://[::ffff:192.168.1.1]",
    ],
)
def test_a_key_goes_nowhere_else(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_endpoint(url)
    assert caught.value.violations[0].field == "channel.endpoint"


def test_a_channel_shows_no_key() -> None:
    channel = a_channel(NOON, sealed_token="sealed-secret")
    assert "sealed-secret" not in repr(channel)
    assert channel.name == "personas/nora/channels/insta"


def test_only_a_connected_channel_can_be_published_on() -> None:
    check_connected(a_channel(NOON))
    for state in (ChannelState.PAUSED, ChannelState.NEEDS_ATTENTION):
        with pytest.raises(FailedPrecondition, match="key revoked") as caught:
            check_connected(a_channel(NOON, state=state, state_reason="key revoked"))
        assert caught.value.reason == "NO_CHANNEL"


@pytest.mark.parametrize("endpoint", ["", "https://buffer.example"])
def test_a_provider_elsewhere_needs_a_public_address_for_pictures(endpoint: str) -> None:
    for base_url in ("http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"):
        with pytest.raises(FailedPrecondition, match="SCHEDULER__MEDIA_BASE_URL") as caught:
            check_media_reachable(endpoint, base_url)
        assert caught.value.reason == "FAILED_PRECONDITION"
    check_media_reachable(endpoint, "https://studio.example")
    check_media_reachable("http://127.0.0.1:8123", "http://127.0.0.1:8080")
