"""Gap reports: make, read, preview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.clock import Clock
from libs.ids import uuid7
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.advice import report_of
from services.catalog.domain.gaps import (
    DEFAULT_HORIZON,
    SHARE_PERIOD,
    GapReport,
    Period,
    gaps_of,
)
from services.catalog.domain.names import Key, gap_report_key
from services.catalog.domain.strategy import Strategy, StrategyChange, changed
from services.catalog.domain.supply import Stock
from services.catalog.ports import Catalog, Changing, Listing, Reading
from services.catalog.usecases.requests import answered, finish
from services.catalog.usecases.uploads import no_pillars


@dataclass(frozen=True, slots=True)
class Preview:
    """How things stand and how they would stand after a change. Neither report is kept."""

    current: GapReport
    changed: GapReport


class GapCases:
    """Tells what is missing."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def analyze(
        self, persona: str, as_of: datetime | None, horizon_days: int, request: RequestKey
    ) -> GapReport:
        """Makes and keeps a report; ``as_of`` None is now, ``horizon_days`` 0 the default.

        How posts use photos, what is embedded and what is sorted are taken as they are today; what
        came in, what rights say and what was posted are taken as of ``as_of``.
        Raises NotFound, FailedPrecondition (NO_PILLARS).
        """
        period = self._period(as_of, horizon_days)
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.reports.get(gap_report_key(known))
            report = await self._kept(tx, persona, period)
            await finish(tx, request, report.name)
        return report

    async def made(self, tx: Changing, persona: str) -> GapReport:
        """A report as of now, made and kept as part of something larger.

        Raises NotFound, FailedPrecondition (NO_PILLARS).
        """
        return await self._kept(tx, persona, self._period(None, 0))

    async def get(self, key: Key) -> GapReport:
        """A report that was made before. Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.reports.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[GapReport]:
        """One page of the reports that were made. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.reports.page(persona, listing)

    async def preview(
        self, persona: str, as_of: datetime | None, horizon_days: int, change: StrategyChange
    ) -> Preview:
        """What ``analyze`` says now, and what it would say after ``change``; keeps nothing.

        Raises NotFound, InvalidArgument, FailedPrecondition (NO_PILLARS, WEIGHTS_EXCEED_100).
        """
        period = self._period(as_of, horizon_days)
        async with self._catalog.reading() as catalog:
            strategy, shelves = await _read(catalog, persona, period)
        after = changed(strategy, change, self._clock.now())
        return Preview(
            self._report("", strategy, shelves, period), self._report("", after, shelves, period)
        )

    async def _kept(self, tx: Changing, persona: str, period: Period) -> GapReport:
        strategy, shelves = await _read(tx, persona, period)
        report = self._report(uuid7(), strategy, shelves, period)
        await tx.reports.add(report)
        return report

    def _period(self, as_of: datetime | None, horizon_days: int) -> Period:
        return Period(as_of or self._clock.now(), horizon_days or DEFAULT_HORIZON)

    def _report(
        self, id: str, strategy: Strategy, shelves: "_Shelves", period: Period
    ) -> GapReport:
        gaps = gaps_of(strategy, shelves.stocks, period, shelves.awaiting_vote)
        return report_of(strategy.persona, id, period, gaps, self._clock.now())


@dataclass(frozen=True, slots=True)
class _Shelves:
    """What there is, and how many runs of each pillar wait for a vote."""

    stocks: Sequence[Stock]
    awaiting_vote: Mapping[str, int]


async def _read(catalog: Reading, persona: str, period: Period) -> tuple[Strategy, _Shelves]:
    strategy, awaiting_vote = await catalog.pillars.strategy_at(persona, period.as_of)
    if not strategy.pillars:
        raise no_pillars(persona)
    shares_since = period.as_of - SHARE_PERIOD
    stocks = await catalog.photos.stocks(persona, period.as_of, shares_since)
    return strategy, _Shelves(stocks, awaiting_vote)
