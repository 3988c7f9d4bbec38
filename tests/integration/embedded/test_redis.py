"""What is Redis' own: the key at the door and that nothing is dropped."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import AuthenticationError, ConnectionError, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from libs.embedded.redis import RedisServer
from libs.embedded.supervise import supervise
from tests.support.wait import eventually

ONCE = Retry(NoBackoff(), 0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as started:
        yield started


def test_nobody_enters_without_the_password(server: RedisServer) -> None:
    assert server.port is not None
    with Redis(port=server.port, retry=ONCE) as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


def test_it_keeps_everything_and_writes_it_down(server: RedisServer) -> None:
    with Redis.from_url(server.url, decode_responses=True) as client:
        settings = client.config_get("*")

    assert settings["maxmemory-policy"] == "noeviction"
    assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "everysec")
    assert settings["bind"] == "127.0.0.1"


def test_a_folder_with_spaces_and_quotes(tmp_path: Path) -> None:
    with RedisServer(tmp_path / 'my "best" folder') as server:
        with Redis.from_url(server.url) as client:
            client.set("a", 1)
        assert (server.data / "appendonly.aof").exists()


class Waiting(RedisServer):
    """Starts anew only when the loop, which has to go on meanwhile, lets it."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.begun, self.gate = threading.Event(), threading.Event()

    def _open(self) -> str:
        if self.child is not None:
            self.begun.set()
            assert self.gate.wait(60), "the loop stands still"
        return super()._open()


async def test_one_that_dies_comes_back_at_its_address_and_the_loop_goes_on(
    tmp_path: Path,
) -> None:
    with Waiting(tmp_path / "redis") as server:
        address, first = server.url, server.child
        assert first is not None and first.pid is not None
        supervisor = asyncio.create_task(supervise(server))
        os.kill(first.pid, signal.SIGKILL)

        async def is_starting() -> bool:
            return server.begun.is_set()

        async def answers() -> bool:
            with suppress(ConnectionError), Redis.from_url(address, retry=ONCE) as client:
                return bool(client.ping())
            return False

        await eventually(is_starting)
        server.gate.set()
        await eventually(answers)
        assert server.child is not first
        assert server.url == address
        supervisor.cancel()
        await asyncio.gather(supervisor, return_exceptions=True)
