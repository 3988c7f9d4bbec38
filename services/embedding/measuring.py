"""What a model is worth on labelled photos, and what it costs. Blocking; takes minutes."""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.errors import ColonnadeError, FailedPrecondition
from libs.images import ImageLimits
from services.embedding.labelled import Photo, comparable
from services.embedding.preprocess import tensor_of
from services.embedding.repository import StoredModel
from services.embedding.scores import Grouping, Retrieval, grouping, retrieval
from services.embedding.session import Floats, OnnxSession

Tell = Callable[[int, int], None]

# How ru_maxrss is counted.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians of one photo after the other on one thread, in milliseconds; sizes in bytes.

    ``memory`` is by how much the process grew while the model was loaded and run for the first
    time, so it means something only in a process that has loaded no other.
    """

    decode_ms: float
    inference_ms: float
    file_bytes: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A model's numbers. ``unreadable`` tells which photos could not be embedded, and why."""

    model: str
    revision: str
    dimension: int
    photos: int
    labels: int
    retrieval: Retrieval
    grouping: Grouping
    cost: Cost
    unreadable: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return asdict(self)


def measure(
    model: StoredModel, photos: Sequence[Photo], limits: ImageLimits, tell: Tell
) -> Measured:
    """Embeds ``photos`` with ``model``, one at a time, and scores the vectors.

    Everything but ``cost`` is the same each time. ``tell`` is told how many photos of how many are
    done. Raises ``FailedPrecondition`` (MODEL_NOT_READY) and ``InvalidArgument`` (TOO_FEW_LABELS).
    """
    before = _peak_memory()
    session = OnnxSession(model.path, model.card, threads=1)
    session.run(_blank(model))
    memory = _peak_memory() - before
    run = _Run(model, session, limits)
    for number, photo in enumerate(photos, 1):
        run.embed(photo)
        tell(number, len(photos))
    kept, vectors = run.comparable()
    labels = [photo.label for photo in kept]
    return Measured(
        model.card.id,
        model.card.revision,
        model.card.dimension,
        len(kept),
        len(set(labels)),
        retrieval(vectors, labels),
        grouping(vectors, labels),
        Cost(median(run.decoding), median(run.inferring), model.path.stat().st_size, memory),
        run.unreadable,
    )


def vectors_of(
    model: StoredModel, photos: Sequence[Photo], limits: ImageLimits, tell: Tell
) -> tuple[list[Photo], NDArray[np.float32], dict[str, str]]:
    """The photos that ``measure`` would score, their unit vectors, and why others are left out.

    Raises as ``measure``.
    """
    run = _Run(model, OnnxSession(model.path, model.card, threads=1), limits)
    for number, photo in enumerate(photos, 1):
        run.embed(photo)
        tell(number, len(photos))
    return *run.comparable(), run.unreadable


class _Run:
    def __init__(self, model: StoredModel, session: OnnxSession, limits: ImageLimits) -> None:
        self._rules = model.card.preprocessing
        self._session = session
        self._limits = limits
        self.vectors: dict[Photo, NDArray[np.float32]] = {}
        self.unreadable: dict[str, str] = {}
        self.decoding: list[float] = []
        self.inferring: list[float] = []

    def embed(self, photo: Photo) -> None:
        try:
            data = photo.path.read_bytes()
            started = time.perf_counter()
            tensor = tensor_of(data, self._rules, self._limits)
            decoded = time.perf_counter()
            row = self._session.run(tensor[None])[0]
            inferred = time.perf_counter()
            self.vectors[photo] = _unit(row)
        except ColonnadeError as error:
            self.unreadable[photo.name] = error.reason
        except OSError as error:
            self.unreadable[photo.name] = str(error.strerror)
        else:
            self.decoding.append((decoded - started) * 1000)
            self.inferring.append((inferred - decoded) * 1000)

    def comparable(self) -> tuple[list[Photo], NDArray[np.float32]]:
        kept = comparable(list(self.vectors))
        return kept, np.stack([self.vectors[photo] for photo in kept])


def _unit(row: Floats) -> Floats:
    length = float(np.linalg.norm(row))
    if not np.isfinite(length) or length == 0.0:
        raise FailedPrecondition("the vector has no direction", reason="UNUSABLE_VECTOR")
    return (row / length).astype(np.float32)


def _blank(model: StoredModel) -> Floats:
    width, height = model.card.preprocessing.size
    return np.zeros((1, 3, height, width), dtype=np.float32)


def _peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
