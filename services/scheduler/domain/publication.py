"""A publication: one post on one channel, and the life it may lead.

The machine exists for one promise: a photo appears on a channel at most once. A publication
is sent again only from a state that proves that nothing was created the time before:

    draft → ready → submitting → scheduled → publishing → posted
                        ├── retry_wait   provably not created; goes back to submitting
                        ├── ready        provably not created; held until the channel is mended
                        └── unknown → reconciling → scheduled | retry_wait | needs_review

A person who sends one in ``needs_review`` again has it looked up first: it is reconciled anew.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from libs.errors import FailedPrecondition
from services.scheduler.domain.channel import Provider
from services.scheduler.domain.counts import Reached
from services.scheduler.domain.moves import shortest
from services.scheduler.domain.names import PUBLICATION
from services.scheduler.domain.remote_check import RemoteCheck


class PublicationState(StrEnum):
    """Where a publication stands."""

    DRAFT = "draft"
    READY = "ready"
    SUBMITTING = "submitting"
    RETRY_WAIT = "retry_wait"
    UNKNOWN = "unknown"
    RECONCILING = "reconciling"
    SCHEDULED = "scheduled"
    PUBLISHING = "publishing"
    POSTED = "posted"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSED = "missed"
    NEEDS_REVIEW = "needs_review"


_S = PublicationState

# From an unknown outcome there is no way to `failed` or `cancelled` but through a person in
# `needs_review`: both may lead back to a second call, and the first may have succeeded.
ALLOWED_MOVES: Final[dict[PublicationState, frozenset[PublicationState]]] = {
    _S.DRAFT: frozenset({_S.READY, _S.FAILED, _S.CANCELLED}),
    _S.READY: frozenset({_S.DRAFT, _S.SUBMITTING, _S.FAILED, _S.CANCELLED, _S.MISSED}),
    _S.SUBMITTING: frozenset(
        {_S.READY, _S.RETRY_WAIT, _S.UNKNOWN, _S.SCHEDULED, _S.PUBLISHING, _S.POSTED, _S.FAILED}
    ),
    _S.RETRY_WAIT: frozenset({_S.DRAFT, _S.SUBMITTING, _S.FAILED, _S.CANCELLED, _S.MISSED}),
    _S.UNKNOWN: frozenset({_S.RECONCILING}),
    _S.RECONCILING: frozenset({_S.UNKNOWN, _S.SCHEDULED, _S.RETRY_WAIT, _S.NEEDS_REVIEW}),
    _S.SCHEDULED: frozenset(
        {_S.DRAFT, _S.PUBLISHING, _S.POSTED, _S.FAILED, _S.CANCELLED, _S.NEEDS_REVIEW}
    ),
    _S.PUBLISHING: frozenset({_S.POSTED, _S.FAILED, _S.NEEDS_REVIEW}),
    _S.POSTED: frozenset(),
    _S.FAILED: frozenset({_S.READY, _S.CANCELLED}),
    _S.CANCELLED: frozenset(),
    _S.MISSED: frozenset({_S.READY, _S.CANCELLED}),
    _S.NEEDS_REVIEW: frozenset(
        {_S.READY, _S.RECONCILING, _S.SCHEDULED, _S.POSTED, _S.FAILED, _S.CANCELLED}
    ),
}

ENDED: Final = frozenset({_S.POSTED, _S.FAILED, _S.CANCELLED, _S.MISSED})
# Nothing of it is at a provider, or a person says so.
WITHDRAWABLE: Final = frozenset(
    {_S.DRAFT, _S.READY, _S.RETRY_WAIT, _S.FAILED, _S.MISSED, _S.NEEDS_REVIEW, _S.CANCELLED}
)
# What a person may ask to try again.
RETRYABLE: Final = frozenset(
    {_S.RETRY_WAIT, _S.UNKNOWN, _S.RECONCILING, _S.FAILED, _S.MISSED, _S.NEEDS_REVIEW}
)
CHANNEL_HELD: Final = "CHANNEL_HELD"
RIGHTS_HELD: Final = "RIGHTS_HELD"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a publication is not out: ``reason`` UPPER_SNAKE, ``message`` for people."""

    reason: str
    message: str
    retryable: bool = False
    support_uri: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One post on one channel: what was tried and what came of it.

    ``due_at`` is the time wanted, ``remote_due_at`` the one that the provider was given.
    ``attempts`` counts calls that were not throttled, ``tries`` those since a person last asked to
    send it. The flags are what ``submission`` and ``reconciliation`` ask for; ``token`` is the
    fencing token of the last attempt or look. ``in_doubt``: cancelled while nobody knew whether
    it is out, so that its photo stays taken on the channel. ``media_token`` opens the picture to
    whoever has it. ``generation`` is that of its post. ``remote``: how it is at the provider since
    it went out, if it is watched. ``reached``: what people saw of it, where that is read along.
    """

    id: str
    persona: str
    post: str
    channel: str
    provider: str
    photo_sha256: str
    due_at: datetime
    media_token: str = field(repr=False)
    state: PublicationState = PublicationState.READY
    state_reason: str = ""
    next_attempt_at: datetime | None = None
    attempts: int = 0
    tries: int = 0
    was_unknown: bool = False
    retried_once: bool = False
    duplicate_refusal: bool = False
    provider_post_id: str = ""
    provider_state: str = ""
    permalink: str = ""
    remote_due_at: datetime | None = None
    submitted_at: datetime | None = None
    posted_at: datetime | None = None
    ended_at: datetime | None = None
    in_doubt: bool = False
    problem: Problem | None = None
    token: int = 0
    generation: int = 1
    remote: RemoteCheck | None = None
    reached: Reached | None = None

    @property
    def name(self) -> str:
        """Its resource name."""
        return PUBLICATION.format(self.persona, self.post, self.id)

    @property
    def is_in_blind_doubt(self) -> bool:
        """Whether a call for it went unanswered, and its provider cannot be asked about that."""
        return self.was_unknown and not Provider(self.provider).lists_posts

    def moved(self, to: PublicationState, now: datetime, **changes: Any) -> "Publication":
        """This publication in state ``to``, with ``changes``; the reason of the old state goes.

        Raises ``FailedPrecondition`` as ``move`` does.
        """
        move(self.state, to)
        ended_at = now if to in ENDED else None
        return replace(self, **{"state_reason": "", **changes}, state=to, ended_at=ended_at)


def move(state: PublicationState, to: PublicationState) -> None:
    """Passes if a publication may go from ``state`` to ``to``.

    Raises ``FailedPrecondition`` (ILLEGAL_STATE_MOVE; metadata from, to, allowed) if not.
    """
    if to not in ALLOWED_MOVES[state]:
        raise _illegal(state, to)


def _illegal(state: PublicationState, to: PublicationState) -> FailedPrecondition:
    allowed = sorted(ALLOWED_MOVES[state])
    return FailedPrecondition(
        f"a publication that is {state} cannot become {to}; "
        f"allowed: {', '.join(allowed) or 'nothing, this state is final'}",
        reason="ILLEGAL_STATE_MOVE",
        metadata={"from": state, "to": to, "allowed": ",".join(allowed)},
    )


def path(state: PublicationState, to: PublicationState) -> tuple[PublicationState, ...]:
    """The fewest moves from ``state`` to ``to``, without the start; empty if they are equal.

    Raises ``FailedPrecondition`` if there is no way.
    """
    moves = shortest(ALLOWED_MOVES, state, to)
    if moves is None:
        raise _illegal(state, to)
    return moves


def to_milliseconds(at: datetime) -> datetime:
    """``at`` in UTC without what is below a millisecond: the finest time that providers keep."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def fingerprint(channel: str, text: str, media_sha256: Sequence[str], due_at: datetime) -> str:
    """SHA-256 (hex) of what a publication puts where and when; stored with each attempt."""
    parts = (
        channel,
        unicodedata.normalize("NFC", text),
        *media_sha256,
        to_milliseconds(due_at).isoformat(),
    )
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
