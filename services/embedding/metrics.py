"""What the embedding service counts and times."""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from libs.errors import ColonnadeError
from services.embedding.batcher import BatchReport
from services.embedding.cache import Lookup
from services.embedding.fairness import Lane

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LABELS = ("model", "lane")


class EmbeddingMetrics:
    """The metrics of all models of a process, by model and lane (``interactive``, ``bulk``)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sizes = Histogram(
            "colonnade_embedding_batch_size",
            "Images or texts in a batch",
            _LABELS,
            registry=registry,
            buckets=_SIZES,
        )
        self._waits = Histogram(
            "colonnade_embedding_queue_seconds",
            "Time between decoding and inference",
            _LABELS,
            registry=registry,
            buckets=_SECONDS,
        )
        self._runs = Histogram(
            "colonnade_embedding_inference_seconds",
            "Time of one batch in the model",
            _LABELS,
            registry=registry,
            buckets=_SECONDS,
        )
        self._failures = Counter(
            "colonnade_embedding_batch_failures",
            "Batches that the model failed at",
            _LABELS,
            registry=registry,
        )
        self._queued = Gauge(
            "colonnade_embedding_queue_length",
            "Images or texts that waited when the latest batch was over",
            _LABELS,
            registry=registry,
        )
        self._lookups = Counter(
            "colonnade_embedding_cache_lookups",
            "Results by where they came from: hit (kept), joined (in work), miss (computed)",
            ("outcome",),
            registry=registry,
        )
        self._errors = Counter(
            "colonnade_embedding_errors",
            "Images and texts without a result, by the reason that their caller was told",
            ("reason",),
            registry=registry,
        )

        self._decoding = Gauge(
            "colonnade_embedding_decode_queue_length",
            "Images and texts that wait for a thread that reads them",
            ("lane",),
            registry=registry,
        )
        self._cached = Gauge(
            "colonnade_embedding_cache_bytes",
            "Memory that kept results take",
            registry=registry,
        )

    def watch(self, decoding: Callable[[Lane], int], cached: Callable[[], int]) -> None:
        """From now on ``decoding`` tells how much waits in a lane, and ``cached`` how much is kept,
        whenever the metrics are read."""
        for lane in Lane:
            self._decoding.labels(lane.name.lower()).set_function(partial(decoding, lane))
        self._cached.set_function(cached)

    def batch(self, report: BatchReport) -> None:
        """One batch is over."""
        labels = (report.name, report.lane.name.lower())
        self._queued.labels(*labels).set(report.queued)
        if report.failed:
            self._failures.labels(*labels).inc()
            return
        self._sizes.labels(*labels).observe(report.size)
        self._runs.labels(*labels).observe(report.seconds)
        waits = self._waits.labels(*labels)
        for seconds in report.waits:
            waits.observe(seconds)

    def lookup(self, outcome: Lookup) -> None:
        """The cache was asked."""
        self._lookups.labels(outcome).inc()

    def result(self, result: object) -> None:
        """An image or text was answered; errors among the answers are counted."""
        if isinstance(result, ColonnadeError):
            self._errors.labels(result.reason).inc()
