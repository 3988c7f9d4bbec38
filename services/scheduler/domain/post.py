"""A post as an operator sees it: states, caption and time."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from libs.errors import ColonnadeError, FailedPrecondition, InvalidArgument
from services.scheduler.domain.moves import shortest
from services.scheduler.domain.names import POST, Key
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.publication import (
    RETRYABLE,
    WITHDRAWABLE,
    Publication,
    PublicationState,
)

MAX_TEXT: Final = 2200
MAX_HASHTAGS: Final = 30
PAST_GRACE: Final = timedelta(seconds=60)
HORIZON: Final = timedelta(days=365)

# How photo and time of a post were chosen.
MANUAL: Final = "manual"
CADENCE: Final = "cadence"
SPACING: Final = "spacing"
CAMPAIGN: Final = "campaign"
IMPORTED: Final = "imported"

_HASHTAG = re.compile(r"#(\w+)")


class PostState(StrEnum):
    """Where a post stands."""

    DRAFT = "draft"
    AWAITING_IMAGE = "awaiting_image"
    READY = "ready"
    SCHEDULED = "scheduled"
    POSTING = "posting"
    POSTED = "posted"
    FAILED = "failed"
    CANCELLED = "cancelled"


_S = PostState

ENDED: Final = frozenset({_S.POSTED, _S.FAILED, _S.CANCELLED})
_UNSENT: Final = frozenset({PublicationState.READY, PublicationState.CANCELLED})
# Those, and those that may follow once it is known that nothing went out the time before.
_WAITING: Final = frozenset(
    {
        PublicationState.READY,
        PublicationState.RETRY_WAIT,
        PublicationState.UNKNOWN,
        PublicationState.RECONCILING,
    }
)

ALLOWED_MOVES: Final[dict[PostState, frozenset[PostState]]] = {
    _S.DRAFT: frozenset({_S.AWAITING_IMAGE, _S.READY, _S.SCHEDULED, _S.CANCELLED}),
    _S.AWAITING_IMAGE: frozenset({_S.READY, _S.CANCELLED}),
    _S.READY: frozenset({_S.SCHEDULED, _S.CANCELLED}),
    _S.SCHEDULED: frozenset({_S.POSTING, _S.DRAFT, _S.CANCELLED}),
    _S.POSTING: frozenset({_S.POSTED, _S.FAILED, _S.SCHEDULED}),
    _S.FAILED: frozenset({_S.SCHEDULED, _S.CANCELLED}),
    _S.POSTED: frozenset(),
    _S.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved a post, when, and the hash of what it was like then."""

    content: str
    approver: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A photo with a caption and a time, and one publication for each channel.

    ``photo`` and ``pillar`` are resource names; ``final_text`` is what goes out. ``media`` is None
    until the picture was taken over from the catalog. ``version`` grows with every change.

    A post of a ``campaign`` has no photo (empty) until one is made for its ``suggestion``, and may
    have no time; ``state_reason`` says why it is not scheduled. ``external_id`` is what an imported
    post is called where it comes from.

    ``repeat_reason``: why its picture may be on its channels again; ``repeats`` names the post that
    it repeats. ``generation`` numbers the posts of a photo; each is made once the last one is out.
    """

    persona: str
    id: str
    photo: str
    photo_sha256: str
    pillar: str
    caption: str
    hashtags: tuple[str, ...]
    final_text: str
    alt_text: str
    scheduled_time: datetime | None
    create_time: datetime
    update_time: datetime
    publications: tuple[Publication, ...] = ()
    state: PostState = PostState.SCHEDULED
    state_reason: str = ""
    strategy: str = MANUAL
    slot_reason: str = ""
    posted_time: datetime | None = None
    media: Snapshot | None = None
    suggestion: str = ""
    campaign: str = ""
    external_id: str = ""
    approval: Approval | None = None
    repeat_reason: str = ""
    repeats: str = ""
    generation: int = 1
    version: int = 1

    @property
    def key(self) -> Key:
        """The ids in its name."""
        return Key(self.persona, self.id)

    @property
    def name(self) -> str:
        """Its resource name."""
        return POST.format(self.persona, self.id)

    @property
    def list_time(self) -> datetime:
        """Where it stands in lists: when it is due, else when it was made."""
        return self.scheduled_time or self.create_time

    def publication(self, id: str) -> Publication:
        """Its publication with this id. Raises KeyError."""
        for publication in self.publications:
            if publication.id == id:
                return publication
        raise KeyError(id)


@dataclass(frozen=True, slots=True)
class PostResult:
    """The post that was made of a photo, or why there is none."""

    photo: str
    outcome: Post | ColonnadeError


def path(state: PostState, to: PostState) -> tuple[PostState, ...]:
    """The fewest moves from ``state`` to ``to``, without the start; empty if they are equal.

    What is learnt of publications may jump (a scheduled post is found posted); the row still
    takes each move, and each gets its event. Raises ``FailedPrecondition`` if there is no way.
    """
    moves = shortest(ALLOWED_MOVES, state, to)
    if moves is None:
        raise _illegal(state, to)
    return moves


def _illegal(state: PostState, to: PostState) -> FailedPrecondition:
    allowed = sorted(ALLOWED_MOVES[state])
    return FailedPrecondition(
        f"a post that is {state} cannot become {to}; "
        f"allowed: {', '.join(allowed) or 'nothing, this state is final'}",
        reason="ILLEGAL_STATE_MOVE",
        metadata={"from": state, "to": to, "allowed": ",".join(allowed)},
    )


# A publication in doubt keeps its post in `posting`: neither failed nor free to be sent again.
_FROM_PUBLICATION: Final[dict[PublicationState, PostState]] = {
    PublicationState.DRAFT: _S.DRAFT,
    PublicationState.READY: _S.SCHEDULED,
    PublicationState.SUBMITTING: _S.POSTING,
    PublicationState.RETRY_WAIT: _S.SCHEDULED,
    PublicationState.UNKNOWN: _S.POSTING,
    PublicationState.RECONCILING: _S.POSTING,
    PublicationState.SCHEDULED: _S.SCHEDULED,
    PublicationState.PUBLISHING: _S.POSTING,
    PublicationState.POSTED: _S.POSTED,
    PublicationState.FAILED: _S.FAILED,
    PublicationState.CANCELLED: _S.CANCELLED,
    PublicationState.MISSED: _S.FAILED,
    PublicationState.NEEDS_REVIEW: _S.POSTING,
}


def post_state_of(publications: Iterable[PublicationState]) -> PostState | None:
    """The state that a post's publications give it; None if it has none (it keeps its own).

    Cancelled ones count only if all are. While any is under way, the post is; a post is posted
    when all are, and failed when nothing is under way any more and one did not get out.
    """
    states = {_FROM_PUBLICATION[publication] for publication in publications}
    if len(states) < 2:
        return next(iter(states), None)
    states -= {_S.CANCELLED}
    if _S.POSTING in states or {_S.POSTED, _S.SCHEDULED} <= states:
        return _S.POSTING
    order = (_S.SCHEDULED, _S.FAILED, _S.POSTED, _S.DRAFT)
    return next(state for state in order if state in states)


def check_cancellable(post: Post) -> None:
    """Passes a post that no provider has.

    Raises ``FailedPrecondition`` (ILLEGAL_STATE_MOVE) if one has it or may have it.
    """
    if post.state is not PostState.CANCELLED:
        path(post.state, PostState.CANCELLED)
    for publication in post.publications:
        if publication.state not in WITHDRAWABLE:
            allowed = sorted(ALLOWED_MOVES[post.state] - {PostState.CANCELLED})
            raise FailedPrecondition(
                f"{publication.name} is {publication.state}: the provider has it or may have it, "
                "so the post cannot be cancelled here; delete it there",
                reason="ILLEGAL_STATE_MOVE",
                metadata={
                    "publication": publication.name,
                    "from": post.state,
                    "to": PostState.CANCELLED,
                    "allowed": ",".join(allowed),
                },
            )


def check_unscheduled(post: Post) -> None:
    """Passes a post that waits for a time, or for its photo.

    Raises ``FailedPrecondition`` (ILLEGAL_STATE_MOVE) for all others.
    """
    if post.state not in (PostState.AWAITING_IMAGE, PostState.READY):
        raise _illegal(post.state, PostState.SCHEDULED)


def check_changeable(post: Post) -> None:
    """Passes a post that nobody ever tried to hand to a provider.

    Raises ``FailedPrecondition`` (POST_SENT, or ILLEGAL_STATE_MOVE for one that has ended).
    """
    if post.state in ENDED:
        raise FailedPrecondition(
            f"{post.name} is {post.state} and cannot be changed any more",
            reason="ILLEGAL_STATE_MOVE",
            metadata={"from": post.state, "to": post.state, "allowed": ""},
        )
    for publication in post.publications:
        if publication.attempts or publication.state not in _UNSENT:
            raise FailedPrecondition(
                f"{publication.name} is {publication.state}: a provider has the post or may have "
                "it, so it cannot be changed here",
                reason="POST_SENT",
                metadata={"publication": publication.name, "state": publication.state},
            )


def check_approvable(post: Post) -> None:
    """Passes a post of which something waits to go out, or that has no channels yet.

    Approving changes nothing that goes out, so it does not matter what became of its other
    publications. Raises ``FailedPrecondition`` (ILLEGAL_STATE_MOVE, POST_SENT).
    """
    _check_waits(post, "approve it or to take that back")


def check_justifiable(post: Post) -> None:
    """Passes a post for which a reason may be given why its picture goes out again: like an
    approval, it changes nothing that goes out, and what waits may have been tried before.

    Raises ``FailedPrecondition`` (ILLEGAL_STATE_MOVE, POST_SENT).
    """
    _check_waits(post, "give a repeat reason")


def _check_waits(post: Post, what_for: str) -> None:
    waits = any(publication.state in _WAITING for publication in post.publications)
    if waits or (not post.publications and post.state not in ENDED):
        return
    raise FailedPrecondition(
        f"{post.name} is {post.state} and nothing of it waits to go out, so it is too late to "
        f"{what_for}",
        reason="ILLEGAL_STATE_MOVE" if post.state in ENDED else "POST_SENT",
        metadata={"post": post.name, "state": post.state},
    )


def check_retryable(post: Post) -> None:
    """Passes a post of which something failed, is in doubt or is held back.

    Raises ``FailedPrecondition`` (ILLEGAL_STATE_MOVE) if there is nothing to try again.
    """
    if not any(is_retryable(publication) for publication in post.publications):
        raise FailedPrecondition(
            f"{post.name} is {post.state} and nothing of it failed, so there is nothing to retry",
            reason="ILLEGAL_STATE_MOVE",
            metadata={"from": post.state, "to": PostState.SCHEDULED, "allowed": ""},
        )


def is_retryable(publication: Publication) -> bool:
    """Whether a person may set it in motion again: it failed, is in doubt, or is held back."""
    is_held = publication.state is PublicationState.READY and publication.state_reason != ""
    return is_held or publication.state in RETRYABLE


def final_text(caption: str, hashtags: Sequence[str] = ()) -> str:
    """The text that every channel gets: the caption, a blank line, the hashtags.

    Hashtags come with or without ``#``; repetitions (in any case, also of one in the caption)
    are left out. The text is in NFC, so that a provider's copy can be compared with it.
    Raises ``InvalidArgument`` on ``post.caption`` or ``post.hashtags``.
    """
    caption = unicodedata.normalize("NFC", caption).strip()
    in_caption = _HASHTAG.findall(caption)
    added = _new_hashtags(hashtags, in_caption)
    text = "\n\n".join(part for part in (caption, " ".join(f"#{tag}" for tag in added)) if part)
    _check_length(text, len(added) + len(in_caption))
    return text


def _new_hashtags(hashtags: Sequence[str], in_caption: Sequence[str]) -> list[str]:
    seen = {tag.casefold() for tag in in_caption}
    added = []
    for hashtag in hashtags:
        tag = unicodedata.normalize("NFC", hashtag).strip().removeprefix("#")
        if not re.fullmatch(r"\w+", tag):
            raise InvalidArgument.of(
                "post.hashtags", f"{hashtag!r} is not one word of letters, digits and underscores"
            )
        if tag.casefold() not in seen:
            seen.add(tag.casefold())
            added.append(tag)
    return added


def _check_length(text: str, hashtags: int) -> None:
    if hashtags > MAX_HASHTAGS:
        raise InvalidArgument.of(
            "post.hashtags", f"{hashtags} hashtags in all, at most {MAX_HASHTAGS} are allowed"
        )
    if len(text) > MAX_TEXT:
        raise InvalidArgument.of(
            "post.caption",
            f"{len(text)} characters with the hashtags, at most {MAX_TEXT} are allowed",
        )


def check_scheduled_time(
    at: datetime,
    now: datetime,
    grace: timedelta = PAST_GRACE,
    horizon: timedelta = HORIZON,
    *,
    field: str = "post.scheduled_time",
) -> None:
    """Passes a time that may be scheduled: not past by more than ``grace``, not too far away.

    Raises ``InvalidArgument`` on ``field``.
    """
    if at.tzinfo is None:
        raise InvalidArgument.of(field, "has no time zone; give an offset or UTC")
    if at < now - grace:
        raise InvalidArgument.of(field, f"{_utc(at)} is in the past; choose a time after now")
    if at > now + horizon:
        raise InvalidArgument.of(
            field, f"{_utc(at)} is too far away; choose a time before {_utc(now + horizon)}"
        )


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
