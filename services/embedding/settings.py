"""Settings of the embedding service."""

from pathlib import Path

from pydantic import Field

from libs.settings import Part


class EmbeddingSettings(Part):
    """Which model embeds, and with how much of the machine."""

    models: str | None = None
    """Where models with their cards lie: a folder, or `s3://bucket/prefix` (with `blobs.options`).
    Unset: `models/added` in the data folder. The built-in ones are always there too."""

    model: str | None = Field(None, pattern=r"^(models/)?[a-z0-9][a-z0-9._-]{0,127}$")
    """The model of requests with images that name none. Unset: that of `model_card`."""

    text_model: str | None = Field(None, pattern=r"^(models/)?[a-z0-9][a-z0-9._-]{0,127}$")
    """The model of requests with texts that name none. Unset: MiniLM if it is installed, else
    hashed words."""

    model_card: Path | None = None
    """One more model card (JSON), beside its ONNX file. Unset: the built-in network."""

    max_loaded: int = Field(4, ge=2, le=64)
    """How many models are in memory at most; the least recently used one makes room."""

    idle_minutes: float = Field(15.0, gt=0)
    """After how long a model that nobody uses is unloaded; the default one stays."""

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

    cache_bytes: int = Field(64 * 1024 * 1024, ge=0)
    """Memory for vectors of images and texts that come again; 0 computes each anew."""

    max_bytes: int = Field(50 * 1024 * 1024, ge=1024)
    """The largest image in bytes."""

    max_pixels: int = Field(200_000_000, ge=1)
    """The largest image in pixels."""
