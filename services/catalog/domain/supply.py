"""What can be done with the photos of a pillar."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import fsum

from services.catalog.domain.photo import EmbeddingState, Usage


class Standing(StrEnum):
    """The one thing that can be said of a photo."""

    USABLE = "usable"
    PENDING = "pending"
    SCHEDULED = "scheduled"
    SPENT = "spent"
    HELD = "held"
    UNSORTED = "unsorted"


@dataclass(frozen=True, slots=True)
class Condition:
    """What decides where a photo stands. ``embargoed`` and ``lapsed`` are by its rights.

    ``unsorted``: nobody is sure yet that it belongs to its pillar.
    """

    usage: Usage = Usage.UNUSED
    embedding: EmbeddingState = EmbeddingState.READY
    held: bool = False
    embargoed: bool = False
    lapsed: bool = False
    unsorted: bool = False

    @property
    def standing(self) -> Standing:
        """Where such a photo stands: what posts did outweighs what people and machines say.

        A photo that is held is no use even once it is sorted, and one that is not embedded cannot
        be sorted: each stands where the next thing has to happen.
        """
        if self.usage is Usage.POSTED:
            return Standing.SPENT
        if self.usage is Usage.SCHEDULED:
            return Standing.SCHEDULED
        if self.held or self.embargoed or self.lapsed:
            return Standing.HELD
        if self.embedding is EmbeddingState.FAILED:
            return Standing.HELD
        if self.embedding is EmbeddingState.PENDING:
            return Standing.PENDING
        return Standing.UNSORTED if self.unsorted else Standing.USABLE


@dataclass(frozen=True, slots=True)
class Stock:
    """``scenes`` scenes of a pillar with ``size`` photos each that are in one condition.

    ``posted`` of these photos went out within the time that counts for shares. ``newest`` is when
    the last of them came in. ``quality`` is the sum over the ``measured`` ones, each 0..1.
    """

    pillar: str
    condition: Condition
    size: int
    scenes: int
    posted: int
    newest: datetime
    quality: float = 0.0
    measured: int = 0

    @property
    def photos(self) -> int:
        """How many photos these are."""
        return self.size * self.scenes


@dataclass(frozen=True, slots=True)
class Supply:
    """The photos of a pillar by what can be done with them; all but ``effective`` are counts.

    ``awaiting_vote`` are runs that will give a photo each, and not part of ``total``.
    """

    total: int = 0
    usable: int = 0
    effective: float = 0.0
    pending: int = 0
    awaiting_vote: int = 0
    scheduled: int = 0
    spent: int = 0
    held: int = 0
    unsorted: int = 0


def scene_value(photos: int) -> float:
    """What ``photos`` usable photos of one scene are worth: 1, 1.25, 1.375, … below 1.5.

    The first counts in full; each further one adds half of what the one before it added, starting
    with a quarter: 1 + 0.5 · (1 − 2^−(n−1)).
    """
    return 1 + 0.5 * (1 - 2.0 ** (1 - photos)) if photos else 0.0


def supply_of(stocks: Iterable[Stock], awaiting_vote: int = 0) -> Supply:
    """The supply that these stocks of one pillar make up, beside runs that wait for a vote."""
    counts = dict.fromkeys(Standing, 0)
    values: list[float] = []
    for stock in stocks:
        standing = stock.condition.standing
        counts[standing] += stock.photos
        if standing is Standing.USABLE:
            values.append(stock.scenes * scene_value(stock.size))
    return Supply(
        total=sum(counts.values()),
        usable=counts[Standing.USABLE],
        # Rounded once, so that the order in which stocks are read has no part in the answer.
        effective=fsum(values),
        pending=counts[Standing.PENDING],
        awaiting_vote=awaiting_vote,
        scheduled=counts[Standing.SCHEDULED],
        spent=counts[Standing.SPENT],
        held=counts[Standing.HELD],
        unsorted=counts[Standing.UNSORTED],
    )


def average_quality(stocks: Sequence[Stock]) -> float | None:
    """The mean quality of the usable photos that were measured, 0..1; None without any."""
    usable = [stock for stock in stocks if stock.condition.standing is Standing.USABLE]
    measured = sum(stock.measured for stock in usable)
    return fsum(stock.quality for stock in usable) / measured if measured else None
