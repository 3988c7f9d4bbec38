"""Whatever goes wrong, in whatever order: the machine keeps to its table, and nothing is made
at the provider twice, as long as the provider lists what it made within five minutes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.domain.publication import PublicationState, move
from services.scheduler.domain.reconciliation import (
    SAME_AGAIN,
    Adopt,
    NeedsReview,
    RetryOnce,
    WaitUntil,
    reconcile,
)
from services.scheduler.domain.submission import FailureKind, after_submit_error
from services.scheduler.providers.base import NotSent, OutcomeUnknown

START = datetime(2026, 12, 1, 12, tzinfo=UTC)
REFUSALS = sorted(set(FailureKind) - {FailureKind.UNKNOWN, FailureKind.DUPLICATE})
TERMINAL = {
    PublicationState.SCHEDULED,
    PublicationState.FAILED,
    PublicationState.NEEDS_REVIEW,
}


@dataclass(frozen=True)
class Made:
    id: str
    created_at: datetime
    visible_at: datetime


@dataclass
class World:
    """A provider with its lag, and one publication with what its row would hold."""

    lag: timedelta
    now: datetime = START
    state: PublicationState = PublicationState.READY
    made: list[Made] = field(default_factory=list)
    attempts: int = 0
    unknown_since: datetime = START
    was_unknown: bool = False
    retried_once: bool = False
    duplicate_refusal: bool = False
    proved: bool = True

    def go(self, to: PublicationState) -> None:
        move(self.state, to)
        self.state = to

    def submit(self, event: str) -> None:
        assert self.proved, "a second call without a proof that the first created nothing"
        self.go(PublicationState.SUBMITTING)
        self.attempts += 1
        if event in {"ok", "lost_after", "crash_after"}:
            self.made.append(Made(f"p{len(self.made)}", self.now, self.now + self.lag))
        if event == "ok":
            self.go(PublicationState.SCHEDULED)
        elif event.startswith(("lost", "crash")):
            self.fail(OutcomeUnknown(event))
        elif event == "duplicate":
            self.duplicate_refusal = self.was_unknown
            self.fail(NotSent(FailureKind.DUPLICATE, event))
        else:
            self.fail(NotSent(FailureKind(event), event, retry_after=1.0))

    def fail(self, error: NotSent | OutcomeUnknown) -> None:
        after = after_submit_error(
            error, self.attempts, self.now, after_unknown=self.was_unknown, jitter=lambda: 0.5
        )
        self.go(after.state)
        self.proved = after.state is not PublicationState.UNKNOWN
        if not self.proved:
            self.was_unknown, self.unknown_since = True, self.now
        self.now = after.next_attempt_at or self.now

    def look(self, crashes: bool) -> None:
        self.go(PublicationState.RECONCILING)
        if crashes:
            self.go(PublicationState.UNKNOWN)
            return
        found = [post for post in self.made if post.visible_at <= self.now]
        elapsed = self.now - self.unknown_since
        match reconcile(found, elapsed, self.retried_once, self.duplicate_refusal):
            case Adopt():
                self.go(PublicationState.SCHEDULED)
            case WaitUntil(after):
                self.go(PublicationState.UNKNOWN)
                self.now = self.unknown_since + after
            case RetryOnce():
                self.retried_once = self.proved = True
                self.go(PublicationState.RETRY_WAIT)
            case NeedsReview():
                self.go(PublicationState.NEEDS_REVIEW)


@settings(max_examples=300)
@given(data=st.data())
def test_never_twice(data: st.DataObject) -> None:
    world = World(lag=timedelta(seconds=data.draw(st.integers(0, 300))))
    outcomes = st.sampled_from(
        ["ok", "lost_before", "lost_after", "crash_before", "crash_after", "duplicate", *REFUSALS]
    )
    for _ in range(40):
        if world.state in {PublicationState.READY, PublicationState.RETRY_WAIT}:
            world.submit(data.draw(outcomes))
        elif world.state is PublicationState.UNKNOWN:
            world.look(data.draw(st.booleans()))
        if world.state in TERMINAL:
            break
    assert len(world.made) <= 1
    if world.state is PublicationState.FAILED:
        assert not world.made


@settings(max_examples=200)
@given(data=st.data())
def test_never_twice_where_a_repetition_is_the_same_post(data: st.DataObject) -> None:
    """A provider that keeps repetitions apart, and cannot be asked: nothing is given up as failed
    or sent under another key once a call went unanswered."""
    doubt, now = SAME_AGAIN, START
    made, state, retried_once, was_unknown = False, PublicationState.READY, False, False
    calls = st.sampled_from(["ok", "lost_before", "lost_after", *REFUSALS])
    for tries in range(1, 61):
        move(state, PublicationState.SUBMITTING)
        event = data.draw(calls)
        made = made or event in {"ok", "lost_after"}
        if event == "ok":
            return
        error = (
            OutcomeUnknown(event)
            if event.startswith("lost")
            else NotSent(FailureKind(event), event, retry_after=1.0)
        )
        after = after_submit_error(
            error, tries, now, after_unknown=was_unknown, is_blind=was_unknown, jitter=lambda: 0.5
        )
        state = after.state
        if state is PublicationState.FAILED:
            assert not made
            return
        if state is PublicationState.UNKNOWN:
            was_unknown = True
            [look] = doubt.looks_after(tries)
            is_spent = doubt.is_spent(retried_once, tries)
            decision = reconcile([], look, is_spent, False, doubt.looks_after(tries))
            if isinstance(decision, NeedsReview):
                assert tries > doubt.repeats
                return
            assert isinstance(decision, RetryOnce)
            retried_once, state = True, PublicationState.RETRY_WAIT
