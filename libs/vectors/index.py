"""The port to a vector index: what a service may ask of it, and the values that cross it.

Similarity is the cosine, so the index keeps unit vectors: ``retrieve`` and ``scroll`` give back the
stored vector divided by its length. Payload values are text, whole numbers, decimal numbers or
lists of text. There are no booleans on purpose: not every engine matches them (write ``"yes"``).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Scalar: TypeAlias = str | int
PayloadValue: TypeAlias = str | int | float | list[str]
Payload: TypeAlias = Mapping[str, PayloadValue]


@dataclass(frozen=True, slots=True, eq=False)
class VectorPoint:
    """One entry: ``id`` is a UUID as text, ``vector`` a finite, non-zero float32 array of [d]."""

    id: str
    vector: Floats
    payload: Payload


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a search; ``score`` is the cosine similarity, in [-1, 1], higher is nearer."""

    id: str
    score: float
    payload: Payload


class VectorPage(NamedTuple):
    """One page of a scroll: row i of ``matrix`` (float32 [n, d]) belongs to ``ids[i]``."""

    ids: list[str]
    matrix: Floats
    payloads: list[Payload]


@dataclass(frozen=True, slots=True)
class Equals:
    """The payload field holds this value (or, for a list, contains it)."""

    field: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The payload field holds one of these values, all text or all whole numbers."""

    field: str
    values: tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class InRange:
    """The payload field is a number, ``at_least <= number < below``; None leaves a side open."""

    field: str
    at_least: float | None = None
    below: float | None = None


Condition: TypeAlias = Equals | AnyOf | InRange


@dataclass(frozen=True, slots=True)
class VectorFilter:
    """Points that meet every condition and none of ``unless``, and whose id is none of
    ``exclude_ids``. A point without the field of a condition does not meet it.

    ``VectorFilter.where(persona="mila")`` is the short form for conditions of equality.
    """

    conditions: tuple[Condition, ...] = ()
    exclude_ids: frozenset[str] = frozenset()
    unless: tuple[Condition, ...] = ()

    @classmethod
    def where(cls, *conditions: Condition, **equal: Scalar) -> "VectorFilter":
        return cls((*conditions, *(Equals(field, value) for field, value in equal.items())))

    def excluding(self, ids: Sequence[str]) -> "VectorFilter":
        """The same filter that also leaves out these ids."""
        return replace(self, exclude_ids=self.exclude_ids | frozenset(ids))


class VectorIndex(Protocol):
    """Named collections of vectors of one length each; a name may also be an alias.

    Every method raises ``Unavailable`` when the index cannot be reached in time, and every one
    but ``ensure_collection`` raises ``NotFound`` for a missing collection. Writes are visible to
    the next read once awaited.
    """

    async def ensure_collection(
        self, collection: str, dimension: int, *, indexed: Sequence[str] = ()
    ) -> None:
        """Makes the collection if it is missing; ``indexed`` names text fields often filtered on.

        Raises ``InvalidArgument`` if it exists with another dimension.
        """

    async def delete_collection(self, collection: str) -> None:
        """Drops the collection and its points; one that is not there is no error."""

    async def point_alias(self, alias: str, collection: str) -> None:
        """Makes ``alias`` stand for ``collection`` from now on, in one step."""

    async def upsert(self, collection: str, points: Sequence[VectorPoint]) -> None:
        """Adds the points, replacing those with the same ids whole.

        Raises ``InvalidArgument`` for a wrong dimension, a value that is not finite, a vector of
        zeros, an id that is no UUID or a boolean in a payload; then nothing is written.
        """

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Removes these points; ids that are not there are passed over."""

    async def delete_where(self, collection: str, filter: VectorFilter) -> None:
        """Removes every point that matches. An empty filter is refused (``InvalidArgument``)."""

    async def set_payload(self, collection: str, ids: Sequence[str], payload: Payload) -> None:
        """Sets these payload fields on the points and leaves their other fields alone."""

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
        """The nearest points, best first, at most ``limit``, none below ``min_score``.

        ``exact`` compares with every vector even where a faster, approximate index is built.
        """

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
        """One ``search`` a row of ``vectors`` [q, d], in one round trip; answers in row order."""

    def scroll(
        self,
        collection: str,
        *,
        filter: VectorFilter | None = None,
        page: int = 1000,
        start: str = "",
        end: str = "",
        payloads: bool = True,
    ) -> AsyncIterator[VectorPage]:
        """Every matching point once, ordered by id, in pages of at most ``page`` points.

        ``start`` and ``end`` are ids, of points or not: only those from ``start`` on and before
        ``end`` are read, all where they are empty. Without ``payloads`` those of the pages are
        empty, which is faster. Points added while it runs may be missed; there are no empty pages.
        """

    async def retrieve(self, collection: str, ids: Sequence[str]) -> list[VectorPoint]:
        """The points with these ids, in the order asked for; those not there are left out."""

    async def count(self, collection: str, filter: VectorFilter | None = None) -> int:
        """How many points match, exactly."""
