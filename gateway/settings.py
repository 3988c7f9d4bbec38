"""Settings of the gateway."""

import re

from pydantic import Field, SecretStr, field_validator

from gateway.webhooks.signatures import key_of
from libs.names import is_user_id
from libs.settings import Part

_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,39}")
# A shorter key can be guessed, and an empty one needs no guess.
_KEY_BYTES = 16


class GatewaySettings(Part):
    """How REST is served."""

    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024)
    """The largest request body in bytes, uploads aside."""

    max_upload_bytes: int = Field(50 * 1024 * 1024, ge=1024)
    """The largest uploaded file in bytes."""

    max_timeout: float = Field(3600.0, gt=0)
    """The longest time in seconds that a caller may ask for with Grpc-Timeout."""

    webhooks: dict[str, SecretStr] = Field(default_factory=dict)
    """Secrets that senders of webhooks sign with, by source, such as `github`, or for one project,
    such as `acme/github`: 16 bytes or more, behind `whsec_` in base64. A source without a secret is
    not served."""

    max_webhook_bytes: int = Field(5 * 1024 * 1024, ge=1024)
    """The largest webhook in bytes."""

    @field_validator("webhooks")
    @classmethod
    def _check_webhooks(cls, webhooks: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in webhooks.items():
            project, slash, source = name.rpartition("/")
            if not _SOURCE.fullmatch(source) or (slash and not is_user_id(project)):
                raise ValueError(f"{name!r} is neither a source nor a project/source")
            try:
                key = key_of(secret.get_secret_value())
            except ValueError as error:
                raise ValueError(f"the secret of {name}: {error}") from None
            if len(key) < _KEY_BYTES:
                raise ValueError(f"the secret of {name} has less than {_KEY_BYTES} bytes")
        return webhooks
