"""Logs and metrics of a process."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# What looks like a key or a password must not reach a log, whoever put it into a message.
_SECRETS = re.compile(
    r"(?i)(bearer\s+|access_token[\"'=:\s]+|password[\"'=:\s]+|api[-_]key[\"'=:\s]+|cln_)"
    r"[A-Za-z0-9._~+/=-]{6,}"
)
_URL_PASSWORD = re.compile(r"(\w+://[^:/@\s]*:)[^@\s/]+@")


def mask(text: str) -> str:
    """``text`` without anything that looks like a secret."""
    return _URL_PASSWORD.sub(r"\1***@", _SECRETS.sub(r"\1***", text))


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": mask(record.getMessage()),
        }
        if record.exc_info:
            entry["error"] = mask(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A line for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def set_up_logging(level: str, style: Literal["text", "json"]) -> None:
    """Sends all logs of the process to standard error, secrets masked."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for chatty in ("httpx", "httpcore", "alembic", "kombu", "celery", "amqp", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class RpcMetrics:
    """Counts and times served calls."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "code")
        self._calls = Counter("colonnade_rpc_calls", "Served calls", labels, registry=registry)
        self._seconds = Histogram(
            "colonnade_rpc_seconds",
            "Time to serve a call",
            ("method",),
            registry=registry,
            buckets=_SECONDS,
        )

        # Finding the child of some labels costs more than counting does.
        self._children: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, code: str, seconds: float) -> None:
        """One call has ended."""
        children = self._children.get((method, code))
        if children is None:
            children = (self._calls.labels(method, code), self._seconds.labels(method))
            self._children[method, code] = children
        children[0].inc()
        children[1].observe(seconds)


class HttpMetrics:
    """Counts and times served HTTP requests, by route and not by path."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._requests = Counter(
            "colonnade_http_requests", "Served requests", labels, registry=registry
        )
        self._seconds = Histogram(
            "colonnade_http_seconds",
            "Time to serve a request, to the end of its answer",
            ("method", "route"),
            registry=registry,
            buckets=_SECONDS,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request has ended."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rpc = RpcMetrics(self.registry)
        self.http = HttpMetrics(self.registry)
        self.ready = Gauge(
            "colonnade_ready", "1 when the last probe passed", ("part",), registry=self.registry
        )
        self.loop_lag = Gauge(
            "colonnade_loop_lag_seconds", "How late the event loop runs", registry=self.registry
        )

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self.registry)
