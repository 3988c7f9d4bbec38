"""How channels are, for Prometheus."""

from prometheus_client import CollectorRegistry, Gauge

from libs.clock import Clock
from services.scheduler.domain.channel import ChannelState, Provider
from services.scheduler.ports import Store


class ChannelMetrics:
    """Tells how many channels are well, and how long their tokens last.

    Labels are providers and states, so that their number does not grow with the studio.
    """

    def __init__(self, store: Store, clock: Clock, registry: CollectorRegistry) -> None:
        self._store = store
        self._clock = clock
        labels = ("provider", "state")
        self._channels = Gauge("colonnade_channels", "Channels", labels, registry=registry)
        self._token_seconds = Gauge(
            "colonnade_channel_token_seconds",
            "Seconds until the first token of a provider ends, of those that end",
            ("provider",),
            registry=registry,
        )

    async def __call__(self) -> None:
        """Looks once."""
        async with self._store.reading() as view:
            health = await view.channels.health()
        counts = {(row.provider, row.state): row.count for row in health}
        ends = [(row.provider, row.token_expires_at) for row in health]
        now = self._clock.now()
        self._token_seconds.clear()
        for provider in Provider:
            for state in ChannelState:
                self._channels.labels(provider, state).set(counts.get((provider, state), 0))
            left = [(at - now).total_seconds() for p, at in ends if at and p == provider]
            if left:
                self._token_seconds.labels(provider).set(min(left))
