"""Load on a server: many callers in turn, a light client, calls a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable

Call = Callable[[], Awaitable[object]]


async def rate(call: Call, *, callers: int, seconds: float) -> float:
    """Calls a second that ``callers`` callers get, each waiting for its answer."""
    await asyncio.gather(*(call() for _ in range(callers)))
    stop = time.perf_counter() + seconds
    count = 0

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() < stop:
            await call()
            count += 1

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - started)


async def timed(call: Call) -> float:
    """How long one call takes, in milliseconds."""
    started = time.perf_counter()
    await call()
    return (time.perf_counter() - started) * 1000


class HttpCaller:
    """GETs one path over kept connections, with next to no work of its own.

    A usual HTTP client takes longer than the servers measured here, and would hide them.
    """

    def __init__(self, address: str, path: str) -> None:
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self._request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __call__(self) -> bytes:
        """The body of the answer. Raises RuntimeError for another status than 200."""
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode(errors="replace"))
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        self._idle.append((reader, writer))
        return body

    async def close(self) -> None:
        """Closes the connections."""
        for _, writer in self._idle:
            writer.close()
            await writer.wait_closed()
