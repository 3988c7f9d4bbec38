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

    analyze_every: float = Field(10.0, gt=0)
    """Seconds between two looks for photos with measures that are still to be made."""

    filing_confidence: float = Field(0.7, ge=0, le=1)
    """How sure a pillar must be, 0 to 1, to file a photo that came without one; the others wait in
    the inbox."""

    filing_every: float = Field(60.0, gt=0)
    """Seconds between two looks for photos that were left without a proposal of a pillar."""

    suggest_attempts: int = Field(3, ge=1)
    """How often a batch of suggestions is tried that is interrupted by what is not its fault."""

    suggest_sweep_every: float = Field(5.0, gt=0)
    """Seconds between two looks for batches of suggestions that wait for a worker."""

    sweep_every: float = Field(24 * 3600.0, gt=0)
    """Seconds between two searches for blobs that no photo uses."""

    sweep_grace: float = Field(24 * 3600.0, ge=0)
    """Seconds for which a blob stays after it was first found unused; longer than any upload."""

    vote_confidence: float = Field(0.6, ge=0.5, le=1)
    """How probable it must be, 0.5 to 1, that the leader of a run is its best candidate, for voting
    to end; at 1 every pair is asked."""
