"""The gap report."""

from datetime import datetime

from libs.clock import Clock
from libs.ids import uuid7
from libs.rpc.requests import RequestKey
from services.catalog.domain.advice import report_of
from services.catalog.domain.gaps import (
    DEFAULT_HORIZON,
    SHARE_PERIOD,
    GapReport,
    Period,
    gaps_of,
)
from services.catalog.domain.names import GAP_REPORT, Key
from services.catalog.ports import Catalog, Changing
from services.catalog.usecases.requests import answered, finish
from services.catalog.usecases.uploads import no_pillars


class GapCases:
    """Tells what is missing."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def analyze(
        self, persona: str, as_of: datetime | None, horizon_days: int, request: RequestKey
    ) -> GapReport:
        """Makes and keeps a report; ``as_of`` None is now, ``horizon_days`` 0 the default.

        How posts use photos and what is embedded are taken as they are today; what came in, what
        rights say and what was posted are taken as of ``as_of``.
        Raises NotFound, FailedPrecondition (NO_PILLARS).
        """
        now = self._clock.now()
        period = Period(as_of or now, horizon_days or DEFAULT_HORIZON)
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.reports.get(Key(*GAP_REPORT.parse(known)))
            report = await _report(tx, persona, period, now)
            await tx.reports.add(report)
            await finish(tx, request, report.name)
        return report


async def _report(tx: Changing, persona: str, period: Period, now: datetime) -> GapReport:
    pillars = await tx.pillars.of_persona(persona)
    if not pillars:
        await tx.personas.get(persona)
        raise no_pillars(persona)
    shares_since = period.as_of - SHARE_PERIOD
    stocks = await tx.photos.stocks(persona, period.as_of, shares_since)
    gaps = gaps_of(pillars, stocks, period)
    return report_of(persona, uuid7(), period, gaps, now)
