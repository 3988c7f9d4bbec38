"""The processes that the demo starts: engines, the suite, a worker, and a stand-in of Buffer."""

import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.connection import Target
from demo.stand_in import StandIn
from libs.embedded.child import ChildProcess
from libs.rpc.contracts import SERVICES
from libs.settings import ENV_PREFIX
from services.engines import DATABASES, Engines, engines
from services.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "demo-token-of-the-stand-in"
# Far above what it takes, as machines may be busy.
START_TIMEOUT = 300.0
# Nobody wants to watch minutes of nothing: what is due goes out after five seconds, and a worker
# counts as dead after sixteen.
PACE = {"overdue_lead": "5", "submit_timeout": "8", "claim_lease": "10"}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything of a demo listens. Kept in a file: channels remember the stand-in's."""

    grpc: int
    http: int
    buffer: int
    buffer_admin: int

    @classmethod
    def of(cls, file: Path, grpc: int, http: int) -> "Ports":
        """The given ports, and for the stand-in those of last time or free ones."""
        kept = json.loads(file.read_text()) if file.exists() else {}
        free = dict(zip(("buffer", "buffer_admin"), _free_ports(2), strict=True))
        if kept != (wanted := {**free, **kept}):
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(".new")
            draft.write_text(json.dumps(wanted))
            draft.rename(file)
        return cls(grpc, http, **wanted)

    @property
    def grpc_address(self) -> str:
        """Where gRPC clients go."""
        return f"127.0.0.1:{self.grpc}"

    @property
    def target(self) -> Target:
        """Where a client finds the services."""
        return Target(dict.fromkeys(SERVICES, self.grpc_address), "")

    @property
    def http_url(self) -> str:
        """Where REST clients and browsers go."""
        return f"http://127.0.0.1:{self.http}"

    @property
    def buffer_url(self) -> str:
        """Where the stand-in takes GraphQL."""
        return f"http://127.0.0.1:{self.buffer}"

    @property
    def stand_in(self) -> StandIn:
        """The other side of the stand-in."""
        return StandIn(f"http://127.0.0.1:{self.buffer_admin}")


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; all held until the last is found, so no two are one."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@dataclass(frozen=True, slots=True)
class Running:
    """What runs: the suite in one process, and beside it the worker that publishes."""

    suite: ChildProcess
    worker: ChildProcess

    def kill_worker(self) -> None:
        """Kills it as ``kill -9`` does, and waits until it is gone."""
        if self.worker.pid is not None:
            os.kill(self.worker.pid, signal.SIGKILL)
        self.worker.stop()


@contextmanager
def running(data: Path, ports: Ports) -> Iterator[Running]:
    """Everything, ready. It ends with the block, and with this process.

    The settings of the environment are taken out of it: what they name (a database, a key, a
    schedule) is of another suite, and what the demo makes up must not get there. Raises EngineError
    with the end of the log of what does not come up.
    """
    _forget_settings()
    folder = (data / "suite").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        buffer = _buffer(data, ports)
        stack.callback(buffer.stop)
        buffer.start()
        # It has its ports before the engines look for theirs.
        buffer.wait_ready(lambda: "Buffer stand-in on" in buffer.output(), START_TIMEOUT)
        started = stack.enter_context(engines(load_settings(None, data=folder), folder))
        environment = {**os.environ, **_addresses(started, ports)}
        suite, worker = _suite(data, ports, environment), _worker(data, ports, environment)
        stack.callback(suite.stop, bound=30)
        suite.start()
        suite.wait_ready(lambda: _answers(f"{ports.http_url}/readyz"), START_TIMEOUT)
        stack.callback(worker.stop, bound=30)
        worker.start()
        yield Running(suite, worker)


def _forget_settings() -> None:
    for name in [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]:
        del os.environ[name]


def _buffer(data: Path, ports: Ports) -> ChildProcess:
    arguments = ["--port", str(ports.buffer), "--admin-port", str(ports.buffer_admin)]
    state = ["--state", str((data / "buffer.json").absolute()), "--token", TOKEN]
    return ChildProcess(
        "The stand-in of Buffer",
        [sys.executable, "-m", "tests.support.buffer", *arguments, *state],
        log=data / "buffer.log",
        cwd=ROOT,
    )


def _addresses(started: Engines, ports: Ports) -> dict[str, str]:
    """The settings that suite and worker share."""
    databases = {
        f"COLONNADE_DATABASES__{name.upper()}__URL": started.database_url(name)
        for name in DATABASES
    }
    return {
        **databases,
        "COLONNADE_REDIS__URL": started.redis_url,
        "COLONNADE_VECTORS__ADDRESS": started.vectors.target,
        "COLONNADE_VECTORS__API_KEY": started.vectors.api_key or "",
        "COLONNADE_BLOBS__URL": started.blob_url,
        "COLONNADE_SCHEDULER__MEDIA_BASE_URL": ports.http_url,
        **{f"COLONNADE_SCHEDULER__{name.upper()}": value for name, value in PACE.items()},
    }


def _suite(data: Path, ports: Ports, environment: Mapping[str, str]) -> ChildProcess:
    folder = str((data / "suite").absolute())
    return ChildProcess(
        "The suite",
        [sys.executable, "-m", "services", "--target=all", "--data", folder],
        log=data / "suite.log",
        cwd=ROOT,
        environment={
            **environment,
            "COLONNADE_GRPC__PORT": str(ports.grpc),
            "COLONNADE_HTTP__PORT": str(ports.http),
            "COLONNADE_WORKER__QUEUES": '["catalog", "clustering"]',
        },
    )


def _worker(data: Path, ports: Ports, environment: Mapping[str, str]) -> ChildProcess:
    """Publishes. A process of its own, so that it can be killed while everything else goes on."""
    folder = str((data / "worker").absolute())
    peers = {f"COLONNADE_PEERS__{name.upper()}": ports.grpc_address for name in SERVICES}
    return ChildProcess(
        "The worker",
        [sys.executable, "-m", "services", "--target=worker", "--data", folder],
        log=data / "worker.log",
        cwd=ROOT,
        environment={
            **environment,
            **peers,
            "COLONNADE_SECRET_FILE": str((data / "suite" / "secret").absolute()),
            "COLONNADE_WORKER__QUEUES": '["scheduler"]',
            "COLONNADE_WORKER__BEAT": "false",
        },
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
