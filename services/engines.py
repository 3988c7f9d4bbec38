"""The engines that a suite stands on: given by settings, or started as children."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from libs.embedded.engine import Engine
from libs.embedded.postgres import PostgresServer
from libs.embedded.qdrant import QdrantServer
from libs.embedded.redis import RedisServer
from services.settings import Settings

E = TypeVar("E", bound=Engine[Any])
DATABASES = ("catalog", "clustering", "scheduler")


@dataclass(frozen=True, slots=True)
class VectorAddress:
    """Where a Qdrant answers gRPC."""

    target: str
    api_key: str | None = None
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the engines are. URLs hold passwords; never log them."""

    databases: Mapping[str, str]
    redis_url: str
    vectors: VectorAddress
    blob_url: str
    blob_options: Mapping[str, str]
    children: tuple[Engine[Any], ...] = ()

    def database_url(self, service: str) -> str:
        """The database of ``service``, with its own role where the suite manages roles."""
        return self.databases[service]


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
            redis_url=_plain(settings.redis.url) or started(RedisServer(data / "redis")).url,
            vectors=_given_vectors(settings) or _own(started(QdrantServer(data / "vectors"))),
            blob_url=settings.blobs.url or f"file://{(data / 'blobs').absolute()}",
            blob_options=settings.blobs.options,
            children=tuple(children),
        )


def _databases(settings: Settings, start: Callable[[], PostgresServer]) -> dict[str, str]:
    given = {name: settings.database_url(name) for name in DATABASES}
    if all(given.values()):
        return {name: url for name, url in given.items() if url}
    server = start()
    return {name: url or server.ensure_service(name) for name, url in given.items()}


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


def required(settings: Settings) -> Engines:
    """The engines of a process that starts none. Raises ValueError naming what is not set."""
    databases = {name: settings.database_url(name) or "" for name in DATABASES}
    redis = _plain(settings.redis.url)
    missing = [f"{name}.database.url" for name, url in databases.items() if not url]
    missing += [] if redis else ["redis.url"]
    missing += [] if settings.vectors.address else ["vectors.address"]
    missing += [] if settings.blobs.url else ["blobs.url"]
    if missing:
        raise ValueError(
            f"set {', '.join(missing)} (COLONNADE_DATABASE__URL and so on); "
            "only --target=all starts engines of its own"
        )
    vectors = _given_vectors(settings)
    assert vectors is not None
    return Engines(
        databases, redis or "", vectors, settings.blobs.url or "", settings.blobs.options
    )
