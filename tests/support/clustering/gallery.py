"""Photos with pictures of their own: a desk, the blob store, and the duplicates among them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from colonnade.clustering.v1 import duplicate_service_pb2 as api
from colonnade.clustering.v1.duplicate_pb2 import DuplicateSet, DuplicateThresholds
from colonnade.clustering.v1.duplicate_service_pb2_grpc import DuplicateServiceStub
from PIL import Image

from libs.blobs.objects import ObjectBlobs
from libs.image_hash import hash_of
from services.clustering.domain.verdict import Thresholds
from services.clustering.ports import Embedded
from services.clustering.usecases.comparing import Eyes, compare_new, hash_missing
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import FakeEmbedder
from tests.support.clustering.photos import DIMENSION, Vector, created, key_of
from tests.support.scenes import jpeg

_ENOUGH = 100


class HashingEmbedder(FakeEmbedder):
    """Answers the hashes of pictures too, as the embedding service does."""

    def __init__(self) -> None:
        super().__init__()
        self.bits: dict[str, bytes | None] = {}

    async def embed(self, blob_keys: Sequence[str], model: str, scope: str) -> list[Any]:
        found = await super().embed(blob_keys, model, scope)
        return [
            Embedded(r.vector, r.model, r.revision, r.fingerprint, self.bits.get(key))
            if isinstance(r, Embedded)
            else r
            for key, r in zip(blob_keys, found, strict=True)
        ]


class Gallery:
    """One scope and the photos in it."""

    def __init__(
        self, stub: DuplicateServiceStub, desk: Desk, blobs: ObjectBlobs, eyes: Eyes
    ) -> None:
        self.stub = stub
        self.desk = desk
        self.blobs = blobs
        self.eyes = eyes
        self.embedder = desk.embedder = HashingEmbedder()
        self._made = 0

    @property
    def scope(self) -> str:
        return self.desk.scope

    async def add(
        self,
        image: Image.Image,
        *,
        vector: Vector | None = None,
        scope: str = "",
        hashed: bool = True,
        taken: datetime | None = None,
        **told: Any,
    ) -> str:
        """A photo that arrived, was embedded and is still to be compared. Unless a vector is
        given, it is like no other. Without ``hashed`` it came before there were hashes."""
        photo = self.desk.photo(self.lonely() if vector is None else vector, scope)
        self.embedder.bits[key_of(photo)] = (hash_of(image) or b"") if hashed else None
        await self.blobs.put(key_of(photo), jpeg(image))
        told = {"size": image.size} | told
        (error,) = await self.desk.errors(created(photo, taken=taken, **told))
        assert error is None
        return photo

    def lonely(self) -> Vector:
        """A vector that is like no other."""
        self._made += 1
        generator = np.random.default_rng(self._made)
        vector = generator.normal(size=DIMENSION)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    async def compare(self) -> None:
        """Does what the jobs do until nothing is left."""
        later = timedelta(days=-1000)  # however new a photo is
        store, clock = self.desk.store, self.desk.clock
        assert not await hash_missing(store, self.eyes, clock, older=later, batches=_ENOUGH)
        assert not await compare_new(store, self.eyes, Thresholds(), batches=_ENOUGH)

    async def sets(self, scope: str = "", **asked: Any) -> list[DuplicateSet]:
        """All sets, page by page."""
        found: list[DuplicateSet] = []
        token = ""
        while True:
            request = api.ListDuplicateSetsRequest(
                parent=scope or self.scope, page_size=2, page_token=token, **asked
            )
            page = await self.stub.ListDuplicateSets(request)
            found += page.duplicate_sets
            token = page.next_page_token
            if not token:
                return found

    async def preview(self, thresholds: DuplicateThresholds) -> dict[int, tuple[int, int]]:
        """The counts by verdict."""
        answer = await self.stub.PreviewDuplicates(
            api.PreviewDuplicatesRequest(parent=self.scope, thresholds=thresholds)
        )
        return {each.verdict: (each.sets, each.others) for each in answer.counts}

    async def review(self, first: str, second: str, decision: Any, request_id: str = "") -> Any:
        """One decision."""
        return await self.stub.ReviewDuplicatePairs(
            api.ReviewDuplicatePairsRequest(
                parent=self.scope,
                decisions=[api.DuplicateDecision(first=first, second=second, decision=decision)],
                request_id=request_id,
            )
        )


def members(found: DuplicateSet) -> list[str]:
    """The keeper, then the others."""
    return [found.keeper.photo, *(other.photo for other in found.others)]
