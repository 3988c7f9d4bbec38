"""The engines that a suite stands on: given by settings, or started as children."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from libs.embedded.engine import Engine
from libs.embedded.postgres import PostgresServer
from libs.embedded.qdrant import QdrantServer
from libs.embedded.redis import RedisServer
from libs.settings import ENV_PREFIX
from services.settings import Settings

E = TypeVar("E", bound=Engine[Any])
T = TypeVar("T")
DATABASES = ("catalog", "clustering", "scheduler")


@dataclass(frozen=True, slots=True)
class VectorAddress:
    """Where a Qdrant answers gRPC."""

    target: str
    api_key: str | None = None
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the engines are, as far as they are known. URLs hold passwords; never log them.

    Asking for one that is not known raises ValueError naming the setting: a process needs only
    the engines that its modules use.
    """

    databases: Mapping[str, str]
    redis: str | None = None
    qdrant: VectorAddress | None = None
    blobs: str | None = None
    blob_options: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Engine[Any], ...] = ()

    def database_url(self, service: str) -> str:
        """The database of ``service``, with its own role where the suite manages roles."""
        return _known(self.databases.get(service), "database.url")

    @property
    def redis_url(self) -> str:
        """The Redis for streams and queues."""
        return _known(self.redis, "redis.url")

    @property
    def vectors(self) -> VectorAddress:
        """The vector index."""
        return _known(self.qdrant, "vectors.address")

    @property
    def blob_url(self) -> str:
        """The blob store."""
        return _known(self.blobs, "blobs.url")


def _known(value: T | None, setting: str) -> T:
    if value is None:
        name = ENV_PREFIX + setting.upper().replace(".", "__")
        raise ValueError(f"set {setting} ({name}); only --target=all starts engines of its own")
    return value


@contextmanager
def engines(settings: Settings, data: Path) -> Iterator[Engines]:
    """The engines, started where the settings name none, stopped at the end.

    Blocks, and belongs to the main thread before the event loop exists: starting a child forks.
    """
    children: list[Engine[Any]] = []
    with ExitStack() as stack:

        def started(engine: E) -> E:
            stack.enter_context(engine)
            children.append(engine)
            return engine

        yield Engines(
            databases=_databases(settings, lambda: started(PostgresServer(data / "postgres"))),
            redis=_plain(settings.redis.url) or started(RedisServer(data / "redis")).url,
            qdrant=_given_vectors(settings) or _own(started(QdrantServer(data / "vectors"))),
            blobs=settings.blobs.url or f"file://{(data / 'blobs').absolute()}",
            blob_options=_blob_options(settings),
            children=tuple(children),
        )


def _blob_options(settings: Settings) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in settings.blobs.options.items()}


def _databases(settings: Settings, start: Callable[[], PostgresServer]) -> dict[str, str]:
    given = _given_databases(settings)
    if len(given) == len(DATABASES):
        return given
    server = start()
    return {name: given.get(name) or server.ensure_service(name) for name in DATABASES}


def _given_databases(settings: Settings) -> dict[str, str]:
    urls = {name: settings.database_url(name) for name in DATABASES}
    return {name: url for name, url in urls.items() if url}


def _given_vectors(settings: Settings) -> VectorAddress | None:
    if not settings.vectors.address:
        return None
    key = _plain(settings.vectors.api_key)
    return VectorAddress(settings.vectors.address, key, settings.vectors.tls)


def _own(server: QdrantServer) -> VectorAddress:
    address = server.address
    return VectorAddress(address.target, address.api_key)


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def given_engines(settings: Settings) -> Engines:
    """The engines that the settings name, for a process that starts none."""
    return Engines(
        databases=_given_databases(settings),
        redis=_plain(settings.redis.url),
        qdrant=_given_vectors(settings),
        blobs=settings.blobs.url,
        blob_options=_blob_options(settings),
    )
