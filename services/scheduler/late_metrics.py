"""What is past its time and not out, for Prometheus and for the log."""

import logging
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from libs.clock import Clock
from services.scheduler.domain.lateness import Lateness
from services.scheduler.ports import Store

log = logging.getLogger(__name__)

_AT_ONCE: Final = 100


class LateMetrics:
    """Counts what is late, by reason, and warns once of each publication and reason."""

    def __init__(self, store: Store, clock: Clock, registry: CollectorRegistry) -> None:
        self._store = store
        self._clock = clock
        self._late = Gauge(
            "colonnade_late_publications",
            "Publications that are past their time and not out",
            ("reason",),
            registry=registry,
        )

    async def __call__(self) -> None:
        """Looks once."""
        now = self._clock.now()
        async with self._store.changing() as tx:
            counts = await tx.late.counts(now)
            untold = await tx.late.untold(now, _AT_ONCE)
            await tx.commit()
        for reason in Lateness:
            self._late.labels(reason).set(counts.get(reason, 0))
        for late in untold:
            due = late.due_at.isoformat(timespec="minutes")
            log.warning("%s is late (%s), due %s: %s", late.name, late.why, due, late.detail)
