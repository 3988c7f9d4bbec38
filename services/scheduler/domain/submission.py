"""What follows a failed call to a provider: again, later, by hand, or never."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.reconciliation import LOOK_AFTER

MAX_ATTEMPTS: Final = 6
BACKOFF_BASE: Final = timedelta(seconds=1)
THROTTLE_FALLBACK: Final = 60.0
LONGEST_WAIT: Final = 86_400.0
THROTTLE_JITTER: Final = 0.1


class FailureKind(StrEnum):
    """What a failed call tells. All but ``UNKNOWN`` prove that nothing was created."""

    NOT_SENT = "not_sent"  # no byte of the request left: DNS, refused, TLS
    NOT_READY = "not_ready"  # what was prepared at the provider is not processed yet
    THROTTLED = "throttled"
    AUTH = "auth"
    EDGE_BLOCK = "edge_block"  # the provider's front door refuses our client as such
    PERMANENT = "permanent"
    DUPLICATE = "duplicate"  # refused as a repetition of something that is there
    CLIENT_BUG = "client_bug"  # the provider does not understand our request
    UNKNOWN = "unknown"  # bytes may have arrived, the answer was lost


class SubmitError(Protocol):
    """What the rules need to know of a failed call. ``retry_after`` is in seconds."""

    @property
    def kind(self) -> FailureKind: ...
    @property
    def message(self) -> str: ...
    @property
    def retry_after(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class AfterError:
    """What follows a failed call.

    ``reason`` is UPPER_SNAKE, for storing and matching; ``message`` is for people.
    ``next_attempt_at`` is None where only a person can set things moving again.
    ``pause_channel``: nothing more goes to this channel until it is mended.
    ``alarm``: the fault is ours, in configuration or code.
    """

    state: PublicationState
    next_attempt_at: datetime | None
    reason: str
    message: str
    pause_channel: bool = False
    alarm: bool = False


def after_submit_error(
    error: SubmitError,
    attempts: int,
    now: datetime,
    *,
    after_unknown: bool = False,
    is_blind: bool = False,
    jitter: Callable[[], float] = random.random,
    max_attempts: int = MAX_ATTEMPTS,
) -> AfterError:
    """The state that follows a failed call, and when to call again.

    ``attempts`` counts the calls so far, this one included (≥ 1); throttled ones do not count.
    ``after_unknown``: an earlier call for this publication ended unknown, so that a refusal as
    a duplicate may mean that it succeeded. ``is_blind``: besides, the provider cannot be asked what
    it has, so that no refusal proves anything. ``jitter`` draws from [0, 1).
    """
    after = _after(error, attempts, now, after_unknown, jitter, max_attempts)
    if is_blind and after.state is PublicationState.FAILED:
        first_look = now + LOOK_AFTER[0]
        return AfterError(PublicationState.UNKNOWN, first_look, after.reason, after.message)
    return after


def _after(
    error: SubmitError,
    attempts: int,
    now: datetime,
    after_unknown: bool,
    jitter: Callable[[], float],
    max_attempts: int,
) -> AfterError:
    reason, message = error.kind.upper(), error.message
    match error.kind:
        case FailureKind.UNKNOWN:
            first_look = now + LOOK_AFTER[0]
            return AfterError(PublicationState.UNKNOWN, first_look, reason, message)
        case FailureKind.DUPLICATE if after_unknown:
            return AfterError(PublicationState.UNKNOWN, now, reason, message)
        case FailureKind.THROTTLED:
            again = now + throttle_delay(error.retry_after, jitter)
            return AfterError(PublicationState.RETRY_WAIT, again, reason, message)
        case FailureKind.AUTH | FailureKind.EDGE_BLOCK:
            return _hold(error)
        case FailureKind.NOT_SENT if attempts < max_attempts:
            again = now + backoff(attempts, jitter)
            return AfterError(PublicationState.RETRY_WAIT, again, reason, message)
        case FailureKind.NOT_READY if attempts < max_attempts:
            again = now + throttle_delay(error.retry_after, jitter)
            return AfterError(PublicationState.RETRY_WAIT, again, reason, message)
        case FailureKind.NOT_SENT | FailureKind.NOT_READY:
            return AfterError(PublicationState.FAILED, None, "ATTEMPTS_EXHAUSTED", message)
        case FailureKind.PERMANENT | FailureKind.DUPLICATE | FailureKind.CLIENT_BUG:
            return _fail(error)


def backoff(attempts: int, jitter: Callable[[], float] = random.random) -> timedelta:
    """Full jitter over 1 s · 2ⁿ, n = retries made before (0 after the first call)."""
    return BACKOFF_BASE * (2.0 ** (attempts - 1) * jitter())


def bounded(seconds: float) -> float:
    """A wait that a provider asks for, in seconds: a day at most, and nothing for no number."""
    return max(0.0, min(seconds, LONGEST_WAIT))


def throttle_delay(
    retry_after: float | None, jitter: Callable[[], float] = random.random
) -> timedelta:
    """What the provider asked for (60 s if it said nothing), plus up to a tenth of it."""
    seconds = THROTTLE_FALLBACK if retry_after is None else retry_after
    return timedelta(seconds=seconds * (1 + THROTTLE_JITTER * jitter()))


def _hold(error: SubmitError) -> AfterError:
    return AfterError(
        PublicationState.READY,
        None,
        error.kind.upper(),
        error.message,
        pause_channel=True,
        alarm=error.kind is FailureKind.EDGE_BLOCK,
    )


def _fail(error: SubmitError) -> AfterError:
    return AfterError(
        PublicationState.FAILED,
        None,
        error.kind.upper(),
        error.message,
        alarm=error.kind is FailureKind.CLIENT_BUG,
    )
