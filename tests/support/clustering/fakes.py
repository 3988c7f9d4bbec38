"""Stand-ins for what the clustering service calls: the embedding service, the index, blobs."""

from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np

from libs.errors import ColonnadeError, InvalidArgument, NotFound
from libs.text.similarity import vector_of
from libs.vectors.index import (
    Condition,
    Equals,
    Floats,
    Hit,
    Payload,
    VectorFilter,
    VectorPage,
    VectorPoint,
)
from services.clustering.domain.item import Collection, Modality
from services.clustering.ports import Embedded
from tests.support.clustering.photos import COLLECTION, TEXTS, Vector, key_of


def ngrams(text: str) -> Vector:
    """The vector of a text by its words and their pieces."""
    vector = vector_of(text)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class FakeEmbedder:
    """Answers the vectors that the test gave; ``down`` is raised by every call."""

    def __init__(self, collection: Collection = COLLECTION) -> None:
        self.collection_in_use = collection
        self.others: dict[str, Collection] = {}
        self.results: dict[str, Vector | ColonnadeError] = {}
        self.results_of: dict[tuple[str, str], Vector | ColonnadeError] = {}
        self.down: ColonnadeError | None = None
        self.calls: list[list[str]] = []
        self.asked = 0
        self.texts_in_use = TEXTS
        self.of_text: Callable[[str], Vector | ColonnadeError] = ngrams
        self.text_calls: list[list[str]] = []

    def give(self, photo: str, result: Vector | ColonnadeError, model: str = "") -> None:
        """What becomes of the picture of ``photo``, with one model or with any other."""
        if model:
            self.results_of[(model, key_of(photo))] = result
        else:
            self.results[key_of(photo)] = result

    async def embed(
        self, blob_keys: Sequence[str], model: str, scope: str
    ) -> list[Embedded | ColonnadeError]:
        self.calls.append(list(blob_keys))
        if self.down is not None:
            raise self.down
        if not all(blob_keys):
            raise InvalidArgument.of("images.blob_key", "must not be empty")
        used = await self.describe(model)
        return [
            self._result(self.results_of.get((model, key), self.results.get(key)), used)
            for key in blob_keys
        ]

    async def embed_texts(
        self, texts: Sequence[str], model: str, scope: str
    ) -> list[Embedded | ColonnadeError]:
        self.text_calls.append(list(texts))
        if self.down is not None:
            raise self.down
        used = await self.describe(model, Modality.TEXTS)
        return [self._result(self.of_text(text), used) for text in texts]

    async def describe(self, model: str, modality: Modality = Modality.PHOTOS) -> Collection:
        self.asked += 1
        if self.down is not None:
            raise self.down
        if modality is Modality.TEXTS and model in ("", self.texts_in_use.model):
            return self.texts_in_use
        if model in ("", self.collection_in_use.model):
            return self.collection_in_use
        if model not in self.others:
            raise NotFound("model", model)
        return self.others[model]

    async def embed_text(self, collection: Collection, text: str, scope: str) -> Vector | None:
        return None

    def _result(
        self, result: Vector | ColonnadeError | None, used: Collection
    ) -> Embedded | ColonnadeError:
        assert result is not None, "the test gave no vector of this picture"
        if isinstance(result, ColonnadeError):
            return result
        return Embedded(result, used.model, used.revision, used.fingerprint)


class MemoryIndex:
    """The part of a vector index that the service uses, by brute force."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, VectorPoint]] = {}
        self.made: list[str] = []

    async def ensure_collection(
        self, collection: str, dimension: int, *, indexed: Sequence[str] = ()
    ) -> None:
        if collection not in self.collections:
            self.made.append(collection)
            self.collections[collection] = {}

    async def upsert(self, collection: str, points: Sequence[VectorPoint]) -> None:
        self._points(collection).update({point.id: point for point in points})

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        points = self._points(collection)
        for id in ids:
            points.pop(id, None)

    async def search(
        self,
        collection: str,
        vector: Floats,
        limit: int,
        *,
        filter: VectorFilter | None = None,
        min_score: float | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        scored = [
            Hit(point.id, float(point.vector @ vector / np.linalg.norm(vector)), point.payload)
            for point in self._points(collection).values()
            if filter is None or _passes(point, filter)
        ]
        near = [hit for hit in scored if min_score is None or hit.score >= min_score]
        return sorted(near, key=lambda hit: -hit.score)[:limit]

    async def search_batch(
        self,
        collection: str,
        vectors: Floats,
        limit: int,
        *,
        filter: VectorFilter | None = None,
        min_score: float | None = None,
        exact: bool = False,
    ) -> list[list[Hit]]:
        return [
            await self.search(collection, vector, limit, filter=filter, min_score=min_score)
            for vector in vectors
        ]

    async def delete_collection(self, collection: str) -> None:
        self.collections.pop(collection, None)

    async def set_payload(self, collection: str, ids: Sequence[str], payload: Payload) -> None:
        points = self._points(collection)
        for id in ids:
            if id in points:
                merged = {**points[id].payload, **payload}
                points[id] = VectorPoint(id, points[id].vector, merged)

    async def retrieve(self, collection: str, ids: Sequence[str]) -> list[VectorPoint]:
        points = self._points(collection)
        return [points[id] for id in ids if id in points]

    async def scroll(
        self,
        collection: str,
        *,
        filter: VectorFilter | None = None,
        page: int = 1000,
        start: str = "",
        end: str = "",
        payloads: bool = True,
    ) -> AsyncIterator[VectorPage]:
        for id, point in sorted(self._points(collection).items()):
            if id < start or (end and id >= end):
                continue
            if filter is None or _passes(point, filter):
                yield VectorPage([id], point.vector[np.newaxis], [point.payload])

    def _points(self, collection: str) -> dict[str, VectorPoint]:
        if collection not in self.collections:
            raise NotFound("collection", collection)
        return self.collections[collection]


def _passes(point: VectorPoint, filter: VectorFilter) -> bool:
    if point.id in filter.exclude_ids:
        return False
    return all(_meets(point, condition) for condition in filter.conditions) and not any(
        _meets(point, condition) for condition in filter.unless
    )


def _meets(point: VectorPoint, condition: Condition) -> bool:
    return isinstance(condition, Equals) and point.payload.get(condition.field) == condition.value


class MemorySnapshots:
    """See ports.Snapshots."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    async def load(self, key: str) -> bytes | None:
        return self.blobs.get(key)

    async def save(self, key: str, data: bytes) -> None:
        self.blobs[key] = data

    async def forget(self, key: str) -> bool:
        self.blobs.pop(key, None)
        return True

    async def forget_all(self, folder: str) -> None:
        self.blobs = {k: v for k, v in self.blobs.items() if not k.startswith(f"{folder}/")}


class MemoryQueue:
    """A job queue that remembers what it was told; ``away`` makes it fail as the port says."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.away = False

    async def enqueue(self, task: str, job_id: str, queue: str) -> bool:
        if not self.away:
            self.sent.append((task, job_id, queue))
        return not self.away
