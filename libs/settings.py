"""Settings: typed parts, each beside what it configures; environment over file over defaults."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

ENV_PREFIX = "COLONNADE_"


class UnusableSettings(ValueError):
    """The settings ask for what this machine does not have; the process ends with exit code 2."""


class Part(BaseModel):
    """A group of settings. Frozen; an unknown name is an error, so a typing mistake is found."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LogSettings(Part):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least serious messages that are shown."""

    style: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""


class ListenSettings(Part):
    """Where a server listens. Port 0 takes a free one; no port is the target's usual one."""

    host: str = "127.0.0.1"
    """The address. Any other than loopback needs API keys."""

    port: int | None = Field(None, ge=0, le=65535)
    """The port."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("127.0.0.1", "::1", "localhost")


class AuthSettings(Part):
    """Who may call. Without a keys file the suite listens on loopback only."""

    keys_file: Path | None = None
    """Lines that `colonnade keys create` writes: holder, scopes, hash of the key."""

    internal_key_file: Path | None = None
    """The key with which separate processes call each other; one process makes one up."""


class DatabaseSettings(Part):
    """A PostgreSQL server. Unset: the suite starts its own."""

    url: SecretStr | None = None
    """`postgresql+psycopg://user:password@host:port/name`."""

    pool_size: int = Field(4, ge=1, le=100)
    """Connections that each part of the suite keeps for transactions; about as many again for
    reads."""

    timeout: float = Field(5.0, ge=1, le=3600)
    """Seconds at most for each wait of a call: for a free connection, for the server to take a new
    one, and for a statement."""


class RedisSettings(Part):
    """A Redis server, 6.2 or later. Unset: the suite starts its own."""

    url: SecretStr | None = None
    """`redis://` or `rediss://`, with the password."""


class VectorSettings(Part):
    """A Qdrant server's gRPC address, ``host:port``. Unset: the suite starts its own."""

    address: str | None = None
    """`host:port` of its gRPC port, usually 6334."""

    api_key: SecretStr | None = None
    """Its API key, if it wants one."""

    tls: bool = False
    """Whether to encrypt."""


class BlobSettings(Part):
    """Where bytes are kept: ``file:///path`` or ``s3://bucket/prefix``. Unset: the data folder."""

    url: str | None = None
    """`file:///folder` or `s3://bucket/prefix`."""

    options: dict[str, SecretStr] = Field(default_factory=dict)
    """Settings of the S3 client: `endpoint`, `region`, `access_key_id`, `secret_access_key`."""


def problems_of(error: ValidationError) -> str:
    """Each wrong setting and why, without its value: that may be a secret."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    )


def differences(settings: BaseModel, defaults: BaseModel) -> dict[str, Any]:
    """What of ``settings`` is not as by default, secrets masked."""
    shown, usual = settings.model_dump(mode="json"), defaults.model_dump(mode="json")
    return _difference(shown, usual)


def _difference(shown: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in shown.items():
        other = usual.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            if inner := _difference(value, other):
                result[key] = inner
        elif value != other:
            result[key] = value
    return result
