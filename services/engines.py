"""The engines that a suite stands on: given by settings, or started as children."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from libs.embedded.postgres import PostgresServer
from libs.embedded.qdrant import QdrantServer
from libs.embedded.redis import RedisServer
from services.settings import Settings

DATABASES = ("catalog", "clustering", "scheduler")


@dataclass(frozen=True, slots=True)
class VectorAddress:
    """Where a Qdrant answers gRPC."""

    host: str
    port: int
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

    def database_url(self, service: str) -> str:
        """The database of ``service``, with its own role where the suite manages roles."""
        return self.databases[service]


@contextmanager
def engines(settings: Settings, data: Path) -> Iterator[Engines]:
    """The engines, started where the settings name none, stopped at the end.

    Blocks, and belongs to the main thread before the event loop exists: starting a child forks.
    """
    with ExitStack() as stack:
        yield Engines(
            databases=_databases(stack, settings, data),
            redis_url=_redis(stack, settings, data),
            vectors=_vectors(stack, settings, data),
            blob_url=settings.blobs.url or f"file://{(data / 'blobs').absolute()}",
            blob_options=settings.blobs.options,
        )


def _databases(stack: ExitStack, settings: Settings, data: Path) -> dict[str, str]:
    own = {name: settings.database_url(name) for name in DATABASES}
    if all(own.values()):
        return {name: url for name, url in own.items() if url}
    server = stack.enter_context(PostgresServer(data / "postgres"))
    return {name: url or server.ensure_service(name) for name, url in own.items()}


def _redis(stack: ExitStack, settings: Settings, data: Path) -> str:
    url = _plain(settings.redis.url)
    return url or stack.enter_context(RedisServer(data / "redis")).url


def _vectors(stack: ExitStack, settings: Settings, data: Path) -> VectorAddress:
    if settings.vectors.address:
        host, _, port = settings.vectors.address.rpartition(":")
        key = _plain(settings.vectors.api_key)
        return VectorAddress(host, int(port), key, settings.vectors.tls)
    server = QdrantServer(data / "vectors")
    address = server.start()
    stack.callback(server.stop)
    return VectorAddress(address.host, address.grpc_port, address.api_key)


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
    with ExitStack() as stack:
        return Engines(
            databases,
            redis or "",
            _vectors(stack, settings, Path()),
            settings.blobs.url or "",
            settings.blobs.options,
        )
