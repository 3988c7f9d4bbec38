"""Calls to a provider: its keys' rate budgets, and every failure as one of the port's.

There are three kinds. A *read* changes nothing and is repeated when it fails. A *preparation*
makes something that shows nowhere, so that a lost answer is no doubt. A *write* is sent once.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx

from libs.http import CallFailed, CircuitOpen, HttpClient, NoAnswer, retry_after_seconds
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Credentials,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ReadFailed,
)
from services.scheduler.providers.rate_budget import RateBudget

MAX_MESSAGE: Final = 500

# Answers to a request that the server may have acted upon before giving up on it.
UNDECIDED: Final = frozenset({408, 409, 425, 499})
_REFUSED: Final = frozenset({400, 402, 404, 405, 406, 410, 411, 413, 414, 415, 422})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result; the fields are those of ``ProviderError``."""

    kind: FailureKind
    message: str
    retry_after: float | None = None
    window: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent. ``budget`` names the key's budget where it has several.

    ``accept``: refusals that are answers here, unless they say "too many".
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    budget: str = ""
    accept: Collection[int] = ()


Judge = Callable[[httpx.Response], Failure | None]


class Calls:
    """Calls to the provider called ``name``; ``judge`` tells what failed of an answer."""

    def __init__(
        self, http: HttpClient, name: str, judge: Judge, now: Callable[[], datetime]
    ) -> None:
        self._http = http
        self._name = name
        self._judge = judge
        self._now = now
        self._budgets: dict[tuple[str, str], RateBudget] = {}

    def has_reserve(self, credentials: Credentials) -> bool:
        """Whether the key's budget has room for reads that can wait."""
        return self._budget(credentials, "").has_reserve(self._now())

    async def read(self, credentials: Credentials, call: Call) -> httpx.Response:
        """The answer to what is safe to repeat. Raises ``ReadFailed``."""
        self._check_budget(credentials, call, ReadFailed)
        try:
            response = await self._http.read(**self._request(credentials, call))
        except CallFailed as error:
            raise ReadFailed(FailureKind.NOT_SENT, masked(str(error), credentials.token)) from None
        if failure := self._failure(credentials, call, response):
            raise read_failed(failure, credentials)
        return response

    async def prepare(self, credentials: Credentials, call: Call) -> httpx.Response:
        """The answer to what creates nothing that shows, sent once. Raises ``NotSent``."""
        try:
            return await self.write(credentials, call)
        except OutcomeUnknown as error:
            raise NotSent(FailureKind.NOT_SENT, error.message) from None

    async def write(self, credentials: Credentials, call: Call) -> httpx.Response:
        """The answer to a call sent exactly once. Raises ``NotSent`` or ``OutcomeUnknown``."""
        self._check_budget(credentials, call, NotSent)
        try:
            response = await self._http.write_once(**self._request(credentials, call))
        except NoAnswer as error:
            raise OutcomeUnknown(masked(str(error), credentials.token)) from None
        except CircuitOpen as error:
            raise NotSent(
                FailureKind.THROTTLED, str(error), retry_after=error.retry_after
            ) from None
        except CallFailed as error:
            raise NotSent(FailureKind.NOT_SENT, masked(str(error), credentials.token)) from None
        if failure := self._failure(credentials, call, response):
            raise submit_failed(failure, credentials)
        return response

    def _request(self, credentials: Credentials, call: Call) -> dict[str, Any]:
        return {
            "circuit": f"{self._name}:{credentials.key}",
            "method": call.method,
            "url": call.url,
            "headers": call.headers,
            "json": call.json,
            "content": call.content,
        }

    def _failure(
        self, credentials: Credentials, call: Call, response: httpx.Response
    ) -> Failure | None:
        now, budget = self._now(), self._budget(credentials, call.budget)
        budget.observe(response.headers, now)
        failure = self._judge(response)
        if failure is None or failure.kind is not FailureKind.THROTTLED:
            return None if response.status_code in call.accept else failure
        block = budget.block(failure.retry_after, failure.window, now)
        return Failure(failure.kind, failure.message, block.seconds, failure.window, failure.code)

    def _check_budget(
        self, credentials: Credentials, call: Call, error: type[ProviderError]
    ) -> None:
        if block := self._budget(credentials, call.budget).blocked(self._now()):
            raise error(
                FailureKind.THROTTLED,
                f"the rate limit{f' of {block.window}' if block.window else ''} is used up",
                retry_after=block.seconds,
                window=block.window,
            )

    def _budget(self, credentials: Credentials, name: str) -> RateBudget:
        return self._budgets.setdefault((credentials.key, name), RateBudget())


def failure_of_status(response: httpx.Response, message: str) -> Failure | None:
    """What the HTTP status of an answer tells, with the provider's own words; None: a success."""
    status = response.status_code
    text = message or f"HTTP {status}"
    if response.is_success:
        return None
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = retry_after_seconds(response.headers)
        return Failure(FailureKind.THROTTLED, message or "too many requests", wait)
    if status == httpx.codes.UNAUTHORIZED or (status == httpx.codes.FORBIDDEN and message):
        return Failure(FailureKind.AUTH, text)
    if status == httpx.codes.FORBIDDEN:
        start = response.text.strip()[:100]
        return Failure(FailureKind.EDGE_BLOCK, f"the provider's front door refuses us: {start}")
    if response.is_redirect:
        return Failure(FailureKind.PERMANENT, f"{text}: the address has moved; connect it anew")
    if response.is_server_error or status in UNDECIDED:
        return Failure(FailureKind.UNKNOWN, text)
    kind = FailureKind.PERMANENT if status in _REFUSED else FailureKind.CLIENT_BUG
    return Failure(kind, text)


def submit_failed(failure: Failure, credentials: Credentials) -> ProviderError:
    """The error of a write: unknown outcomes apart from those proved not created."""
    message = masked(failure.message, credentials.token)
    if failure.kind is FailureKind.UNKNOWN:
        return OutcomeUnknown(message)
    return NotSent(failure.kind, message, retry_after=failure.retry_after, window=failure.window)


def read_failed(failure: Failure, credentials: Credentials) -> ReadFailed:
    """The error of a read."""
    return ReadFailed(
        failure.kind,
        masked(failure.message, credentials.token),
        retry_after=failure.retry_after,
        window=failure.window,
    )


def masked(message: str, token: str) -> str:
    """``message`` without the token, should the provider have repeated it, and not too long; also
    without what no database keeps."""
    plain = message.encode(errors="replace").decode().replace("\0", "")
    return plain.replace(token, "***")[:MAX_MESSAGE] if token else plain[:MAX_MESSAGE]


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The JSON object in an answer; an empty one if there is none."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


@contextmanager
def expected_form(provider: str) -> Iterator[None]:
    """Raises ``ReadFailed`` (CLIENT_BUG) where an answer lacks what the block needs."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = f"{provider}'s answer is not of the form that we know: {error!r}"
        raise ReadFailed(FailureKind.CLIENT_BUG, text) from error


@contextmanager
def proof(provider: str) -> Iterator[None]:
    """Raises ``OutcomeUnknown`` where the answer to a write does not hold what the block needs."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = f"{provider} answered success, but not what was made: {error!r}"
        raise OutcomeUnknown(text) from error


@contextmanager
def preparing() -> Iterator[None]:
    """Raises ``NotSent`` for a read that fails before anything was sent."""
    try:
        yield
    except ReadFailed as error:
        kind = FailureKind.NOT_SENT if error.kind is FailureKind.UNKNOWN else error.kind
        raise NotSent(
            kind, error.message, retry_after=error.retry_after, window=error.window
        ) from None
