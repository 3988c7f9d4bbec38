from collections.abc import Sequence

import httpx
import pytest

from libs.http import Refused
from services.scheduler.providers.guard import addresses_of, refuse_private


@pytest.mark.parametrize(
    ("url", "addresses", "passes"),
    [
        ("https://provider.example", ["93.184.216.34"], True),
        ("https://provider.example", ["93.184.216.34", "10.0.0.1"], False),
        ("https://provider.example", ["10.0.0.1", "fe80::1%eth0"], False),
        ("https://provider.example", ["169.254.169.254"], False),
        ("https://provider.example", ["::ffff:127.0.0.1"], False),
        ("https://provider.example", [], True),
        ("http://127.0.0.1:8123", ["127.0.0.1"], True),
    ],
)
async def test_a_public_name_for_a_private_address_is_refused(
    url: str, addresses: list[str], passes: bool
) -> None:
    async def lookup(host: str) -> Sequence[str]:
        return addresses

    if passes:
        await refuse_private(httpx.URL(url), lookup)
    else:
        with pytest.raises(Refused, match="private network"):
            await refuse_private(httpx.URL(url), lookup)


async def test_names_are_looked_up() -> None:
    assert "127.0.0.1" in await addresses_of("127.0.0.1")
