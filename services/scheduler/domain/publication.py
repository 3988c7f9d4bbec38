"""A publication: one post on one channel, and the life it may lead.

The machine exists for one promise: a photo appears on a channel at most once. A publication
is sent again only from a state that proves that nothing was created the time before:

    draft → ready → submitting → scheduled → publishing → posted
                        ├── retry_wait   provably not created; goes back to submitting
                        ├── ready        provably not created; held until the channel is mended
                        └── unknown → reconciling → scheduled | retry_wait | needs_review
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from libs.errors import FailedPrecondition


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
    _S.NEEDS_REVIEW: frozenset({_S.READY, _S.SCHEDULED, _S.POSTED, _S.FAILED, _S.CANCELLED}),
}


def move(state: PublicationState, to: PublicationState) -> None:
    """Passes if a publication may go from ``state`` to ``to``.

    Raises ``FailedPrecondition`` (ILLEGAL_STATE_MOVE; metadata from, to, allowed) if not.
    """
    if to in ALLOWED_MOVES[state]:
        return
    allowed = sorted(ALLOWED_MOVES[state])
    raise FailedPrecondition(
        f"a publication that is {state} cannot become {to}; "
        f"allowed: {', '.join(allowed) or 'nothing, this state is final'}",
        reason="ILLEGAL_STATE_MOVE",
        metadata={"from": state, "to": to, "allowed": ",".join(allowed)},
    )


def to_milliseconds(at: datetime) -> datetime:
    """``at`` in UTC without what is below a millisecond: the finest time that providers keep."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def fingerprint(channel: str, text: str, media_sha256: Sequence[str], due_at: datetime) -> str:
    """SHA-256 (hex) of what a publication puts where and when; stored with each attempt."""
    fields = (
        channel,
        unicodedata.normalize("NFC", text),
        *media_sha256,
        to_milliseconds(due_at).isoformat(),
    )
    digest = hashlib.sha256()
    for field in fields:
        encoded = field.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
