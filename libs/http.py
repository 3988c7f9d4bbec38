"""The one way out to other people's HTTP servers.

Safe reads are retried; what changes something is sent exactly once. A failed exchange says
whether the request can have arrived: ``NotDelivered`` or ``NoAnswer``. Each circuit (named by
the caller, say provider and key) is broken after a row of failures and tried again later.
"""

import asyncio
import functools
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

RETRY_DELAYS: Final = (1.0, 2.0, 4.0)
RETRY_JITTER: Final = 0.5
MAX_ANSWER: Final = 4 * 1024 * 1024
# Many servers close a connection that is idle for 5 s. They must not do so just as a request is on
# its way: nobody could tell whether it was carried out.
_KEPT_ALIVE: Final = httpx.Limits(
    max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0
)
# They tell of the body as it was on its way, not of what was made of it.
_OF_TRANSFER: Final = ("content-encoding", "content-length", "transfer-encoding")

# Raised before the first byte of a request leaves: name lookup, connection, TLS, proxy tunnel.
_NOT_DELIVERED: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class CallFailed(Exception):
    """No answer came. The text names the kind of failure, never headers or bodies."""


class NotDelivered(CallFailed):
    """Provably nothing of the request arrived."""


class Refused(NotDelivered):
    """Not even tried: the guard forbids the address."""


class NoAnswer(CallFailed):
    """The request may have arrived and been acted upon."""


class AnswerTooLarge(NoAnswer):
    """The answer is longer than ``MAX_ANSWER`` bytes; the rest was not read."""


class CircuitOpen(NotDelivered):
    """Not even tried: this circuit failed too often. ``retry_after`` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"too many failures; the next try is in {retry_after:.0f} s")
        self.retry_after = retry_after


class CircuitBreaker:
    """Closed until ``failures`` in a row, then open for ``open_for`` seconds, then one probe."""

    def __init__(
        self, *, failures: int, open_for: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._open_for = open_for
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    def admit(self) -> None:
        """Passes a call; every one that passes must be followed by one of the three below.

        Raises ``CircuitOpen``.
        """
        if self._opened_at is None:
            return
        left = self._opened_at + self._open_for - self._clock()
        if left > 0 or self._probing:
            raise CircuitOpen(max(left, 1.0))
        self._probing = True

    def succeeded(self) -> None:
        """The server is well: close."""
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        """One more failure; opens at the limit, and again at once if a probe failed."""
        self._failures += 1
        if self._failures >= self._limit:
            self._opened_at = self._clock()
        self._probing = False

    def released(self) -> None:
        """The call was given up for reasons of ours, and tells nothing."""
        self._probing = False


Guard = Callable[[httpx.URL], Awaitable[None]]


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whom to trust, for all clients of the process; it takes long to read."""
    return httpx.create_ssl_context()


async def _let_pass(url: httpx.URL) -> None:
    """The guard of clients whose addresses nobody else chooses."""


class HttpClient:
    """An httpx client with our timeouts, retries and breakers. Use as a context manager.

    ``total`` bounds one exchange, from connecting to the last byte. Reads and writes of one
    circuit are broken separately: a probe of the one says little about the other. ``guard`` sees
    the address before each exchange, and raises ``Refused`` for one that is forbidden.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        connect: float = 5.0,
        total: float = 30.0,
        failures: int = 5,
        read_open_for: float = 60.0,
        write_open_for: float = 3600.0,
        max_retry_after: float = 10.0,
        guard: Guard = _let_pass,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = httpx.AsyncClient(
            headers={"User-Agent": user_agent},
            timeout=httpx.Timeout(total, connect=connect, pool=connect),
            limits=_KEPT_ALIVE,
            transport=transport,
            verify=_trusted(),
        )
        self._total = total
        self._guard = guard
        self._failures = failures
        self._read_open_for = read_open_for
        self._write_open_for = write_open_for
        self._max_retry_after = max_retry_after
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._breakers: dict[tuple[str, str], CircuitBreaker] = {}

    async def __aenter__(self) -> "HttpClient":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the pooled connections."""
        await self._client.aclose()

    async def read(
        self,
        method: str,
        url: str,
        *,
        circuit: str,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Sends what is safe to repeat, up to four times on 429, 5xx or a failed connection.

        Returns the last answer, whatever its status. A server that asks for a longer wait than
        ``max_retry_after`` gets no retry. Raises ``CallFailed``.
        """
        breaker = self._breaker("read", circuit, self._read_open_for)
        for delay in RETRY_DELAYS:
            wait = delay
            try:
                response = await self._send(breaker, method, url, headers, json, content)
            except (CircuitOpen, Refused):
                raise
            except NotDelivered:
                pass
            else:
                asked = retry_after_seconds(response.headers) or 0.0
                if not _is_retryable(response) or asked > self._max_retry_after:
                    return response
                wait = max(delay, asked)
            await self._sleep(wait * (1 + RETRY_JITTER * self._jitter()))
        return await self._send(breaker, method, url, headers, json, content)

    async def write_once(
        self,
        method: str,
        url: str,
        *,
        circuit: str,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Sends exactly once. Raises ``NotDelivered`` (``CircuitOpen``) or ``NoAnswer``."""
        breaker = self._breaker("write", circuit, self._write_open_for)
        return await self._send(breaker, method, url, headers, json, content)

    def _breaker(self, purpose: str, circuit: str, open_for: float) -> CircuitBreaker:
        key = (purpose, circuit)
        if key not in self._breakers:
            self._breakers[key] = CircuitBreaker(
                failures=self._failures, open_for=open_for, clock=self._clock
            )
        return self._breakers[key]

    async def _send(
        self,
        breaker: CircuitBreaker,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        json: Any,
        content: bytes | None,
    ) -> httpx.Response:
        breaker.admit()
        try:
            response = await self._exchange(method, url, headers, json, content)
        except CallFailed:
            breaker.failed()
            raise
        except BaseException:
            breaker.released()
            raise
        if response.is_server_error:
            breaker.failed()
        else:
            breaker.succeeded()
        return response

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        json: Any,
        content: bytes | None,
    ) -> httpx.Response:
        # `from None`: httpx errors hold the request, and with it the Authorization header.
        try:
            async with asyncio.timeout(self._total):
                await self._guard(httpx.URL(url))
                async with self._client.stream(
                    method, url, headers=headers, json=json, content=content
                ) as answer:
                    return await _read(answer)
        except _NOT_DELIVERED as error:
            raise NotDelivered(_describe(error)) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswer(_describe(error)) from None


async def _read(answer: httpx.Response) -> httpx.Response:
    """The answer with its body in memory. Raises ``AnswerTooLarge``."""
    body = bytearray()
    async for chunk in answer.aiter_bytes(65536):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise AnswerTooLarge(f"the answer has more than {MAX_ANSWER} bytes")
    headers = [(k, v) for k, v in answer.headers.multi_items() if k.lower() not in _OF_TRANSFER]
    return httpx.Response(answer.status_code, headers=headers, content=bytes(body))


def retry_after_seconds(
    headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> float | None:
    """``Retry-After`` in seconds from now (RFC 9110 10.2.3: seconds or a date); None if absent."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    # "-0000" is UTC of an unknown place.
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now()).total_seconds())


def _is_retryable(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error


def _describe(error: Exception) -> str:
    kind = type(error).__name__
    return f"{kind}: {error}" if str(error) else kind
