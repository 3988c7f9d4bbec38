"""What each pillar lacks against its target over a horizon. The formulas of the gap report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from types import MappingProxyType

from services.catalog.domain.names import GAP_REPORT, PILLAR
from services.catalog.domain.pillar import Pillar
from services.catalog.domain.strategy import Strategy
from services.catalog.domain.supply import Stock, Supply, average_quality, supply_of

DEFAULT_HORIZON = 30
SHARE_PERIOD = timedelta(days=30)

_RECENCY = ((timedelta(days=7), 100), (timedelta(days=30), 50), (timedelta(days=60), 25))
_MUCH = 5
_READY_STOCK = 3
_AMPLE_STOCK = 5


class Status(StrEnum):
    """How bad it is."""

    EXHAUSTED = "EXHAUSTED"
    CRITICAL = "CRITICAL"
    LOW = "LOW"
    MINIMAL = "MINIMAL"
    READY = "READY"


class Priority(StrEnum):
    """How urgent it is."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class Reason(StrEnum):
    """Why something should be done."""

    NONE_YET = "NONE_YET"
    STALE = "STALE"
    LOW_STOCK = "LOW_STOCK"
    REDUNDANT = "REDUNDANT"
    UNDER_POSTED = "UNDER_POSTED"


_URGENCY = {priority: rank for rank, priority in enumerate(Priority)}


@dataclass(frozen=True, slots=True)
class PillarGap:
    """Where one pillar stands. ``gap`` and ``raw_gap`` are in photos, shares in per cent.

    ``run_out_time`` is when the usable photos are used up at the planned rate; None where nothing
    is planned, and where that is after the year 9999.
    """

    pillar: str
    display_name: str
    planned: bool
    weight: int
    importance: int
    supply: Supply
    needed: int
    gap: float
    raw_gap: int
    days_of_stock: float | None
    coverage_score: float
    legacy_score: float
    status: Status
    priority: Priority
    last_photo_time: datetime | None
    posted_share: float
    run_out_time: datetime | None = None
    average_quality: float | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """To fill one pillar, and why: ``reasons`` with the most telling first, and a sentence."""

    pillar: str
    gap: float
    priority: Priority
    reasons: tuple[Reason, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class GapReport:
    """A snapshot of what a persona's pillars lack. ``imbalance`` is in percentage points."""

    persona: str
    id: str
    horizon_days: int
    as_of_time: datetime
    create_time: datetime
    pillars: tuple[PillarGap, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    total_gap: float = 0.0
    imbalance: float = 0.0

    @property
    def name(self) -> str:
        """The resource name; empty for one that is not kept."""
        return GAP_REPORT.format(self.persona, self.id) if self.id else ""


@dataclass(frozen=True, slots=True)
class Period:
    """The moment taken as now, and the days to look ahead."""

    as_of: datetime
    horizon_days: int = DEFAULT_HORIZON


@dataclass(slots=True)
class Shelf:
    """The stocks of one pillar, its runs that wait for a vote, and the posts of all pillars."""

    stocks: list[Stock] = field(default_factory=list)
    posted_in_all: int = 0
    awaiting_vote: int = 0

    @property
    def newest(self) -> datetime | None:
        """When the last photo of the pillar came in."""
        return max((stock.newest for stock in self.stocks), default=None)

    @property
    def posted_share(self) -> float:
        """The pillar's share of the posts in per cent; 0 if there were none."""
        posted = sum(stock.posted for stock in self.stocks)
        return 100 * posted / self.posted_in_all if self.posted_in_all else 0.0


def needed_photos(posts_per_week: int | None, weight: int, in_all: int, horizon_days: int) -> int:
    """Photos that the horizon takes: ceil(target/week · days/7), or without a target of its own
    ceil(ceil(in all/week · days/7) · weight/100)."""
    if posts_per_week is not None:
        return _ceil(posts_per_week * horizon_days, 7)
    return _ceil(_ceil(in_all * horizon_days, 7) * weight, 100)


def posts_per_day(posts_per_week: int | None, weight: int, in_all: int) -> float:
    """How many posts a day are planned for a pillar, of ``in_all`` a week."""
    if posts_per_week is not None:
        return posts_per_week / 7
    return in_all * weight / 100 / 7


def recency(newest: datetime | None, as_of: datetime) -> int:
    """How fresh the newest photo is: up to 7 days 100, 30 days 50, 60 days 25, else or none 0."""
    if newest is None:
        return 0
    return next((points for age, points in _RECENCY if as_of - newest <= age), 0)


def coverage_score(usable: int, needed: int, recency_points: int) -> float:
    """0..100: 70 points for stock, 30 for a recent newest photo."""
    stock = min(1.0, usable / needed) if needed else 1.0
    return round(70 * stock + 0.3 * recency_points, 1)


def legacy_score(photos: int, recency_points: int) -> float:
    """The score of older libraries: 0.6 a photo and 0.4 times the recency."""
    return round(0.6 * photos + 0.4 * recency_points, 2)


def status_of(gap: float, usable: int) -> Status:
    """How bad it is."""
    if usable == 0:
        return Status.EXHAUSTED
    if gap > _MUCH:
        return Status.CRITICAL
    if gap > 0:
        return Status.LOW
    return Status.READY if usable >= _READY_STOCK else Status.MINIMAL


def priority_of(gap: float, usable: int) -> Priority:
    """How urgent it is."""
    if gap > _MUCH or usable == 0:
        return Priority.HIGH
    if gap > 0:
        return Priority.MEDIUM
    return Priority.LOW if usable >= _AMPLE_STOCK else Priority.NORMAL


def gap_of(pillar: Pillar, shelf: Shelf, period: Period, in_all: int) -> PillarGap:
    """Where ``pillar`` stands of ``in_all`` posts a week. One that does not count needs nothing."""
    supply = supply_of(shelf.stocks, shelf.awaiting_vote)
    planned = pillar.planned(period.as_of)
    target = (pillar.posts_per_week, pillar.weight, in_all)
    rate = posts_per_day(*target) if planned else 0.0
    needed = needed_photos(*target, period.horizon_days) if planned else 0
    gap = needed - supply.effective
    days = supply.usable / rate if rate else None
    fresh = recency(shelf.newest, period.as_of)
    return PillarGap(
        pillar=PILLAR.format(pillar.persona, pillar.id),
        display_name=pillar.display_name,
        planned=planned,
        weight=pillar.weight,
        importance=pillar.priority,
        supply=supply,
        needed=needed,
        gap=gap,
        raw_gap=needed - supply.usable,
        days_of_stock=days,
        coverage_score=coverage_score(supply.usable, needed, fresh),
        legacy_score=legacy_score(supply.total, fresh),
        status=status_of(gap, supply.usable),
        priority=priority_of(gap, supply.usable),
        last_photo_time=shelf.newest,
        posted_share=shelf.posted_share,
        run_out_time=None if days is None else _later(period.as_of, days),
        average_quality=average_quality(shelf.stocks),
    )


def gaps_of(
    strategy: Strategy,
    stocks: Sequence[Stock],
    period: Period,
    awaiting_vote: Mapping[str, int] = MappingProxyType({}),
) -> tuple[PillarGap, ...]:
    """Where each pillar stands, largest gap first, those that do not count last.

    Stocks of a pillar that came while this was read are left out. ``awaiting_vote`` are the runs
    that wait for a vote, by the pillar's id.
    """
    posted = sum(stock.posted for stock in stocks)
    shelves = {
        pillar.id: Shelf(posted_in_all=posted, awaiting_vote=awaiting_vote.get(pillar.id, 0))
        for pillar in strategy.pillars
    }
    for stock in stocks:
        if shelf := shelves.get(stock.pillar):
            shelf.stocks.append(stock)
    in_all = strategy.posts_per_week
    gaps = [gap_of(pillar, shelves[pillar.id], period, in_all) for pillar in strategy.pillars]
    return tuple(sorted(gaps, key=_order))


def photos_to_make(gaps: Iterable[PillarGap]) -> int:
    """How many photos close the gaps: the positive ones, each rounded up."""
    return sum(ceil(gap.gap) for gap in gaps if gap.gap > 0)


def total_gap(gaps: Iterable[PillarGap]) -> float:
    """The sum of the positive gaps, in photos."""
    return sum(max(gap.gap, 0.0) for gap in gaps)


def imbalance(gaps: Iterable[PillarGap]) -> float:
    """The largest difference between posted share and weight of a pillar that counts."""
    return max((abs(g.posted_share - g.weight) for g in gaps if g.planned), default=0.0)


def _order(gap: PillarGap) -> tuple[bool, float, int, int, str]:
    """Ties go to the more urgent, then to the more important pillar, then by name."""
    return (not gap.planned, -gap.gap, -_URGENCY[gap.priority], -gap.importance, gap.pillar)


def _ceil(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def _later(moment: datetime, days: float) -> datetime | None:
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return None
