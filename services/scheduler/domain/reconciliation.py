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
