"""A suite as people run it: real processes, real engines, in either of its two shapes.

``all`` is one process that starts its own engines; ``split`` is one process for each part over
engines that are there already. Both give the same handle. Nothing that was started may outlive it:
``stop`` and ``kill`` check that.
"""

import os
import random
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.connection import Target
from libs.embedded.child import ChildProcess
from libs.embedded.postgres import UNSAFE_FOR_TESTS, PostgresServer
from libs.embedded.qdrant import QdrantServer
from libs.embedded.redis import RedisServer
from libs.rpc.contracts import SERVICES
from tests.support.ports import HOST, free_port
from tests.support.processes import children_of, command_words, processes_of

Shape = Literal["all", "split"]
Environment = Mapping[str, str]

ROOT = Path(__file__).parents[2]
PARTS = tuple(SERVICES)
# Far above what it takes, as machines may be busy.
START_TIMEOUT = 400.0
STOP_TIMEOUT = 400.0
_PROBE_TIMEOUT = 60.0

# Short waits, so that a test sees in seconds what otherwise takes a minute.
QUICK = {
    "COLONNADE_SCHEDULER__TICK_EVERY": "0.3",
    "COLONNADE_SCHEDULER__OVERDUE_LEAD": "1",
    "COLONNADE_SCHEDULER__WATCH_POLL": "0.1",
    "COLONNADE_CLUSTERING__SWEEP_SECONDS": "1",
    "COLONNADE_EMBEDDING__THREADS": "1",
    # And patience with a machine that has others to serve.
    "COLONNADE_DATABASE__TIMEOUT": "60",
}


class Part:
    """One process of a suite, with its ports. It may be started again after its end."""

    def __init__(
        self, target: str, data: Path, environment: Environment, *, name: str = ""
    ) -> None:
        self.name = name or target
        self.grpc_port = free_port()
        self.http_port = free_port()
        self.log = data / f"{self.name}.log"
        self.exit_code: int | None = None
        self.command: list[str | Path] = [
            *(sys.executable, "-m", "services", f"--target={target}"),
            *("--data", data / self.name),
        ]
        self.environment = {
            "COLONNADE_GRPC__PORT": str(self.grpc_port),
            "COLONNADE_HTTP__PORT": str(self.http_port),
            **environment,
        }
        self._child: ChildProcess | None = None

    @property
    def http(self) -> str:
        """Where it tells its health."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def grpc(self) -> str:
        """Where it answers gRPC."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def pid(self) -> int:
        """Its process id; fails if it does not run."""
        pid = self._child.pid if self._child else None
        assert pid is not None, f"{self.name} does not run:\n{self.tail()}"
        return pid

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._child is not None and self._child.pid is not None

    def start(self) -> None:
        """Starts it; does not wait for anything."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.exit_code = None
        self._child = ChildProcess(
            self.name, self.command, log=self.log, cwd=ROOT, environment=self.environment
        )
        self._child.start()

    def ask_to_stop(self) -> None:
        """Sends SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kills it, if it runs."""
        if self._child is not None:
            if self._child.pid is not None:
                os.kill(self._child.pid, signal.SIGKILL)
            self.wait()

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Its exit code once it has ended; fails if that takes longer than ``timeout`` seconds."""
        if self.exit_code is None and self._child is not None:
            deadline = time.monotonic() + timeout
            while self._child.exit_code is None:
                assert time.monotonic() < deadline, f"{self.name} goes on:\n{self.tail()}"
                time.sleep(0.01)
            self.exit_code, self._child = self._child.exit_code, None
        assert self.exit_code is not None, f"{self.name} was not started"
        return self.exit_code

    def is_ready(self) -> bool:
        """Whether all its probes pass. Fails the test if it has ended."""
        _ = self.pid
        try:
            return self.readiness().status_code == 200
        except httpx.TransportError:
            return False

    def readiness(self) -> httpx.Response:
        """What it says of its readiness."""
        # Nothing to verify: reading whom to trust would take most of the time of those who wait.
        return httpx.get(f"{self.http}/readyz", timeout=_PROBE_TIMEOUT, verify=False)

    def output(self) -> str:
        """All that it has written, over all its lives."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 60) -> str:
        """The end of its log."""
        return "\n".join(self.output().splitlines()[-lines:])


class Suite(ABC):
    """A running suite. ``data`` holds all it keeps; ``environment`` are further settings."""

    shape: Shape

    def __init__(
        self, data: Path, environment: Environment | None = None, *, key: str = ""
    ) -> None:
        self.data = data
        self.key = key
        self.environment = {**QUICK, **(environment or {})}
        self.parts: dict[str, Part] = {}

    @property
    @abstractmethod
    def grpc(self) -> dict[str, str]:
        """Where each service answers gRPC."""

    @property
    @abstractmethod
    def http(self) -> str:
        """The URL of the gateway."""

    @property
    def target(self) -> Target:
        """Where a client finds the services."""
        return Target(self.grpc, self.key)

    @property
    def headers(self) -> dict[str, str]:
        """What a client of the gateway sends with each request."""
        return {"authorization": f"Bearer {self.key}"} if self.key else {}

    def client_environment(self) -> dict[str, str]:
        """What the command line needs to reach this suite."""
        peers = {f"COLONNADE_PEERS__{name.upper()}": at for name, at in self.grpc.items()}
        return {**peers, "COLONNADE_API_KEY": self.key}

    def start(self) -> None:
        """Starts every part and waits until all are ready."""
        for part in self.starting_order():
            part.start()
        self.wait_ready()

    def starting_order(self) -> Sequence[Part]:
        """The parts in the order in which to start them."""
        return list(self.parts.values())

    def wait_ready(self, timeout: float = START_TIMEOUT) -> None:
        """Returns when every part and every service says that it is ready."""
        deadline = time.monotonic() + timeout
        while waiting := [*self._parts_not_ready(), *self._services_not_serving()]:
            assert time.monotonic() < deadline, f"{waiting} not ready:\n{self.logs()}"
            time.sleep(0.05)

    def _parts_not_ready(self) -> list[str]:
        return [part.name for part in self.parts.values() if not part.is_ready()]

    def _services_not_serving(self) -> list[str]:
        return [name for name in PARTS if self.health(name) != "SERVING"]

    def health(self, service: str) -> str:
        """What the health service says of ``service``; UNREACHABLE if nothing answers."""
        request = health_pb2.HealthCheckRequest(service=SERVICES[service][0].full_name)
        with grpc.insecure_channel(self.grpc[service]) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_PROBE_TIMEOUT)
            except grpc.RpcError:
                return "UNREACHABLE"
        name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        return name

    def failures(self) -> dict[str, str]:
        """What every part says is not ready, and why."""
        found: dict[str, str] = {}
        for part in self.parts.values():
            found |= part.readiness().json().get("failures", {})
        return found

    def restart(self, name: str) -> None:
        """Stops one part in good order, starts it on the same ports, waits until all is ready."""
        part = self.parts[name]
        part.ask_to_stop()
        assert part.wait() == 0, part.tail()
        part.start()
        self.wait_ready()

    def stop(self) -> None:
        """Stops all in good order; fails if a part does not end well or leaves anything behind."""
        try:
            for part in self.parts.values():
                part.ask_to_stop()
            codes = {part.name: part.wait() for part in self.parts.values()}
            assert set(codes.values()) == {0}, f"{codes}:\n{self.logs()}"
        finally:
            for part in self.parts.values():
                part.kill()
            self._stop_engines()
        self.check_gone()

    def kill(self) -> None:
        """Kills every part at once, as a power cut would, and waits until all is gone."""
        for part in self.parts.values():
            part.kill()
        self._stop_engines()
        self.check_gone()

    @abstractmethod
    def _stop_engines(self) -> None:
        """Stops the engines that are no children of a part."""

    def check_gone(self, timeout: float = STOP_TIMEOUT) -> None:
        """Fails if a process of this suite is still there after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while left := dict(processes_of(self.data)):
            assert time.monotonic() < deadline, f"left behind: {left}"
            time.sleep(0.05)

    def logs(self) -> str:
        """The end of every log, for a message."""
        return "\n".join(f"--- {part.name}\n{part.tail()}" for part in self.parts.values())

    def log_files(self) -> list[Path]:
        """Every log that the suite has written: its own and those of its engines."""
        return sorted(self.data.rglob("*.log"))


class SuiteInOne(Suite):
    """The shape ``all``."""

    shape: Shape = "all"

    def __init__(
        self, data: Path, environment: Environment | None = None, *, key: str = ""
    ) -> None:
        super().__init__(data, environment, key=key)
        part = Part("all", data, self.environment)
        part.environment.setdefault("COLONNADE_SCHEDULER__MEDIA_BASE_URL", part.http)
        self.parts = {"all": part}

    @property
    def grpc(self) -> dict[str, str]:
        return dict.fromkeys(PARTS, self.parts["all"].grpc)

    @property
    def http(self) -> str:
        return self.parts["all"].http

    def _stop_engines(self) -> None:
        return None

    def engine_pids(self) -> dict[str, int]:
        """The children of the process: ``postgres``, ``redis``, ``vectors``."""
        found = {}
        for pid in children_of(self.parts["all"].pid):
            program, *arguments = command_words(pid) or [""]
            if Path(program).name.startswith("redis-server"):  # it tells its port there as well
                found["redis"] = pid
            # Besides the server itself there may be one that only tells its version.
            if Path(program).name == "postgres" and "-D" in arguments:
                found["postgres"] = pid
            if "libs.embedded.qdrant_edge" in arguments:
                found["vectors"] = pid
        return found


class SuiteInParts(Suite):
    """The shape ``split``. The order in which its parts start is drawn anew each time."""

    shape: Shape = "split"
    targets = (*PARTS, "gateway", "worker", "relay")

    def __init__(
        self, data: Path, environment: Environment | None = None, *, key: str = ""
    ) -> None:
        super().__init__(data, environment, key=key)
        self._engines = ExitStack()
        self.parts = {target: Part(target, data, self.environment) for target in self.targets}
        self._migration = Part("migrate", data, self.environment)

    @property
    def grpc(self) -> dict[str, str]:
        return {name: self.parts[name].grpc for name in PARTS}

    @property
    def http(self) -> str:
        return self.parts["gateway"].http

    def start(self) -> None:
        self.start_engines()
        super().start()

    def starting_order(self) -> Sequence[Part]:
        order = list(self.parts.values())
        random.shuffle(order)
        return order

    def start_engines(self) -> None:
        """Starts the engines, tells every part where they are, and makes the schemas."""
        given = self._addresses()
        for part in (self._migration, *self.parts.values()):
            part.environment |= given
        self._migration.start()
        assert self._migration.wait(START_TIMEOUT) == 0, self._migration.output()

    def _addresses(self) -> dict[str, str]:
        enter = self._engines.enter_context
        postgres = PostgresServer(self.data / "postgres", settings=UNSAFE_FOR_TESTS)
        enter(postgres)
        self.redis = enter(RedisServer(self.data / "redis"))
        vectors = enter(QdrantServer(self.data / "vectors")).address
        databases = {
            f"COLONNADE_DATABASES__{name.upper()}__URL": postgres.ensure_service(name)
            for name in ("catalog", "clustering", "scheduler")
        }
        peers = {f"COLONNADE_PEERS__{name.upper()}": at for name, at in self.grpc.items()}
        return {
            **databases,
            **peers,
            "COLONNADE_REDIS__URL": self.redis.url,
            "COLONNADE_VECTORS__ADDRESS": vectors.target,
            "COLONNADE_VECTORS__API_KEY": vectors.api_key,
            "COLONNADE_BLOBS__URL": f"file://{self.data / 'blobs'}",
            "COLONNADE_SECRET_FILE": str(self.data / "secret"),
            "COLONNADE_SCHEDULER__MEDIA_BASE_URL": self.http,
        }

    def _stop_engines(self) -> None:
        self._engines.close()
