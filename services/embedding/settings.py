"""Settings of the embedding service."""

from pathlib import Path

from pydantic import Field

from libs.settings import Part


class EmbeddingSettings(Part):
    """Which model embeds, and with how much of the machine."""

    model_card: Path | None = None
    """A model card (JSON) beside its ONNX file. Unset: the built-in network."""

    require_gpu: bool = False
    """Whether a machine without a usable GPU is an error."""

    threads: int = Field(0, ge=0, le=256)
    """Threads of one inference; 0 means as many as there are cores."""

    decode_threads: int = Field(0, ge=0, le=256)
    """Threads that decode images; 0 means as many as there are cores."""

    max_batch: int = Field(8, ge=1, le=256)
    """The largest batch given to the model."""

    max_wait_millis: float = Field(5.0, ge=0, le=1000)
    """How long an image waits for others, in milliseconds."""

    queue_size: int = Field(256, ge=1)
    """How many images may wait; more are refused with a hint when to retry."""

    max_bytes: int = Field(50 * 1024 * 1024, ge=1024)
    """The largest image in bytes."""

    max_pixels: int = Field(200_000_000, ge=1)
    """The largest image in pixels."""
