"""What consumers count."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from libs.events.stream import GroupStatus

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LABELS = ("stream", "group")


class ConsumerMetrics:
    """Counters of all consumers of a process: make one and give it to each."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._handled = Counter(
            "colonnade_events_handled",
            "Deliveries by what became of them: done, retry, dead.",
            (*_LABELS, "status"),
            registry=registry,
        )
        self._duration = Histogram(
            "colonnade_event_duration_seconds",
            "Time in the handler.",
            _LABELS,
            buckets=_SECONDS,
            registry=registry,
        )
        self._behind = Gauge(
            "colonnade_events_behind",
            "Events by where they are: pending, unread, delayed, dead.",
            (*_LABELS, "place"),
            registry=registry,
        )
        self._lag = Gauge(
            "colonnade_event_lag_seconds",
            "Age of the oldest unread event.",
            _LABELS,
            registry=registry,
        )

    def handled(self, stream: str, group: str, status: str) -> None:
        """Counts one delivery: ``done``, ``retry`` or ``dead``."""
        self._handled.labels(stream, group, status).inc()

    def took(self, stream: str, group: str, seconds: float) -> None:
        """Keeps the duration of one handler call."""
        self._duration.labels(stream, group).observe(seconds)

    def behind(self, stream: str, group: str, status: GroupStatus) -> None:
        """Shows how far a group is behind."""
        for place in ("pending", "unread", "delayed", "dead"):
            self._behind.labels(stream, group, place).set(getattr(status, place))
        self._lag.labels(stream, group).set(status.lag)
