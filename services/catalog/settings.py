"""Settings of the catalog service."""

from pydantic import Field

from libs.settings import Part


class CatalogSettings(Part):
    """Settings of the catalog service."""

    max_bytes: int = Field(50 * 1024 * 1024, ge=1, le=1024 * 1024 * 1024)
    """The largest photo file that is accepted, in bytes."""

    max_pixels: int = Field(200_000_000, ge=1)
    """The largest picture that is accepted, in pixels (width times height)."""

    spool_bytes: int = Field(1024 * 1024, ge=0)
    """How much of an upload is kept in memory; the rest goes to a temporary file."""

    decode_threads: int | None = Field(None, ge=1, le=64)
    """How many pictures are decoded at a time. Unset: one for each core."""

    sweep_every: float = Field(24 * 3600.0, gt=0)
    """Seconds between two searches for blobs that no photo uses."""

    sweep_grace: float = Field(24 * 3600.0, ge=0)
    """Seconds for which a blob stays after it was first found unused; longer than any upload."""
