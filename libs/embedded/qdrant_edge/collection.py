"""One collection: one shard of the engine in one folder."""

import json
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import qdrant_edge as edge

from libs.embedded.qdrant_edge.errors import invalid, missing

Answer = TypeVar("Answer")

# Below this many vectors comparing with all of them is fast enough (about 1 ms at 10 000).
SMALLEST_INDEX = 20_000
IDLE_SECONDS = 20.0

DISTANCES = {
    "Cosine": edge.Distance.Cosine,
    "Euclid": edge.Distance.Euclid,
    "Dot": edge.Distance.Dot,
    "Manhattan": edge.Distance.Manhattan,
}


class Collection:
    """Reads may run side by side; writes, flushes and the end of it come one at a time."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        vectors = json.loads((folder / "edge_config.json").read_text())["vectors"][""]
        self.dimension: int = vectors["size"]
        self.distance: str = vectors["distance"]
        self._shard = edge.EdgeShard.load(str(folder))
        self._writing = threading.Lock()
        self._closed = False
        self._unsaved = False
        self._last_use = time.monotonic()

    @classmethod
    def create(cls, name: str, folder: Path, dimension: int, distance: str) -> Self:
        """Made beside its place and then moved there, so that a half-made one is never loaded."""
        draft = folder.with_name(f".{folder.name}.new")
        # The engine builds its approximate index only past this size, given in kilobytes.
        threshold = SMALLEST_INDEX * dimension * 4 // 1024
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=dimension, distance=DISTANCES[distance]),
            hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=threshold),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=threshold),
        )
        edge.EdgeShard.create(str(draft), config).close()
        draft.rename(folder)
        return cls(name, folder)

    def read(self, ask: Callable[[edge.EdgeShard], Answer]) -> Answer:
        """The engine's answer to a question."""
        self._last_use = time.monotonic()
        try:
            return ask(self._shard)
        except Exception:
            if self._closed:
                raise missing(self.name) from None
            raise

    def write(self, operation: edge.UpdateOperation) -> None:
        """Applies an operation; once this returns it outlives a kill of the process."""
        with self._writing:
            if self._closed:
                raise missing(self.name)
            self._last_use = time.monotonic()
            self._unsaved = True
            self._shard.update(operation)

    def check(self, vector: list[float]) -> list[float]:
        """The vector, if it has the right length and no NaN or infinity, which the engine takes."""
        if len(vector) != self.dimension:
            raise invalid(
                f"Vector dimension error: expected dim: {self.dimension}, got {len(vector)}"
            )
        # A sum is finite exactly if all its float32 parts are: it cannot overflow a float64.
        if not math.isfinite(sum(vector)):
            raise invalid("Vector contains NaN or infinity")
        return vector

    def tend(self, now: float) -> None:
        """Saves what the log alone holds; when idle, indexes what came since the last time.

        Both stop every other thread of this process while they run. ``now`` is monotonic time.
        """
        with self._writing:
            if self._closed:
                return
            if self._unsaved:
                self._unsaved = False
                self._shard.flush()
            if now - self._last_use > IDLE_SECONDS and self._backlog_is_large():
                self._shard.optimize()

    def _backlog_is_large(self) -> bool:
        info = self._shard.info()
        backlog = info.points_count - info.indexed_vectors_count
        return backlog > max(SMALLEST_INDEX, info.points_count // 5)

    def close(self) -> None:
        """Saves everything and gives the folder free."""
        with self._writing:
            if not self._closed:
                self._closed = True
                self._shard.flush()
                self._shard.close()
