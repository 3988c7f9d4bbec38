"""Pictures that a channel has seen already, and pictures that go out again on purpose."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from libs.errors import AlreadyExists
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import CHANNEL
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import Problem, Publication

REPEAT_HELD: Final = "REPEAT_HELD"


class Likeness(StrEnum):
    """What a photo is to its copy: the same picture, or an edit of it."""

    DUPLICATE = "duplicate"
    VARIANT = "variant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """A copy of ``photo`` on a channel, of which it is not certain that it is not there.

    ``at`` is when it went out or is to; ``due_at`` the time that was wanted. It ``waits`` while
    nobody is asked to publish it; ``was_unknown`` if somebody was, and it may be out all the same.
    ``post`` is the name of the copy's post, ``repeats`` that of the
    post which this one repeats on purpose.
    """

    photo: str
    copy: str
    likeness: Likeness
    post: str
    repeats: str
    publication: str
    persona: str
    channel: str
    due_at: datetime
    at: datetime
    waits: bool
    was_unknown: bool = False

    @property
    def message(self) -> str:
        """What stands against the photo, for people."""
        looks = "is the same picture as" if self.likeness is Likeness.DUPLICATE else "is an edit of"
        when = self.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        tells = f"goes out on {self._channel} at" if self.waits else f"is on {self._channel} since"
        return f"{self.photo} {looks} {self.copy}, which {tells} {when} with {self.post}"

    @property
    def _channel(self) -> str:
        return CHANNEL.format(self.persona, self.channel)

    def error(self) -> AlreadyExists:
        """Why the photo cannot be scheduled."""
        return AlreadyExists(
            "post",
            self.post,
            f"{self.message}; give a repeat reason, or choose another time or channel",
            reason="PHOTO_REPEATED",
            metadata={
                "post": self.post,
                "photo": self.copy,
                "channel": self._channel,
                "verdict": self.likeness.upper(),
                "time": self.at.isoformat(),
            },
        )

    def problem(self) -> Problem:
        """Why a publication of the photo waits."""
        return Problem(REPEAT_HELD, self.message, retryable=True)


def in_the_way(
    seen: Iterable[Appearance], channels: Iterable[Channel], at: datetime
) -> Appearance | None:
    """Of the copies that were seen, the one nearest to ``at`` that keeps a photo from going out on
    these channels then."""
    windows: Mapping[str, timedelta] = {channel.id: channel.repeat_window for channel in channels}
    close = [each for each in seen if abs(each.at - at) < windows.get(each.channel, timedelta(0))]
    return min(close, key=lambda each: (abs(each.at - at), each.publication), default=None)


def is_ahead(other: Appearance, post: Post, publication: Publication) -> bool:
    """Whether a publication gives way to a copy on its channel.

    It does to what a provider has or may have. Of two that wait, the one goes out that may be out
    already, or else is due first, so that they do not wait for each other; what repeats this post
    on purpose is passed over.
    """
    if other.repeats == post.name:
        return False
    turn = (not publication.was_unknown, publication.due_at, publication.id)
    return not other.waits or (not other.was_unknown, other.due_at, other.publication) < turn
