"""The two processes that the demo starts: the suite, and a stand-in of Buffer."""

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.embedded.child import ChildProcess

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "demo-token-of-the-stand-in"
START_TIMEOUT = 120.0


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
        buffer = kept.get("buffer") or _free_port()
        admin = kept.get("buffer_admin") or _free_port()
        if kept != (wanted := {"buffer": buffer, "buffer_admin": admin}):
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(".new")
            draft.write_text(json.dumps(wanted))
            draft.rename(file)
        return cls(grpc, http, buffer, admin)

    @property
    def grpc_address(self) -> str:
        """Where gRPC clients go."""
        return f"127.0.0.1:{self.grpc}"

    @property
    def http_url(self) -> str:
        """Where REST clients and browsers go."""
        return f"http://127.0.0.1:{self.http}"

    @property
    def buffer_url(self) -> str:
        """Where the stand-in takes GraphQL."""
        return f"http://127.0.0.1:{self.buffer}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(data: Path, ports: Ports) -> Iterator[ChildProcess]:
    """Stand-in and suite, both ready. They end with the block, and with this process.

    Raises EngineError with the end of the log of what does not come up.
    """
    data.mkdir(parents=True, exist_ok=True)
    buffer, suite = _buffer(data, ports), _suite(data, ports)
    try:
        buffer.start()
        suite.start()
        buffer.wait_ready(lambda: "Buffer stand-in on" in buffer.output(), START_TIMEOUT)
        suite.wait_ready(lambda: _answers(f"{ports.http_url}/readyz"), START_TIMEOUT)
        yield suite
    finally:
        suite.stop(bound=30)
        buffer.stop()


def _buffer(data: Path, ports: Ports) -> ChildProcess:
    arguments = ["--port", str(ports.buffer), "--admin-port", str(ports.buffer_admin)]
    state = ["--state", str((data / "buffer.json").absolute()), "--token", TOKEN]
    return ChildProcess(
        "The stand-in of Buffer",
        [sys.executable, "-m", "tests.support.buffer", *arguments, *state],
        log=data / "buffer.log",
        cwd=ROOT,
    )


def _suite(data: Path, ports: Ports) -> ChildProcess:
    folder = str((data / "suite").absolute())
    return ChildProcess(
        "The suite",
        [sys.executable, "-m", "services", "--target=all", "--data", folder],
        log=data / "suite.log",
        cwd=ROOT,
        environment={
            **os.environ,
            "COLONNADE_GRPC__PORT": str(ports.grpc),
            "COLONNADE_HTTP__PORT": str(ports.http),
            "COLONNADE_SCHEDULER__MEDIA_BASE_URL": ports.http_url,
            # What is due goes out after seconds: nobody wants to watch half a minute of nothing.
            "COLONNADE_SCHEDULER__OVERDUE_LEAD": "5",
        },
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def buffer_state(ports: Ports) -> dict[str, Any]:
    """What the stand-in has: channels, posts, and how often it was asked to create one."""
    address = f"http://127.0.0.1:{ports.buffer_admin}/state"
    with urllib.request.urlopen(address, timeout=10) as response:
        state: dict[str, Any] = json.load(response)
    return state
