"""Handing a post to a provider: the intent is durable first, the call is made once."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from libs.clock import Clock
from libs.ids import uuid7
from services.scheduler.domain.approval import APPROVAL_HELD, obstacle_of
from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.domain.channel import Channel, ChannelState, Provider
from services.scheduler.domain.names import Key
from services.scheduler.domain.photo import Rule
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import (
    CHANNEL_HELD,
    Problem,
    Publication,
    PublicationState,
    path,
)
from services.scheduler.domain.submission import AfterError, FailureKind, after_submit_error
from services.scheduler.domain.timing import effective_due
from services.scheduler.ports import Changing, Store
from services.scheduler.providers.base import (
    OutcomeUnknown,
    ProviderError,
    PublishRequest,
    Submitted,
)
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.confirm import confirmed, first_look
from services.scheduler.usecases.outgoing import (
    Account,
    Outgoing,
    fingerprint_of,
    request_hash,
    unfit,
)
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.readiness import Readiness
from services.scheduler.usecases.recording import record
from services.scheduler.usecases.repeats import copy_ahead
from services.scheduler.usecases.rights import held_back

log = logging.getLogger(__name__)

_S = PublicationState
_ACCEPTED: Final = "accepted"
# Where a publication may be whose worker was believed dead when its call succeeded after all.
_GIVEN_UP: Final = (_S.UNKNOWN, _S.RECONCILING, _S.RETRY_WAIT, _S.NEEDS_REVIEW)


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose intent is durable."""

    attempt: Attempt
    channel: Key
    account: Account
    request: PublishRequest


class Publish:
    """Publishes publications. ``worker`` names this process in the record of attempts."""

    def __init__(
        self,
        store: Store,
        readiness: Readiness,
        care: ChannelCare,
        outgoing: Outgoing,
        clock: Clock,
        pace: Pace,
        worker: str,
    ) -> None:
        self._store = store
        self._readiness = readiness
        self._care = care
        self._outgoing = outgoing
        self._clock = clock
        self._pace = pace
        self._worker = worker

    async def __call__(self, id: str) -> None:
        """Publishes it if it is due; a message that comes twice or late does nothing."""
        ready = await self._readiness(id)
        call = await self._begin(id, ready.account) if ready else None
        if call is None:
            return
        try:
            publisher, note = call.account.publisher, partial(self._note, call.attempt)
            submitted = await publisher.submit(call.account.channel, call.request, note)
        except ProviderError as error:
            await self._failed(call, error)
        except Exception as error:
            # Of an answer that nobody foresaw, nothing is known but that it may be a success.
            log.exception("%s: the call broke", call.attempt.publication)
            text = f"the call broke unexpectedly ({type(error).__name__})"
            await self._failed(call, OutcomeUnknown(text))
        else:
            await self._accepted(call, submitted)

    async def _note(self, attempt: Attempt, handle: str) -> None:
        async with self._store.changing() as tx:
            await tx.attempts.note(attempt.id, handle)
            await tx.commit()

    async def _begin(self, id: str, account: Account) -> Call | None:
        """Makes the intent durable. None if somebody else was first, or something holds it."""
        async with self._store.changing() as tx:
            post = await tx.posts.locked_of_publication(id)
            if post is None or not self._readiness.is_due(post.publication(id)):
                return None
            publication, now = post.publication(id), self._clock.now()
            key = Key(publication.persona, publication.channel)
            channel = await tx.channels.get(key)
            if channel is None or channel.state is not ChannelState.CONNECTED:
                held = self._held(publication, channel, now)
                await record(tx, post, [held], now)
                await tx.commit()
                return None
            if channel.approval_required and (why := obstacle_of(post)):
                await self._wait_for_approval(tx, post, publication, why, now)
                await tx.commit()
                return None
            if await self._is_held_back(tx, post, publication, now):
                return None
            if await self._is_repeated(tx, post, publication, channel, now):
                return None
            attempt, request = await self._intend(tx, post, publication, channel, now)
            # A call before may have created it: then it is not for us to call it a failure.
            problems = account.publisher.preflight(account.channel, request)
            if problems and attempt.number == 1:
                await record(tx, post, [unfit(publication, problems, now)], now)
                await tx.commit()
                return None
            await record(tx, post, [self._submitting(publication, attempt)], now)
            await tx.attempts.add(attempt)
            await tx.commit()
        return Call(attempt, key, account, request)

    def _held(
        self, publication: Publication, channel: Channel | None, now: datetime
    ) -> Publication:
        reason = channel.state_reason or channel.state if channel else "the channel was deleted"
        until = now + self._pace.channel_check_every
        problem = Problem(CHANNEL_HELD, reason, retryable=True)
        return replace(publication, next_attempt_at=until, state_reason=reason, problem=problem)

    async def _wait_for_approval(
        self, tx: Changing, post: Post, publication: Publication, why: str, now: datetime
    ) -> None:
        # Whoever approves it sets it in motion at once.
        problem = Problem(APPROVAL_HELD, why, retryable=True)
        await self._hold(tx, post, publication, problem, now)

    async def _hold(
        self, tx: Changing, post: Post, publication: Publication, problem: Problem, now: datetime
    ) -> None:
        """Has it wait for what sets it in motion; until then it is looked at again and again."""
        until = now + self._pace.channel_check_every
        if publication.problem == problem:
            # Nothing is new, so the post's etag stays: somebody may be looking at it.
            await tx.publications.postpone(publication.id, until)
            return
        held = replace(
            publication, next_attempt_at=until, state_reason=problem.message, problem=problem
        )
        await record(tx, post, [held], now)

    async def _is_held_back(
        self, tx: Changing, post: Post, publication: Publication, now: datetime
    ) -> bool:
        """Whether the photo may not go out now; then it waits until it may, or is missed."""
        lead = self._pace.lead_of_overdue(publication.provider)
        rights = await tx.rights.known(post.photo)
        obstacle = rights.obstacle(self._goes_out_at(publication, now))
        if obstacle is None:
            return False
        # An event that tells of other rights comes before.
        again_at = now + self._pace.channel_check_every
        if obstacle.rule is Rule.EMBARGO and obstacle.time is not None:
            again_at = min(again_at, obstacle.time - lead)
        held = held_back(publication, post.photo, obstacle, again_at, now)
        await record(tx, post, [held], now)
        await tx.commit()
        return True

    async def _is_repeated(
        self, tx: Changing, post: Post, publication: Publication, channel: Channel, now: datetime
    ) -> bool:
        """Whether a copy of the photo is on the channel, or goes out before; then it waits."""
        at = self._goes_out_at(publication, now)
        other = await copy_ahead(tx, post, publication, channel, at)
        if other is None:
            return False
        await self._hold(tx, post, publication, other.problem(), now)
        await tx.commit()
        return True

    def _goes_out_at(self, publication: Publication, now: datetime) -> datetime:
        """When it will be seen if it is handed over now."""
        if not Provider(publication.provider).keeps_posts:
            return now
        lead = self._pace.lead_of_overdue(publication.provider)
        return effective_due(publication.due_at, now, lead)

    async def _intend(
        self, tx: Changing, post: Post, publication: Publication, channel: Channel, now: datetime
    ) -> tuple[Attempt, PublishRequest]:
        attempts = await tx.attempts.of(publication.id)
        lead = self._pace.lead_of_overdue(publication.provider)
        due_at = effective_due(publication.due_at, now, lead)
        request = self._outgoing.request(post, publication, due_at, attempts)
        attempt = Attempt(
            id=uuid7(),
            publication=publication.id,
            number=len(attempts) + 1,
            fingerprint=fingerprint_of(post, channel, due_at),
            request_hash=request_hash(request),
            due_at=due_at,
            started_at=now,
            worker=self._worker,
            token=publication.token + 1,
        )
        return attempt, request

    def _submitting(self, publication: Publication, attempt: Attempt) -> Publication:
        return publication.moved(
            _S.SUBMITTING,
            attempt.started_at,
            attempts=publication.attempts + 1,
            tries=publication.tries + 1,
            token=attempt.token,
            provider_post_id="",
            # By then the worker counts as dead.
            next_attempt_at=attempt.started_at
            + 2 * self._pace.submit_timeout
            + timedelta(seconds=1),
        )

    async def _accepted(self, call: Call, submitted: Submitted) -> None:
        now = self._clock.now()
        result = AttemptResult(
            _ACCEPTED, now, provider_post_id=submitted.provider_post_id, answer=submitted.raw
        )
        async with self._store.changing() as tx:
            await tx.attempts.finish(call.attempt.id, result)
            post = await tx.posts.locked_of_publication(call.attempt.publication)
            assert post is not None, "posts are never removed"
            await self._adopt(tx, post, call, submitted, now)
            await tx.commit()

    async def _adopt(
        self, tx: Changing, post: Post, call: Call, submitted: Submitted, now: datetime
    ) -> None:
        provider_post_id = submitted.provider_post_id
        publication = post.publication(call.attempt.publication)
        if publication.provider_post_id == provider_post_id:
            return  # reconciliation was faster
        attempts = await tx.attempts.of(publication.id)
        is_ours = publication.state in (_S.SUBMITTING, *_GIVEN_UP)
        if not is_ours or attempts[-1].id != call.attempt.id:
            log.error(
                "%s: the provider took %s when the publication was %s already; look there",
                publication.name,
                provider_post_id,
                publication.state,
            )
            return
        for state in path(publication.state, _S.SCHEDULED):
            details = _taken(call, provider_post_id, now) if state is _S.SCHEDULED else {}
            publication = publication.moved(state, now, **details)
            post = await record(tx, post, [publication], now)
        if submitted.live is not None:
            await record(tx, post, [confirmed(publication, submitted.live, now)], now)

    async def _failed(self, call: Call, error: ProviderError) -> None:
        now = self._clock.now()
        result = AttemptResult(error.kind, now, message=error.message)
        if error.kind in (FailureKind.AUTH, FailureKind.EDGE_BLOCK):
            await self._care.pause(call.channel, error.message)
        async with self._store.changing() as tx:
            await tx.attempts.finish(call.attempt.id, result)
            post = await tx.posts.locked_of_publication(call.attempt.publication)
            assert post is not None, "posts are never removed"
            publication = post.publication(call.attempt.publication)
            # A worker that was believed dead changes nothing: the outcome is being looked up.
            if publication.state is _S.SUBMITTING and publication.token == call.attempt.token:
                changed = self._after(publication, error, now)
                await record(tx, post, [changed], now)
            await tx.commit()

    def _after(self, publication: Publication, error: ProviderError, now: datetime) -> Publication:
        after = after_submit_error(
            error,
            publication.tries,
            now,
            after_unknown=publication.was_unknown,
            is_blind=publication.is_in_blind_doubt,
        )
        if after.alarm:
            log.error("%s: %s: %s", publication.name, after.reason, after.message)
        uncounted = int(error.kind is FailureKind.THROTTLED)
        return publication.moved(
            after.state,
            now,
            state_reason=after.message,
            next_attempt_at=self._next(after, now),
            attempts=publication.attempts - uncounted,
            tries=publication.tries - uncounted,
            was_unknown=publication.was_unknown or after.state is _S.UNKNOWN,
            duplicate_refusal=publication.was_unknown and error.kind is FailureKind.DUPLICATE,
            problem=_problem(after),
        )

    def _next(self, after: AfterError, now: datetime) -> datetime | None:
        if after.state is _S.READY:
            return now + self._pace.channel_check_every
        return after.next_attempt_at


def _problem(after: AfterError) -> Problem:
    reason = CHANNEL_HELD if after.pause_channel else after.reason
    return Problem(reason, after.message, retryable=after.state is not _S.FAILED)


def _taken(call: Call, provider_post_id: str, now: datetime) -> dict[str, object]:
    """What is known of a publication once the provider has it."""
    return {
        "provider_post_id": provider_post_id,
        "provider_state": "scheduled",
        "remote_due_at": call.attempt.due_at,
        "submitted_at": now,
        "next_attempt_at": first_look(call.attempt.due_at, now),
        "problem": None,
    }
