"""What is Redis' own: the key at the door and that nothing is dropped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import AuthenticationError, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from libs.embedded.redis import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as started:
        yield started


def test_nobody_enters_without_the_password(server: RedisServer) -> None:
    once = Retry(NoBackoff(), 0)
    assert server.port is not None
    with Redis(port=server.port, retry=once) as stranger, pytest.raises(AuthenticationError):
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
