"""``python -m services --target=…``: the one way to start any part of the suite."""

import argparse
import asyncio
import ctypes
import json
import logging
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from libs.app import App, closure
from libs.clock import SystemClock
from libs.embedded.errors import EngineError
from libs.embedded.supervise import supervise
from libs.errors import ColonnadeError
from libs.rpc.auth import Authenticator, read_keys
from libs.rpc.server import RpcServer
from libs.settings import UnusableSettings, differences, problems_of
from libs.telemetry import Metrics, set_up_logging
from services.engines import Engines, engines, given_engines
from services.migrate import migrate
from services.process import Process
from services.settings import GRPC_PORTS, HTTP_PORTS, Settings, load_settings
from services.socket_folder import socket_folder
from services.targets import MODULES, TARGETS

log = logging.getLogger("services")
USAGE_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one target until it is told to stop; the exit code."""
    arguments = _parse(argv)
    try:
        settings = _settings(arguments)
    except ValidationError as error:
        return _refuse(f"the settings are not usable: {problems_of(error)}")
    except (OSError, ValueError) as error:
        return _refuse(f"the settings are not usable: {error}")
    if arguments.print_config:
        print(json.dumps(differences(settings, Settings.model_construct()), indent=2))
        return 0
    if problem := _exposed(settings):
        return _refuse(problem)
    if arguments.check_config:
        return 0
    set_up_logging(settings.log.level, settings.log.style)
    _spare_memory()
    try:
        return _run(arguments.target, settings)
    except UnusableSettings as error:
        return _refuse(str(error))
    except (EngineError, OSError, ValueError, ColonnadeError) as error:
        return _refuse(str(error), code=1)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, default="all", help="what to run")
    parser.add_argument("--config", type=Path, help="a TOML file with settings")
    parser.add_argument("--data", type=Path, help="the data folder")
    parser.add_argument("--print-config", action="store_true", help="show what is not default")
    parser.add_argument("--check-config", action="store_true", help="check the settings and end")
    return parser.parse_args(argv)


def _settings(arguments: argparse.Namespace) -> Settings:
    overrides = {"data": arguments.data} if arguments.data else {}
    settings = load_settings(arguments.config, **overrides)
    grpc, http = settings.grpc, settings.http
    if grpc.port is None:
        grpc = grpc.model_copy(update={"port": GRPC_PORTS.get(arguments.target)})
    if http.port is None:
        http = http.model_copy(update={"port": HTTP_PORTS.get(arguments.target)})
    return settings.model_copy(update={"grpc": grpc, "http": http})


def _exposed(settings: Settings) -> str | None:
    """Why the settings would open the suite to the network without keys, if they would."""
    for name, listen in (("grpc.host", settings.grpc), ("http.host", settings.http)):
        if not listen.is_loopback and settings.auth.keys_file is None:
            return (
                f"{name} is {listen.host}, which others can reach, but there are no API keys. "
                "Make one with `colonnade keys create` and set auth.keys_file, or listen on "
                "127.0.0.1"
            )
    return None


def _refuse(problem: str, code: int = USAGE_ERROR) -> int:
    print(f"colonnade: {problem}", file=sys.stderr)
    return code


def _spare_memory() -> None:
    """Two arenas for all threads: with one each, memory that decoding freed is never given back."""
    m_arena_max = -8
    with suppress(AttributeError, OSError):  # a C library other than glibc has no such thing
        ctypes.CDLL(None).mallopt(m_arena_max, 2)


def _run(target: str, settings: Settings) -> int:
    data = settings.data.absolute()
    if target == "all":
        data.mkdir(parents=True, exist_ok=True)
        with engines(settings, data) as started, socket_folder() as folder:
            migrate(started)
            asyncio.run(_serve(target, settings, started, folder / "suite.sock"))
        return 0
    if target == "migrate":
        migrate(given_engines(settings))
        return 0
    asyncio.run(_serve(target, settings, given_engines(settings), None))
    return 0


async def _serve(target: str, settings: Settings, started: Engines, socket: Path | None) -> None:
    authenticator, internal_key = _authentication(settings, alone=socket is not None)
    metrics = Metrics()
    reflects = settings.grpc.reflects(with_keys=settings.auth.keys_file is not None)
    rpc = RpcServer(authenticator, metrics.rpc, reflects=reflects)
    app = App(settings, settings.data.absolute(), SystemClock(), rpc, metrics)
    app.share(started)
    app.share(Process(target, socket, internal_key))
    for engine in started.children:
        app.loop(f"supervisor of {type(engine).__name__}", partial(supervise, engine))
    addresses = [f"{settings.grpc.host}:{settings.grpc.port}"] if settings.grpc.port else []
    if socket is not None:
        addresses.append(f"unix:{socket}")
    modules = closure(MODULES, target)
    await app.run(modules, addresses, grace=settings.grace, delay=settings.shutdown_delay)


def _authentication(settings: Settings, *, alone: bool) -> tuple[Authenticator, str]:
    """Who may call, and the key with which the services call each other.

    A suite in one process makes a key up for itself; separate processes share one by a file.
    """
    auth = settings.auth
    if auth.keys_file is None:
        return Authenticator(), ""
    keys = read_keys(auth.keys_file)
    if not keys:
        raise ValueError(
            f"there is no key in {auth.keys_file}; make one with `colonnade keys create`"
        )
    if auth.internal_key_file is not None:
        internal = auth.internal_key_file.read_text().strip()
    elif alone:
        internal = secrets.token_urlsafe(32)
    else:
        raise ValueError("set auth.internal_key_file: with API keys the services need one too")
    return Authenticator(keys, internal), internal


if __name__ == "__main__":
    sys.exit(main())
