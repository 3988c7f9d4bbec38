"""Keeps keys from going into private networks under a public name."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

import httpx

from libs.http import Refused
from services.scheduler.domain.channel import is_public

Lookup = Callable[[str], Awaitable[Sequence[str]]]


async def addresses_of(host: str) -> Sequence[str]:
    """The IP addresses of ``host``; none if it cannot be looked up here."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        # The connection fails as well then, or a proxy knows better.
        return ()
    return [str(address[0]) for *_, address in found]


async def refuse_private(url: httpx.URL, lookup: Lookup = addresses_of) -> None:
    """Passes what may be sent to. Raises ``Refused`` if any address of an https host is private.

    The connection may take any of them, so one is enough. Plain http is for addresses of this
    machine only; that was checked with the channel.
    """
    if url.scheme != "https":
        return
    private = [address for address in await lookup(url.host) if not is_public(address)]
    if private:
        raise Refused(
            f"{url.host} has an address in a private network ({private[0]}); nothing is sent there"
        )
