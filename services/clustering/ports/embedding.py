"""What this service needs of the embedding service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from libs.errors import ColonnadeError
from services.clustering.domain.item import Collection, Modality

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector of unit length and the collection it belongs to; the bits of the picture's
    perceptual hash, empty if it has too little detail, None if that is not known."""

    vector: Vector
    model: str
    revision: str
    fingerprint: str
    bits: bytes | None = None


class Embedder(Protocol):
    """The embedding service."""

    async def embed(
        self, blob_keys: Sequence[str], model: str, scope: str
    ) -> list[Embedded | ColonnadeError]:
        """One result a picture of a scope, in order. Raises Unavailable when the service is
        away."""

    async def embed_texts(
        self, texts: Sequence[str], model: str, scope: str
    ) -> list[Embedded | ColonnadeError]:
        """The same for texts."""

    async def describe(self, model: str, modality: Modality = Modality.PHOTOS) -> Collection:
        """The collection for vectors that a model makes now of items of a kind, with its
        thresholds; of the default model for them if ``model`` is empty. Raises NotFound,
        InvalidArgument if it cannot embed them, Unavailable while it cannot be used."""


class TextReader(Protocol):
    """The embedding service, as searches see it."""

    async def embed_text(self, collection: Collection, text: str, scope: str) -> Vector | None:
        """The vector of a text, comparable with those of a collection; None if its model reads no
        texts. Searches of different scopes take turns.

        Raises FailedPrecondition (MODEL_CHANGED) if the model makes other vectors by now.
        """
