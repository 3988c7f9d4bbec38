"""Publishing by the rules of the domain, without a database: what a row would hold is kept here."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.reconciliation import (
    Adopt,
    NeedsReview,
    RetryOnce,
    WaitUntil,
    reconcile,
)
from services.scheduler.domain.submission import FailureKind, after_submit_error
from services.scheduler.providers.base import (
    Channel,
    NotSent,
    ProviderError,
    Publisher,
    PublishRequest,
)
from tests.contract.providers.sides import Time

_S = PublicationState
FAILED_READ_AFTER = 30.0


@dataclass
class Worker:
    """One publication, until it is settled. ``publisher`` makes an adapter as a process would."""

    publisher: Callable[[], Publisher]
    channel: Channel
    request: PublishRequest
    time: Time
    tries: int = 0
    started_at: datetime | None = None
    was_unknown: bool = False
    retried_once: bool = False
    failures: list[FailureKind] = field(default_factory=list)

    async def note(self, handle: str) -> None:
        self.request = replace(self.request, handles=(*self.request.handles, handle))

    async def publish(self) -> str | ProviderError | NeedsReview:
        """The id of the post; or why it failed, or is for a person."""
        while True:
            outcome = await self.attempt()
            if isinstance(outcome, str):
                return outcome
            self.failures.append(outcome.kind)
            settled = await self.after(outcome)
            if settled is not None:
                return settled

    async def attempt(self) -> str | ProviderError:
        """One call. What is not a failure of the provider's passes."""
        now = self.time.now()
        if self.started_at is not None:
            earlier = (*self.request.earlier_due_at, self.request.due_at)
            due_at = max(self.request.due_at, now + timedelta(seconds=30))
            self.request = replace(self.request, earlier_due_at=earlier, due_at=due_at)
        self.started_at = self.started_at or now
        self.tries += 1
        try:
            submitted = await self.publisher().submit(self.channel, self.request, self.note)
        except ProviderError as error:
            return error
        return submitted.provider_post_id

    async def after(self, error: ProviderError) -> str | ProviderError | NeedsReview | None:
        """What follows; None: another call."""
        now = self.time.now()
        after = after_submit_error(
            error,
            self.tries,
            now,
            after_unknown=self.was_unknown,
            is_blind=self.was_unknown and self.publisher().name == "webhook",
            jitter=lambda: 0.0,
        )
        if after.state is _S.UNKNOWN:
            self.was_unknown = True
            return await self.look(now, isinstance(error, NotSent))
        if after.state is not _S.RETRY_WAIT:
            return error
        self.tries -= error.kind is FailureKind.THROTTLED
        assert after.next_attempt_at is not None
        await self.time.advance(max(0.0, (after.next_attempt_at - now).total_seconds()))
        return None

    async def look(self, called_at: datetime, is_refused: bool) -> str | NeedsReview | None:
        """Looks for the post until it is found, or may be sent again (None)."""
        assert self.started_at is not None
        await self.time.advance(15)
        while True:
            publisher = self.publisher()
            elapsed = self.time.now() - called_at
            try:
                found = await publisher.find(self.channel, self.request, self.started_at)
            except ProviderError as error:
                await self.time.advance(max(FAILED_READ_AFTER, error.retry_after or 0.0))
                continue
            decision = reconcile(
                found,
                elapsed,
                publisher.doubt.is_spent(self.retried_once, self.tries),
                is_refused and self.failures[-1] is FailureKind.DUPLICATE,
                publisher.doubt.looks_after(self.tries),
            )
            match decision:
                case Adopt(id):
                    return id
                case NeedsReview():
                    return decision
                case RetryOnce():
                    self.retried_once = True
                    return None
                case WaitUntil(after):
                    await self.time.advance((after - elapsed).total_seconds() + 0.01)
