"""Finding out what became of a call whose answer was lost.

The provider's list of posts is read at +15 s, +60 s and +5 min. What is found is adopted; if
nothing turns up the call is repeated once; if that leaves doubt too, a person decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

LOOK_AFTER: Final = (timedelta(seconds=15), timedelta(seconds=60), timedelta(minutes=5))
CREATED_MARGIN: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What clears up a lost answer of a provider.

    ``looks`` are the times after the call at which its posts are read. ``repeats``: how often a
    call may be made again if they are not found; more than once only where the provider itself
    keeps a repetition from making another post. The wait before each repetition is that of
    ``looks``, or the next of ``pauses``.
    """

    looks: tuple[timedelta, ...] = LOOK_AFTER
    repeats: int = 1
    pauses: tuple[timedelta, ...] = ()

    def looks_after(self, tries: int) -> Sequence[timedelta]:
        """When to look after the call that was the ``tries``th (≥ 1) of this publication."""
        if not self.pauses:
            return self.looks
        return (self.pauses[min(tries, len(self.pauses)) - 1],)

    def is_spent(self, retried_once: bool, tries: int) -> bool:
        """Whether the call may not be made again."""
        return retried_once and (self.repeats == 1 or tries > self.repeats)


READ_BACK: Final = Doubt()
# The provider takes the same call again for the same post, however often.
SAME_AGAIN: Final = Doubt(
    repeats=5,
    pauses=(
        timedelta(seconds=15),
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
    ),
)


class Candidate(Protocol):
    """A post at the provider that is equal to what was sent."""

    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Adopt:
    """The call had succeeded: ``id`` is ours. ``duplicates`` must raise an alert if not empty."""

    id: str
    duplicates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing yet; look again when ``elapsed`` has passed since the call."""

    elapsed: timedelta


@dataclass(frozen=True, slots=True)
class RetryOnce:
    """Nothing after the last look: the call may be repeated, once."""


@dataclass(frozen=True, slots=True)
class NeedsReview:
    """A person must look at the provider's own pages and decide."""

    reason: str
    message: str


Decision = Adopt | WaitUntil | RetryOnce | NeedsReview


def reconcile(
    candidates: Sequence[Candidate],
    elapsed: timedelta,
    retried_once: bool,
    duplicate_refusal: bool,
    looks: Sequence[timedelta] = LOOK_AFTER,
) -> Decision:
    """What to do after a look at the provider's posts.

    ``candidates`` must not hold posts that belong to other publications. ``elapsed`` is the
    time since the last call whose outcome is unknown. ``retried_once``: the publication had its
    one repetition. ``duplicate_refusal``: that repetition was refused as a duplicate.
    """
    if candidates:
        first, *others = sorted(candidates, key=lambda post: (post.created_at, post.id))
        return Adopt(first.id, tuple(post.id for post in others))
    if duplicate_refusal:
        return NeedsReview(
            "DUPLICATE_NOT_FOUND",
            "the provider refuses the post as a duplicate, but lists no equal one; "
            "look for it there; a retry looks again, and sends it only if it is not found",
        )
    if remaining := [look for look in looks if look > elapsed]:
        return WaitUntil(min(remaining))
    if retried_once:
        return NeedsReview(
            "OUTCOME_UNKNOWN",
            "two calls went unanswered and the provider lists no such post; "
            "look for it there; a retry looks again, and sends it only if it is not found",
        )
    return RetryOnce()


def after_broken_look(elapsed: timedelta, looks: Sequence[timedelta]) -> Decision:
    """What to do after a look that failed for a reason that waiting need not mend."""
    if remaining := [look for look in looks if look > elapsed]:
        return WaitUntil(min(remaining))
    return NeedsReview(
        "LOOK_FAILED",
        "what the provider answers cannot be read here; look for the post there; "
        "a retry looks again, and sends it only if it is not found",
    )
