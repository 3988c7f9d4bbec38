"""Finding out what became of calls whose answer was lost."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from libs.clock import Clock
from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.domain.names import Key
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import Problem, Publication, PublicationState
from services.scheduler.domain.reconciliation import (
    Adopt,
    Decision,
    Doubt,
    NeedsReview,
    RetryOnce,
    WaitUntil,
    after_broken_look,
    reconcile,
)
from services.scheduler.domain.submission import FailureKind
from services.scheduler.domain.timing import is_stuck
from services.scheduler.ports import Changing, Store
from services.scheduler.providers.base import ProviderError, RemotePost, RemoteState
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.confirm import first_look
from services.scheduler.usecases.outgoing import Account, Accounts, Outgoing
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.recording import record

log = logging.getLogger(__name__)

_S = PublicationState
_CRASHED: Final = "the worker stopped during the call"
_UNREADABLE: Final = "what the provider answers cannot be read here"
FAILED_READ_AFTER: Final = timedelta(seconds=30)


class LookBroken(Exception):
    """The provider's adapter raised what it may not: its answer is one that nobody foresaw."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__()
        self.doubt = doubt


@dataclass(frozen=True, slots=True)
class Look:
    """A publication in doubt, and all calls made for it, oldest first."""

    post: Post
    publication: Publication
    attempts: Sequence[Attempt]

    @property
    def channel(self) -> Key:
        """The ids in the channel's name."""
        return Key(self.publication.persona, self.publication.channel)

    @property
    def last(self) -> Attempt:
        """The call in doubt."""
        return self.attempts[-1]

    def elapsed(self, now: datetime) -> timedelta:
        """How long ago it was."""
        return now - (self.last.ended_at or self.last.started_at)


class Reconcile:
    """Clears up doubt. It reads at the provider, and never sends."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        care: ChannelCare,
        outgoing: Outgoing,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._care = care
        self._outgoing = outgoing
        self._clock = clock
        self._pace = pace

    async def __call__(self, id: str) -> None:
        """Takes one look for the publication, if it is time for one."""
        look = await self._begin(id)
        if look is None:
            return
        try:
            found, doubt = await self._find(look)
        except ProviderError as error:
            if error.kind is FailureKind.AUTH:
                await self._care.pause(look.channel, error.message)
            await self._could_not_look(look, error)
        except LookBroken as broken:
            log.exception("%s: the look at the provider broke", look.publication.name)
            await self._broken(look, broken.doubt)
        else:
            await self._decide(look, found, doubt)

    async def _begin(self, id: str) -> Look | None:
        async with self._store.changing() as tx:
            post = await tx.posts.locked_of_publication(id)
            if post is None:
                return None
            publication, now = post.publication(id), self._clock.now()
            attempts = await tx.attempts.of(id)
            begun = await self._begun(tx, publication, attempts, now)
            if begun is None:
                return None
            post = await record(tx, post, [begun], now)
            await tx.commit()
        return Look(post, begun, attempts) if begun.state is _S.RECONCILING else None

    async def _begun(
        self, tx: Changing, publication: Publication, attempts: Sequence[Attempt], now: datetime
    ) -> Publication | None:
        """The publication with its look begun; None if it is no time for one."""
        due = publication.next_attempt_at
        if due is None or due > now:
            return None
        again: dict[str, Any] = {
            "token": publication.token + 1,
            "next_attempt_at": self._dead_at(now),
        }
        match publication.state:
            case _S.SUBMITTING if is_stuck(attempts[-1].started_at, now, self._pace.submit_timeout):
                await tx.attempts.finish(attempts[-1].id, AttemptResult("crashed", now, _CRASHED))
                return _in_doubt(publication, now)
            case _S.UNKNOWN:
                return publication.moved(_S.RECONCILING, now, **again)
            case _S.RECONCILING:
                return replace(publication, **again)
            case _:
                return None

    def _dead_at(self, now: datetime) -> datetime:
        # A look is a few reads, each tried several times.
        return now + 5 * self._pace.submit_timeout

    async def _find(self, look: Look) -> tuple[list[RemotePost], Doubt]:
        """What the provider lists that may be ours, and what that tells."""
        async with self._store.reading() as view:
            channel = await view.channels.get(look.channel)
        assert channel is not None, "channels in use are not deleted"
        account = self._accounts.open(channel)
        try:
            found = await self._listed(account, look)
        except ProviderError:
            raise
        except Exception as error:
            raise LookBroken(account.publisher.doubt) from error
        async with self._store.reading() as view:
            known = await view.attempts.known([post.id for post in found])
        ours = [post for post in found if _may_be_ours(post, known.get(post.id), look)]
        return ours, account.publisher.doubt

    async def _listed(self, account: Account, look: Look) -> list[RemotePost]:
        due_at = look.last.due_at
        request = self._outgoing.request(look.post, look.publication, due_at, look.attempts)
        since = look.attempts[0].started_at
        found = await account.publisher.find(account.channel, request, since)
        if former := look.publication.provider_post_id:
            # It is known by its id, whatever people have made of its text and time.
            due_at = look.publication.remote_due_at or look.publication.due_at
            listed = await account.publisher.status(account.channel, {former: due_at})
            found = [*found, *(post for post in listed if post not in found)]
        return found

    async def _decide(self, look: Look, found: Sequence[RemotePost], doubt: Doubt) -> None:
        now = self._clock.now()
        publication = look.publication
        decision = reconcile(
            found,
            look.elapsed(now),
            doubt.is_spent(publication.retried_once, publication.tries),
            publication.duplicate_refusal,
            doubt.looks_after(publication.tries),
        )
        changed = self._decided(look, decision, now)
        async with self._store.changing() as tx:
            if isinstance(decision, Adopt):
                result = AttemptResult("adopted", now, provider_post_id=decision.id)
                await tx.attempts.finish(look.last.id, result)
            await self._store_look(tx, changed, now)
        if isinstance(decision, Adopt) and decision.duplicates:
            ids = ", ".join(decision.duplicates)
            log.error("%s is at the provider more than once: %s", publication.name, ids)

    def _decided(self, look: Look, decision: Decision, now: datetime) -> Publication:
        publication, last = look.publication, look.last
        match decision:
            case Adopt(id):
                return publication.moved(
                    _S.SCHEDULED,
                    now,
                    provider_post_id=id,
                    provider_state="scheduled",
                    remote_due_at=last.due_at,
                    submitted_at=now,
                    next_attempt_at=first_look(last.due_at, now),
                    problem=None,
                )
            case WaitUntil(elapsed):
                at = (last.ended_at or last.started_at) + elapsed
                return publication.moved(
                    _S.UNKNOWN,
                    now,
                    state_reason="the provider does not list it yet",
                    next_attempt_at=at,
                )
            case RetryOnce():
                # A person may have given it a later time while it was in doubt.
                first = self._pace.first_attempt(publication.due_at, now, publication.provider)
                return publication.moved(
                    _S.RETRY_WAIT, now, retried_once=True, next_attempt_at=first
                )
            case NeedsReview(reason, message):
                return publication.moved(
                    _S.NEEDS_REVIEW,
                    now,
                    state_reason=message,
                    next_attempt_at=None,
                    problem=Problem(reason, message),
                )

    async def _could_not_look(self, look: Look, error: ProviderError) -> None:
        now = self._clock.now()
        wait = max(FAILED_READ_AFTER, timedelta(seconds=error.retry_after or 0.0))
        text = f"the provider could not be asked: {error.message}"
        unknown = look.publication.moved(
            _S.UNKNOWN, now, state_reason=text, next_attempt_at=now + wait
        )
        async with self._store.changing() as tx:
            await self._store_look(tx, unknown, now)

    async def _broken(self, look: Look, doubt: Doubt) -> None:
        """The look counts as taken; after the last one a person is asked."""
        now = self._clock.now()
        looks = doubt.looks_after(look.publication.tries)
        decision = after_broken_look(look.elapsed(now), looks)
        changed = replace(self._decided(look, decision, now), state_reason=_UNREADABLE)
        async with self._store.changing() as tx:
            await self._store_look(tx, changed, now)

    async def _store_look(self, tx: Changing, changed: Publication, now: datetime) -> None:
        """Stores the result of a look, unless somebody else has taken one since."""
        post = await tx.posts.locked_of_publication(changed.id)
        assert post is not None, "posts are never removed"
        present = post.publication(changed.id)
        if present.state is _S.RECONCILING and present.token == changed.token:
            await record(tx, post, [changed], now)
            await tx.commit()


def _in_doubt(publication: Publication, now: datetime) -> Publication:
    """A publication whose worker died during the call."""
    return publication.moved(
        _S.UNKNOWN,
        now,
        state_reason=_CRASHED,
        was_unknown=True,
        next_attempt_at=now,
        problem=Problem("UNKNOWN", _CRASHED, retryable=True),
    )


def _may_be_ours(post: RemotePost, owner: str | None, look: Look) -> bool:
    """Whether a listed post can be what this publication's attempts made.

    One that is known as another publication's is not. One that is known as our own is, if it was
    only lost from sight; one that failed there was given up before the attempt in question.
    """
    if owner is None:
        return True
    return owner == look.publication.id and post.state is not RemoteState.ERROR
