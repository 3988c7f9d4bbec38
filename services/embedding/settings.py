"""Settings of the embedding service."""

from pathlib import Path

from pydantic import Field

from libs.settings import Part


class EmbeddingSettings(Part):
    """Which model embeds, and with how much of the machine."""

    # A model card (JSON) beside its ONNX file. Unset: the built-in network.
    model_card: Path | None = None
    # Whether a machine without a usable GPU is an error.
    require_gpu: bool = False
    # Threads of one inference; 0 means as many as there are cores.
    threads: int = Field(0, ge=0, le=256)
    # Threads that decode images; 0 means as many as there are cores.
    decode_threads: int = Field(0, ge=0, le=256)
    # The largest batch given to the model.
    max_batch: int = Field(8, ge=1, le=256)
    # How long an image waits for others, in milliseconds.
    max_wait_millis: float = Field(5.0, ge=0, le=1000)
    # How many images may wait; more are refused with a hint when to retry.
    queue_size: int = Field(256, ge=1)
    # The largest image in bytes.
    max_bytes: int = Field(50 * 1024 * 1024, ge=1024)
    # The largest image in pixels.
    max_pixels: int = Field(200_000_000, ge=1)
