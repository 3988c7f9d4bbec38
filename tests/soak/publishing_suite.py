"""What takes part in publishing, each in a process of its own that may be killed at any time."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from cli.connection import Target
from libs.embedded.child import ChildProcess
from libs.embedded.engine import Engine, free_port
from libs.embedded.errors import EngineError
from libs.embedded.postgres import PostgresServer
from libs.embedded.qdrant import QdrantServer
from libs.embedded.redis import RedisServer
from services.engines import DATABASES
from tests.support.buffer.stand_in import DEFAULT_TOKEN
from tests.support.harness import PARTS, ROOT, Part
from tests.support.processes import processes_of

# What is shorter than by default, so that hours fit into minutes. The times at which a lost answer
# is looked up (15 s, 1 min, 5 min) are as always.
PACE: Final[Mapping[str, str]] = {
    "tick_every": "0.5",
    "submit_lead": "20",
    "overdue_lead": "5",
    "submit_timeout": "5",
    "claim_lease": "5",
    "breaker_pause": "5",
    "channel_check_every": "10",
}
_START: Final = 90.0
_TRIES: Final = 5


class StandIn:
    """The provider: a process that keeps its posts in a file, as a provider keeps them."""

    def __init__(self, data: Path) -> None:
        self._port, self._admin_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._state = data / "provider.json"
        self._log = data / "provider.log"
        self._child: ChildProcess | None = None
        self._admin = httpx.Client(base_url=f"http://127.0.0.1:{self._admin_port}", timeout=10)

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._child is not None and self._child.pid is not None

    def start(self) -> None:
        """Starts it where it stopped; does not wait."""
        self._child = ChildProcess(
            "provider",
            [
                *(sys.executable, "-m", "tests.support.buffer", "--state", self._state),
                *("--port", str(self._port), "--admin-port", str(self._admin_port)),
            ],
            log=self._log,
            cwd=ROOT,
        )
        self._child.start()

    def wait_ready(self) -> None:
        """Returns when it answers. Raises ``EngineError``."""
        child = self._child
        assert child is not None
        child.wait_ready(lambda: "Buffer stand-in on" in child.output(), _START)

    def kill(self) -> None:
        """Kills it."""
        if self._child is not None and self._child.pid is not None:
            os.kill(self._child.pid, signal.SIGKILL)
            self._child.stop()

    def change(self, **settings: Any) -> None:
        """Changes its settings."""
        self._admin.patch("/settings", json=settings).raise_for_status()

    def fault(self, **fault: Any) -> bool:
        """Lets the next call go wrong; False if it is not there to be told."""
        try:
            return self._admin.post("/faults", json=fault).is_success
        except httpx.TransportError:
            return False

    def calm(self) -> None:
        """No more faults."""
        self._admin.delete("/faults").raise_for_status()

    def posts(self) -> list[dict[str, Any]]:
        """All that it has."""
        state: dict[str, Any] = self._admin.get("/state").raise_for_status().json()
        return list(state["posts"].values())


class PublishingSuite:
    """The suite in parts, with several workers; the first one runs beat."""

    def __init__(self, data: Path, workers: int) -> None:
        self.data = data
        self.provider = StandIn(data)
        # Each worker may open forty connections.
        self.postgres = PostgresServer(data / "postgres", settings={"max_connections": "250"})
        self.redis = RedisServer(data / "redis")
        self._vectors = QdrantServer(data / "vectors")
        self._stack = ExitStack()
        served = {name: Part(name, data, {}) for name in ("catalog", "scheduler", "gateway")}
        self.workers = [
            Part("worker", data, {"COLONNADE_WORKER__BEAT": str(n == 1)}, name=f"worker-{n}")
            for n in range(1, workers + 1)
        ]
        self.relay = Part("relay", data, {})
        self._served = served
        self.parts = [*served.values(), self.relay, *self.workers]
        self.ended: Counter[str] = Counter()

    @property
    def target(self) -> Target:
        """Where a client finds the services. Those that do not publish are not there."""
        here = {name: part.grpc for name, part in self._served.items()}
        return Target({name: here.get(name, "127.0.0.1:1") for name in PARTS}, "")

    @property
    def token(self) -> str:
        """The key for the provider."""
        return DEFAULT_TOKEN

    def __enter__(self) -> Self:
        self._stack.callback(self._stop)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        self.provider.start()
        for engine in (self.postgres, self.redis, self._vectors):
            engine.start()
        migration = Part("migrate", self.data, {})
        for part in (migration, *self.parts):
            part.environment |= self._environment()
        migration.start()
        assert migration.wait(_START) == 0, migration.output()
        for part in self.parts:
            part.start()
        self.provider.wait_ready()
        deadline = time.monotonic() + _START
        while waiting := [part.name for part in self.parts if not _answers(part)]:
            assert time.monotonic() < deadline, f"{waiting} not ready; see the logs in {self.data}"
            time.sleep(0.2)

    def _environment(self) -> dict[str, str]:
        vectors = self._vectors.address
        databases = {
            f"COLONNADE_DATABASES__{name.upper()}__URL": self.postgres.ensure_service(name)
            for name in DATABASES
        }
        peers = {f"COLONNADE_PEERS__{n.upper()}": at for n, at in self.target.addresses.items()}
        return {
            **databases,
            **peers,
            **{f"COLONNADE_SCHEDULER__{name.upper()}": value for name, value in PACE.items()},
            "COLONNADE_SCHEDULER__MEDIA_BASE_URL": self._served["gateway"].http,
            "COLONNADE_REDIS__URL": self.redis.url,
            "COLONNADE_VECTORS__ADDRESS": vectors.target,
            "COLONNADE_VECTORS__API_KEY": vectors.api_key or "",
            "COLONNADE_BLOBS__URL": f"file://{self.data / 'blobs'}",
            "COLONNADE_SECRET_FILE": str(self.data / "secret"),
        }

    def revive(self, spared: frozenset[Part]) -> None:
        """Starts every part again that ended, by itself or not, but for those ``spared``."""
        for part in self.parts:
            if not part.is_running and part not in spared:
                if part.wait() != -signal.SIGKILL:
                    self.ended[part.name] += 1
                part.start()

    def crash(self, engine: Engine[Any], pause: float) -> None:
        """Kills the engine and starts it again after ``pause`` seconds, on the same data."""
        assert engine.child is not None and engine.child.pid is not None
        os.kill(engine.child.pid, signal.SIGKILL)
        engine.child.stop()
        time.sleep(pause)
        for attempt in range(1, _TRIES + 1):
            engine.stop()
            try:
                engine.start()
                return
            except EngineError:
                if attempt == _TRIES:
                    raise
                time.sleep(1)

    def _stop(self) -> None:
        for part in self.parts:
            part.kill()
        self.provider.kill()
        for engine in (self._vectors, self.redis, self.postgres):
            engine.stop()
        deadline = time.monotonic() + 20
        while left := dict(processes_of(self.data)):
            assert time.monotonic() < deadline, f"left behind: {left}"
            time.sleep(0.05)


def _answers(part: Part) -> bool:
    """Whether it is up; the gateway and the workers miss the services that do not publish."""
    assert part.is_running, f"{part.name} has ended:\n{part.tail()}"
    try:
        return httpx.get(f"{part.http}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
