"""The real engines that integration tests run on; one of each a session.

A fresh database costs about 50 ms, so every module gets its own. A service that needs its schema in
it prepares a template once: ``databases.fresh("catalog", prepare)``.
"""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from redis.asyncio import Redis

from libs.db.engine import Database
from libs.embedded.postgres import UNSAFE_FOR_TESTS, PostgresServer
from libs.embedded.qdrant import QdrantAddress, QdrantServer
from libs.embedded.redis import RedisServer
from libs.events.connection import open_redis


def patient(url: str, **sizes: int) -> Database:
    """A database that waits a minute for connections and statements, as the machine may be busy."""
    return Database(url, application_name="tests", pool_timeout=60, statement_timeout=60, **sizes)


class Databases:
    """Makes and drops throw-away databases on one server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._made: list[str] = []
        self._templates: set[str] = set()

    def fresh(self, template: str = "", prepare: Callable[[str], None] | None = None) -> str:
        """The owner's URL of a new database: empty, or a copy of what ``prepare(url)`` made once.

        ``prepare`` must leave no connection open.
        """
        source = "template1"
        if prepare is not None:
            source = f"template_{template}"
            if source not in self._templates:
                prepare(self._make(source, "template1"))
                self._templates.add(source)
        return self._make(f"test_{len(self._made)}", source)

    def url_of(self, role: str, url: str) -> str:
        """The URL of a service's role (see ``PostgresServer.ensure_service``) in that database."""
        return self._server.url_of(role, database=url.rsplit("/", 1)[1])

    def drop_all(self) -> None:
        for name in self._made:
            self._server.drop_database(name)

    def _make(self, name: str, template: str) -> str:
        self._server.create_database(name, template=template)
        self._made.append(name)
        return self._server.url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    settings = {**UNSAFE_FOR_TESTS, "max_connections": "200"}
    with PostgresServer(tmp_path_factory.mktemp("postgres"), settings=settings) as server:
        yield server


@pytest.fixture(scope="session")
def databases(postgres: PostgresServer) -> Iterator[Databases]:
    made = Databases(postgres)
    yield made
    made.drop_all()


@pytest.fixture(scope="module")
def database_url(databases: Databases) -> str:
    """A fresh, empty database for this module; the URL is the owner's."""
    return databases.fresh()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of the session. A test that stops Redis takes ``own_redis`` instead."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for one test, which may stop and start it: the port stays the same."""
    with RedisServer(tmp_path_factory.mktemp("own-redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the session's Redis, emptied before the test."""
    client = open_redis(redis_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def qdrant_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantAddress]:
    """The edge server of the session; a test makes collections of its own, or filters."""
    server = QdrantServer(tmp_path_factory.mktemp("qdrant"))
    yield server.start()
    server.stop()
