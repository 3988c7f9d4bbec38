"""Settings of the gateway."""

from pydantic import Field, SecretStr

from libs.settings import Part


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
    such as `acme/github`. A source without a secret is not served."""

    max_webhook_bytes: int = Field(5 * 1024 * 1024, ge=1024)
    """The largest webhook in bytes."""
