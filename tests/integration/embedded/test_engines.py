"""What the three engines have in common, on the real programs."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from redis import Redis

from libs.embedded.engine import Engine
from libs.embedded.errors import EngineError, FolderInUse
from libs.embedded.folder import is_alive
from libs.embedded.postgres import PostgresServer
from libs.embedded.qdrant import QdrantAddress, QdrantServer
from libs.embedded.redis import RedisServer
from libs.vectors.index import VectorPoint
from libs.vectors.qdrant import QdrantIndex

POINT = "0190d6c4-7a3e-7cc1-8f00-3d5b6a7c8d9e"


@dataclass(frozen=True, slots=True)
class Kind:
    """One engine: how to make it, write something that must survive, and find it again."""

    make: Callable[[Path], Engine[Any]]
    write: Callable[[Any], None]
    holds: Callable[[Any], bool]


def postgres_write(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept (number int)")
        connection.execute("INSERT INTO kept VALUES (42)")


def postgres_holds(url: str) -> bool:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute("SELECT number FROM kept").fetchall() == [(42,)]


def redis_write(url: str) -> None:
    with Redis.from_url(url) as client:
        client.set("kept", "42")


def redis_holds(url: str) -> bool:
    with Redis.from_url(url) as client:
        return bool(client.get("kept") == b"42")


def qdrant_write(address: QdrantAddress) -> None:
    async def write() -> None:
        async with QdrantIndex(address.target, api_key=address.api_key) as index:
            await index.ensure_collection("kept", 4)
            await index.point_alias("alias", "kept")
            await index.upsert("kept", [VectorPoint(POINT, np.ones(4, np.float32), {"n": 42})])

    asyncio.run(write())


def qdrant_holds(address: QdrantAddress) -> bool:
    async def holds() -> bool:
        async with QdrantIndex(address.target, api_key=address.api_key) as index:
            found = await index.retrieve("alias", [POINT])
            return [point.payload for point in found] == [{"n": 42}]

    return asyncio.run(holds())


KINDS = {
    "postgres": Kind(PostgresServer, postgres_write, postgres_holds),
    "redis": Kind(RedisServer, redis_write, redis_holds),
    "qdrant": Kind(QdrantServer, qdrant_write, qdrant_holds),
}

OWNER = """
import pathlib, sys, time
from libs.embedded.{name} import {server}
engine = {server}(pathlib.Path(sys.argv[1]))
engine.start()
print(engine.child.pid, flush=True)
time.sleep(120)
"""


@pytest.fixture(params=list(KINDS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kind(name: str) -> Kind:
    return KINDS[name]


@pytest.fixture
def engine(kind: Kind, tmp_path: Path) -> Iterator[Engine[Any]]:
    made = kind.make(tmp_path / "data")
    yield made
    made.stop()


@contextmanager
def owned_by_another(name: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that runs the engine on the folder, and the engine's process id."""
    script = OWNER.format(name=name, server=KINDS[name].make.__name__)
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        yield owner, int(owner.stdout.readline())
        owner.kill()


def pid_of(engine: Engine[Any]) -> int:
    assert engine.child is not None and engine.child.pid is not None
    return engine.child.pid


def test_data_and_address_outlive_a_stop_and_a_kill(kind: Kind, engine: Engine[Any]) -> None:
    address = engine.start()
    kind.write(address)
    engine.stop()
    assert engine.child is not None and engine.child.exit_code == 0

    assert engine.start() == address
    assert kind.holds(address)
    killed = pid_of(engine)
    os.kill(killed, signal.SIGKILL)

    assert asyncio.run(engine.exited()) == -signal.SIGKILL
    engine.stop()

    assert engine.start() == address
    assert kind.holds(address)
    assert pid_of(engine) != killed


def test_a_kill_of_the_owner_leaves_no_orphan_and_a_folder_that_opens(
    name: str, kind: Kind, engine: Engine[Any], tmp_path: Path
) -> None:
    kind.write(engine.start())
    engine.stop()
    with owned_by_another(name, tmp_path / "data") as (owner, pid):
        os.kill(owner.pid, signal.SIGKILL)
        # At once, while the old owner and its engine are still going down.
        address = engine.start()

    assert not is_alive(pid)
    assert kind.holds(address)


def test_a_second_suite_on_the_folder_is_told_who_has_it(
    name: str, engine: Engine[Any], tmp_path: Path
) -> None:
    with (
        owned_by_another(name, tmp_path / "data") as (owner, pid),
        pytest.raises(FolderInUse, match=f"{tmp_path}/data is in use by process {owner.pid};"),
    ):
        engine.start()
    assert is_alive(pid) or owner.returncode is not None


def test_a_file_in_place_of_the_data_folder_is_told(engine: Engine[Any], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(EngineError, match="is a file"):
        engine.start()


def test_a_taken_port_is_told_with_the_log(kind: Kind, tmp_path: Path) -> None:
    other = kind.make(tmp_path / "other")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other.port = taken.getsockname()[1]

        with pytest.raises(EngineError, match=r"(?i)already in use"):
            other.start()

    assert other.child is not None and other.child.pid is None


def test_secrets_are_in_no_argument_and_no_readable_file(
    engine: Engine[Any], tmp_path: Path
) -> None:
    address = engine.start()
    secret = (
        address.api_key
        if isinstance(address, QdrantAddress)
        else address.split("@")[0].rsplit(":", 1)[1]
    )
    arguments = Path(f"/proc/{pid_of(engine)}/cmdline").read_bytes()

    assert len(secret) >= 32
    assert secret.encode() not in arguments
    holding = [
        path
        for path in (tmp_path / "data").iterdir()
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert holding
    assert all(path.stat().st_mode & 0o077 == 0 for path in holding)
