"""What failed lately, for Prometheus."""

from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from libs.clock import Clock
from services.scheduler.domain.channel import Provider
from services.scheduler.ports import Store

_LATELY: Final = timedelta(hours=1)


class FailureMetrics:
    """Counts what failed or was missed within the last hour, by provider."""

    def __init__(self, store: Store, clock: Clock, registry: CollectorRegistry) -> None:
        self._store = store
        self._clock = clock
        self._failed = Gauge(
            "colonnade_failed_publications",
            "Publications that failed or were missed within the last hour",
            ("provider",),
            registry=registry,
        )

    async def __call__(self) -> None:
        """Looks once."""
        async with self._store.reading() as view:
            counts = await view.failures.since(self._clock.now() - _LATELY)
        for provider in Provider:
            self._failed.labels(provider).set(counts.get(provider, 0))
