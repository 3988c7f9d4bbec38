"""All settings of a suite: one field for each part, each part beside what it configures."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gateway.settings import GatewaySettings
from libs.llm.settings import LanguageModelSettings, VisionModelSettings
from libs.settings import (
    ENV_PREFIX,
    AuthSettings,
    BlobSettings,
    DatabaseSettings,
    ListenSettings,
    LogSettings,
    Part,
    RedisSettings,
    VectorSettings,
)
from services.catalog.settings import CatalogSettings
from services.clustering.settings import ClusteringSettings
from services.embedding.settings import EmbeddingSettings
from services.scheduler.settings import SchedulerSettings

GRPC_PORTS = {
    "all": 50051,
    "catalog": 50051,
    "embedding": 50052,
    "clustering": 50053,
    "scheduler": 50054,
}
HTTP_PORTS = {"all": 8080, "gateway": 8080}
Queue = Literal["catalog", "clustering", "scheduler"]


class PeerSettings(Part):
    """Where the services are when they do not share a process: ``host:port`` or ``dns:///…``."""

    catalog: str = "127.0.0.1:50051"
    """Where the catalog service takes gRPC."""

    embedding: str = "127.0.0.1:50052"
    """Where the embedding service takes gRPC."""

    clustering: str = "127.0.0.1:50053"
    """Where the clustering service takes gRPC."""

    scheduler: str = "127.0.0.1:50054"
    """Where the scheduler service takes gRPC."""


class DatabaseOverrides(Part):
    """Databases of single services, where they differ from ``database``."""

    catalog: DatabaseSettings = DatabaseSettings()
    clustering: DatabaseSettings = DatabaseSettings()
    scheduler: DatabaseSettings = DatabaseSettings()


class GrpcSettings(ListenSettings):
    """Where gRPC is taken. Port 0 takes a free one; no port is the target's usual one."""

    reflection: bool | None = None
    """Whether anybody who reaches it is told the contracts (`grpcurl … list`). Unset: only where no
    key is needed."""

    def reflects(self, *, with_keys: bool) -> bool:
        """Whether the contracts are told by a server that asks for keys, or not."""
        return self.reflection if self.reflection is not None else not with_keys


class WorkerSettings(Part):
    """How background jobs run. Exactly one process of an installation runs beat."""

    concurrency: int = Field(4, ge=1, le=64)
    """Jobs that run at a time."""

    queues: tuple[Queue, ...] = ()
    """Whose jobs this process runs, such as `["scheduler"]`; none named: all. What is left out
    needs a worker elsewhere."""

    beat: bool = True
    """Whether this process sends what is due periodically."""


class Settings(BaseSettings):
    """Environment (``COLONNADE_CATALOG__MAX_PIXELS=…``) over a TOML file over the defaults."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    env: str = Field("dev", pattern="^[a-z][a-z0-9-]{0,30}$")
    """Names the streams, so that two suites can share a Redis."""

    data: Path = Path(".data/suite")
    """The folder for engines, blobs, models and secrets."""

    secret_file: Path | None = None
    """What page tokens are signed and credentials sealed with; unset: made in the data folder.
    Separate processes must share one."""

    shutdown_delay: float = Field(0.0, ge=0)
    """Seconds to answer "not ready" before taking no more calls, so that balancers notice."""

    grace: float = Field(10.0, ge=0)
    """Seconds that running calls get to end when the process is told to stop."""

    log: LogSettings = LogSettings()
    auth: AuthSettings = AuthSettings()
    grpc: GrpcSettings = GrpcSettings()
    http: ListenSettings = ListenSettings()
    peers: PeerSettings = PeerSettings()
    database: DatabaseSettings = DatabaseSettings()
    databases: DatabaseOverrides = DatabaseOverrides()
    redis: RedisSettings = RedisSettings()
    vectors: VectorSettings = VectorSettings()
    blobs: BlobSettings = BlobSettings()
    llm: LanguageModelSettings = LanguageModelSettings()
    vision: VisionModelSettings = VisionModelSettings()
    worker: WorkerSettings = WorkerSettings()
    catalog: CatalogSettings = CatalogSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    clustering: ClusteringSettings = ClusteringSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    gateway: GatewaySettings = GatewaySettings()

    def database_url(self, service: str) -> str | None:
        """The database that the settings name for ``service``, if they do."""
        own: DatabaseSettings = getattr(self.databases, service)
        url = own.url or self.database.url
        return url.get_secret_value() if url else None

    def database_of(self, service: str) -> DatabaseSettings:
        """How ``service`` reaches its database: what is set for it alone over what is for all."""
        own: DatabaseSettings = getattr(self.databases, service)
        given = {name: getattr(own, name) for name in own.model_fields_set}
        return self.database.model_copy(update=given)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment."""
        return init_settings, env_settings


def load_settings(file: Path | None, **overrides: Any) -> Settings:
    """The settings of this process. ``overrides`` (from the command line) win over all else.

    Raises pydantic's ValidationError naming each wrong setting, OSError for a missing file, and
    ValueError for one that is no TOML.
    """
    if file is None:
        return Settings(**overrides)
    if not file.is_file():
        raise FileNotFoundError(f"there is no settings file {file}")

    class WithFile(Settings):
        # Nobody asks it what the settings mean, for which this source would be read again.
        model_config = SettingsConfigDict(use_attribute_docstrings=False)

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            arguments, environment = named["init_settings"], named["env_settings"]
            return arguments, environment, TomlConfigSettingsSource(settings_cls, file)

    try:
        return WithFile(**overrides)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no TOML: {error}") from error
