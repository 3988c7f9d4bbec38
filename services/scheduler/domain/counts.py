"""What posts reached, and when it is asked for."""

from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# After it went out.
LOOKS: Final = (
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=7),
    timedelta(days=30),
)


# What the database keeps.
_LARGEST: Final = 2**63 - 1


class Metric(StrEnum):
    """A number of a post; each is an attribute of ``Counts``."""

    INTERACTIONS = "interactions"
    REACH = "reach"
    IMPRESSIONS = "impressions"
    LIKES = "likes"
    COMMENTS = "comments"
    SAVES = "saves"
    SHARES = "shares"


@dataclass(frozen=True, slots=True)
class Counts:
    """What a post reached at a moment; None where the provider does not tell.

    Raises ValueError for what is no count.
    """

    reach: int | None = None
    impressions: int | None = None
    likes: int | None = None
    comments: int | None = None
    saves: int | None = None
    shares: int | None = None

    def __post_init__(self) -> None:
        for count in astuple(self):
            if count is not None and not (isinstance(count, int) and 0 <= count <= _LARGEST):
                raise ValueError(f"{count!r} is no count")

    @property
    def interactions(self) -> int | None:
        """Likes, comments, saves and shares together, those that are told."""
        return total(self.likes, self.comments, self.saves, self.shares)

    def of(self, metric: Metric) -> int | None:
        """One of the numbers."""
        count: int | None = getattr(self, metric)
        return count


@dataclass(frozen=True, slots=True)
class Reached:
    """What a publication reached, and when that was read."""

    counts: Counts
    collected_at: datetime


def total(*counts: int | None) -> int | None:
    """The sum of the numbers that are told; None if none is."""
    told = [count for count in counts if count is not None]
    return sum(told) if told else None


def next_look(posted_at: datetime, now: datetime) -> datetime | None:
    """When to ask next for what went out at ``posted_at``; None after the last time."""
    return next((posted_at + age for age in LOOKS if posted_at + age > now), None)
