"""A large fit, shard by shard: what a shard is told and what it answers, all as bytes.

A shard sees its vectors twice: to choose groups (``Recipe``, once more for those left over), and,
when all shards have, to be measured against the groups that came out (``Outcome``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.archive import pack, unpack
from services.clustering.algorithms.components import OUTSIDE, Acceptance, Components, Null
from services.clustering.algorithms.items import floats, halves
from services.clustering.algorithms.large import Model, moments_of
from services.clustering.algorithms.linkage import BayesFactor, Doubles, Indices
from services.clustering.algorithms.prep import Epoch, Matrix
from services.clustering.algorithms.reservoir import Ranks, ranks_of
from services.clustering.algorithms.tally import Moments, Tally

Ids = npt.NDArray[np.bytes_]
"""UUIDs, 16 bytes each, which sort like their text."""

NO_IDS: Ids = np.empty(0, dtype="S16")


def ids_of(texts: Sequence[str]) -> Ids:
    """UUIDs in canonical text as an array."""
    return ids_in(bytes.fromhex("".join(texts).replace("-", "")))


def ids_in(data: bytes) -> Ids:
    """UUIDs one after the other as an array."""
    return np.frombuffer(data, dtype="S16")


def texts_of(ids: Ids) -> list[str]:
    """Each UUID in canonical text."""
    data = ids.tobytes()
    return [str(UUID(bytes=data[at : at + 16])) for at in range(0, len(data), 16)]


def ranks_of_ids(ids: Ids, seed: int) -> Ranks:
    """The ranks by which ids are sampled."""
    halves_ = np.frombuffer(ids.tobytes(), dtype=">u8").reshape(-1, 2).astype(np.uint64)
    return ranks_of(ranks_of(halves_[:, 0], seed) ^ halves_[:, 1], seed)


def units_of(vectors: Matrix) -> Matrix:
    """Unit vectors as the fit in memory has them, so that both find the same."""
    return floats(halves(vectors))


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How the rows of a shard choose: the transform and the groups there are."""

    epoch: Epoch
    model: Model

    def to_bytes(self) -> bytes:
        """An archive."""
        acceptance, components = self.model.acceptance, self.model.components
        numbers = (
            acceptance.factor.granularity,
            acceptance.factor.cap,
            acceptance.null.mean,
            acceptance.null.sd,
            acceptance.outlier_z,
            self.epoch.null_mean,
            self.epoch.null_sd,
        )
        return pack(
            {
                "numbers": np.array(numbers),
                "mean": self.epoch.mean,
                "basis": self.epoch.basis,
                "sums": components.sums,
                "counts": components.counts,
                "means": components.means,
                "deviations": components.deviations,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Recipe":
        """Raises InvalidArgument."""
        found = unpack(data)
        granularity, cap, mean, sd, outlier_z, pairs_mean, pairs_sd = found["numbers"].tolist()
        names = ("sums", "counts", "means", "deviations")
        acceptance = Acceptance(BayesFactor(granularity, cap), Null(mean, sd), outlier_z)
        return cls(
            Epoch(found["mean"], found["basis"], pairs_mean, pairs_sd),
            Model(Components(*(found[name] for name in names)), acceptance),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a shard has chosen after ``looks`` looks: the group of each id, in the order of ids, and
    what the groups add up to, prepared (``tally``) and in the space of the embedding model."""

    ids: Ids
    labels: Indices
    tally: Tally
    centres: Tally
    looks: int

    @property
    def outside(self) -> Ids:
        """The ids that no group accepted."""
        return np.asarray(self.ids[self.labels == OUTSIDE])

    def revised(self, later: "Part") -> "Part":
        """The same after some ids outside have looked once more."""
        labels = self.labels.copy()
        labels[np.searchsorted(self.ids, later.ids)] = later.labels
        return Part(
            self.ids,
            labels,
            self.tally + later.tally,
            self.centres + later.centres,
            self.looks + 1,
        )

    def to_bytes(self) -> bytes:
        """An archive; sums of the embedding space in single precision."""
        return pack(
            {
                "ids": self.ids,
                "labels": self.labels.astype(np.int32),
                "sums": self.tally.sums,
                "counts": self.tally.counts,
                "centres": self.centres.sums.astype(np.float32),
                "looks": np.array(self.looks),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Part":
        """Raises InvalidArgument."""
        found = unpack(data)
        return cls(
            found["ids"].astype("S16"),
            found["labels"].astype(np.int64),
            Tally(found["sums"], found["counts"]),
            Tally(found["centres"].astype(np.float64), found["counts"]),
            int(found["looks"]),
        )


def chosen(recipe: Recipe, ids: Ids, vectors: Matrix) -> Part:
    """Some rows of a shard have looked once."""
    units = units_of(vectors)
    rows = recipe.epoch.transform(units)
    labels = recipe.model.choose(rows, np.full(len(rows), OUTSIDE, dtype=np.int64))
    groups = len(recipe.model.components)
    tally, centres = Tally.of(rows, labels, groups), Tally.of(units, labels, groups)
    return Part(ids, labels, tally, centres, 1)


def joined(recipe: Recipe, parts: Sequence[Part]) -> Part:
    """All rows of a shard, given in the order of ids."""
    groups, (width, depth) = len(recipe.model.components), recipe.epoch.basis.shape
    tally, centres = Tally.empty(groups, depth), Tally.empty(groups, width)
    for part in parts:
        tally, centres = tally + part.tally, centres + part.centres
    ids = np.concatenate([NO_IDS, *(part.ids for part in parts)])
    labels = [np.empty(0, dtype=np.int64), *(part.labels for part in parts)]
    return Part(ids, np.concatenate(labels), tally, centres, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The groups that came out: where each chosen group ended (``places``), what the final ones add
    up to, and their centroids, unit vectors in the space of the embedding model."""

    epoch: Epoch
    places: Indices
    tally: Tally
    centroids: Matrix

    def to_bytes(self) -> bytes:
        """An archive."""
        return pack(
            {
                "mean": self.epoch.mean,
                "basis": self.epoch.basis,
                "null": np.array((self.epoch.null_mean, self.epoch.null_sd)),
                "places": self.places,
                "sums": self.tally.sums,
                "counts": self.tally.counts,
                "centroids": self.centroids,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Outcome":
        """Raises InvalidArgument."""
        found = unpack(data)
        null_mean, null_sd = found["null"].tolist()
        return cls(
            Epoch(found["mean"], found["basis"], null_mean, null_sd),
            found["places"],
            Tally(found["sums"], found["counts"]),
            found["centroids"],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Where the rows of a shard ended: the final group of each id, its cosine to the centroid (0
    outside), and how near the members are to the others of their groups."""

    ids: Ids
    labels: Indices
    similarities: Doubles
    moments: Moments

    def to_bytes(self) -> bytes:
        """An archive; similarities in single precision."""
        return pack(
            {
                "ids": self.ids,
                "labels": self.labels.astype(np.int32),
                "similarities": self.similarities.astype(np.float32),
                "counts": self.moments.counts,
                "firsts": self.moments.firsts,
                "seconds": self.moments.seconds,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Measured":
        """Raises InvalidArgument."""
        found = unpack(data)
        return cls(
            found["ids"].astype("S16"),
            found["labels"].astype(np.int64),
            found["similarities"].astype(np.float64),
            Moments(found["counts"], found["firsts"], found["seconds"]),
        )


def measured(outcome: Outcome, ids: Ids, labels: Indices, vectors: Matrix) -> Measured:
    """Some rows of a shard, with the groups they chose, against the groups that came out."""
    final = np.append(outcome.places, OUTSIDE)[labels]
    units = units_of(vectors)
    inside = np.flatnonzero(final >= 0)
    similarities = np.zeros(len(final))
    similarities[inside] = np.einsum("ij,ij->i", units[inside], outcome.centroids[final[inside]])
    rows = outcome.epoch.transform(units[inside])
    moments = moments_of(rows, final[inside], outcome.tally)
    return Measured(ids, final, similarities, moments)


def all_measured(groups: int, parts: Sequence[Measured]) -> Measured:
    """All rows of a shard, given in the order of ids."""
    nothing = np.zeros(groups)
    moments = Moments(nothing, nothing, nothing)
    for part in parts:
        moments += part.moments
    return Measured(
        np.concatenate([NO_IDS, *(part.ids for part in parts)]),
        np.concatenate([np.empty(0, dtype=np.int64), *(part.labels for part in parts)]),
        np.concatenate([np.empty(0), *(part.similarities for part in parts)]),
        moments,
    )
