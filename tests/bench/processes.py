"""Processes under measurement."""

import os
import socket
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.embedded.child import ChildProcess
from libs.embedded.postgres import PostgresServer
from libs.embedded.qdrant import QdrantServer
from libs.embedded.redis import RedisServer
from services.engines import DATABASES

ROOT = Path(__file__).resolve().parents[2]
START = 60.0


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True, slots=True)
class Running:
    """A process and where it listens."""

    child: ChildProcess
    grpc: str
    http: str


@contextmanager
def service(target: str, data: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    """One target of the suite, ready."""
    grpc, http = free_port(), free_port()
    data.mkdir(parents=True, exist_ok=True)
    child = ChildProcess(
        f"target {target}",
        [sys.executable, "-m", "services", f"--target={target}", "--data", data],
        log=data / f"{target}.log",
        cwd=ROOT,
        environment={
            **os.environ,
            "COLONNADE_GRPC__PORT": str(grpc),
            "COLONNADE_HTTP__PORT": str(http),
            **environment,
        },
    )
    child.start()
    try:
        child.wait_ready(lambda: answers(f"http://127.0.0.1:{http}/readyz"), START)
        yield Running(child, f"127.0.0.1:{grpc}", f"127.0.0.1:{http}")
    finally:
        child.stop()


@contextmanager
def engines(data: Path) -> Iterator[dict[str, str]]:
    """Engines of their own for single services; the settings that name them."""
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(data / "postgres"))
        redis = stack.enter_context(RedisServer(data / "redis"))
        vectors = stack.enter_context(QdrantServer(data / "vectors"))
        yield {
            "COLONNADE_REDIS__URL": redis.url,
            "COLONNADE_VECTORS__ADDRESS": vectors.address.target,
            "COLONNADE_VECTORS__API_KEY": vectors.address.api_key or "",
            "COLONNADE_BLOBS__URL": f"file://{data / 'blobs'}",
            **{
                f"COLONNADE_DATABASES__{name.upper()}__URL": postgres.ensure_service(name)
                for name in DATABASES
            },
        }


@contextmanager
def module(name: str, data: Path, *arguments: str) -> Iterator[ChildProcess]:
    """``python -m name``, ready when it has written ``ready``."""
    data.mkdir(parents=True, exist_ok=True)
    child = ChildProcess(
        name, [sys.executable, "-m", name, *arguments], log=data / f"{name}.log", cwd=ROOT
    )
    child.start()
    try:
        child.wait_ready(lambda: "ready" in child.output(), START)
        yield child
    finally:
        child.stop()


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def resident_bytes(pid: int) -> int:
    """Memory of a process and its descendants, what they share counted once (PSS)."""
    total = 0
    for process in (pid, *_descendants(pid)):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _descendants(int(child))
