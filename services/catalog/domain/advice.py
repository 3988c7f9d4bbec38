"""What to do about gaps, and why, in words."""

from collections.abc import Callable, Sequence
from datetime import datetime

from services.catalog.domain.gaps import (
    GapReport,
    Period,
    PillarGap,
    Reason,
    Recommendation,
    imbalance,
    recency,
    total_gap,
)

# "Far fewer posts than its weight asks for" is less than half of it.
_FAIR_PART = 0.5


def report_of(
    persona: str, id: str, period: Period, gaps: tuple[PillarGap, ...], now: datetime
) -> GapReport:
    """The report that these gaps, in their order, make up."""
    return GapReport(
        persona=persona,
        id=id,
        horizon_days=period.horizon_days,
        as_of_time=period.as_of,
        create_time=now,
        pillars=gaps,
        recommendations=recommendations_of(gaps, period),
        total_gap=total_gap(gaps),
        imbalance=imbalance(gaps),
    )


def recommendations_of(gaps: Sequence[PillarGap], period: Period) -> tuple[Recommendation, ...]:
    """What to do about pillars that count and lack something or are stale, in their order."""
    any_posts = any(gap.posted_share for gap in gaps)
    return tuple(
        _recommendation(gap, period, reasons_of(gap, period, any_posts))
        for gap in gaps
        if gap.planned and (gap.gap > 0 or _stale(gap, period))
    )


def _recommendation(gap: PillarGap, period: Period, reasons: tuple[Reason, ...]) -> Recommendation:
    return Recommendation(
        pillar=gap.pillar,
        gap=gap.gap,
        priority=gap.priority,
        reasons=reasons,
        explanation=" ".join(_SENTENCES[reason](gap, period) for reason in reasons),
    )


def reasons_of(gap: PillarGap, period: Period, any_posts: bool) -> tuple[Reason, ...]:
    """Why this pillar should be filled, most telling first.

    ``any_posts``: whether the persona posted at all; without posts no pillar got too few of them.
    """
    empty = gap.supply.total == 0
    holds = {
        Reason.NONE_YET: empty,
        Reason.STALE: _stale(gap, period),
        Reason.LOW_STOCK: gap.raw_gap > 0 and not empty,
        Reason.REDUNDANT: gap.raw_gap <= 0 < gap.gap,
        Reason.UNDER_POSTED: any_posts and gap.posted_share < _FAIR_PART * gap.weight,
    }
    return tuple(reason for reason, true in holds.items() if true)


def _stale(gap: PillarGap, period: Period) -> bool:
    """Whether there are photos, but none of the last 60 days."""
    return gap.last_photo_time is not None and recency(gap.last_photo_time, period.as_of) == 0


def _none_yet(gap: PillarGap, period: Period) -> str:
    return (
        f"{gap.display_name} has no photo yet and needs {gap.needed} "
        f"for the next {_days(period.horizon_days)}."
    )


def _stale_text(gap: PillarGap, period: Period) -> str:
    assert gap.last_photo_time is not None, "a stale pillar has photos"
    age = (period.as_of - gap.last_photo_time).days
    return f"The newest photo of {gap.display_name} is {_days(age)} old."


def _low_stock(gap: PillarGap, period: Period) -> str:
    alike = gap.supply.effective < gap.supply.usable
    counted = f" (they count as {_number(gap.supply.effective)}, as some show the same scene)"
    text = (
        f"{gap.display_name} has {_photos(gap.supply.usable)} to use{counted if alike else ''} and "
        f"needs {gap.needed} for the next {_days(period.horizon_days)}; {_missing(gap.gap)}."
    )
    if not gap.supply.unsorted:
        return text
    return f"{text} {_photos(gap.supply.unsorted)} more could be sorted into it."


def _redundant(gap: PillarGap, _period: Period) -> str:
    return (
        f"{gap.display_name} has {_photos(gap.supply.usable)} to use, but so many show the same "
        f"scene that they count as {_number(gap.supply.effective)}; "
        f"{_missing(gap.gap)}."
    )


def _under_posted(gap: PillarGap, _period: Period) -> str:
    return (
        f"It got {_number(gap.posted_share)} % of the posts of the last 30 days; "
        f"its weight is {gap.weight} %."
    )


_SENTENCES: dict[Reason, Callable[[PillarGap, Period], str]] = {
    Reason.NONE_YET: _none_yet,
    Reason.STALE: _stale_text,
    Reason.LOW_STOCK: _low_stock,
    Reason.REDUNDANT: _redundant,
    Reason.UNDER_POSTED: _under_posted,
}


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def _photos(count: int) -> str:
    return f"{count} photo" if count == 1 else f"{count} photos"


def _missing(gap: float) -> str:
    return "1 is missing" if _number(gap) == "1" else f"{_number(gap)} are missing"


def _number(value: float) -> str:
    """At most one decimal, and none where it would be 0."""
    return f"{value:.1f}".removesuffix(".0")
