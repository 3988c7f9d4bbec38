"""A collection that is kept up to date step by step, as the service does it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from libs.agreement import adjusted_rand, singles
from services.clustering.algorithms.clustering import (
    Diff,
    Previous,
    RefitReason,
)
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.identity import compare
from services.clustering.algorithms.items import floats, read_items
from services.clustering.algorithms.memory import Memory
from services.clustering.algorithms.stepping import Shift

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Stream:
    """Where every item is after a fit and steps; what the database knows in the service."""

    engine: Engine
    vectors: dict[str, Vector]
    places: dict[str, str]
    duplicates: dict[str, str]
    memory: Memory
    rejected: frozenset[str] = frozenset()
    diff: Diff = field(default_factory=Diff)
    refit_due: RefitReason | None = None
    near_duplicate: float = 0.97

    @classmethod
    def of(cls, engine: Engine, ids: Sequence[str], vectors: npt.ArrayLike) -> "Stream":
        """Begins with a fit."""
        items = read_items(ids, vectors)
        known = dict(zip(items.ids.tolist(), floats(items.vectors), strict=True))
        return cls._fitted(engine, known, frozenset(items.rejected.tolist()), Previous({}, 1))

    @classmethod
    def _fitted(
        cls,
        engine: Engine,
        vectors: dict[str, Vector],
        rejected: frozenset[str],
        previous: Previous,
    ) -> "Stream":
        matrix = np.stack(list(vectors.values())) if vectors else np.empty((0, 1))
        found = engine.fit(list(vectors), matrix, previous)
        return cls(
            engine,
            vectors,
            found.labels(),
            dict(found.duplicates),
            found.memory,
            rejected,
            found.diff,
        )

    def labels(self) -> dict[str, str]:
        """The key of the group of each clustered item."""
        return self.places

    @property
    def groups(self) -> dict[str, list[str]]:
        """The items of each group."""
        found: dict[str, list[str]] = {}
        for item, key in sorted(self.places.items()):
            found.setdefault(key, []).append(item)
        return found

    @property
    def unclustered(self) -> set[str]:
        """The items in no group."""
        return self.vectors.keys() - self.places.keys()

    def update(
        self, ids: Sequence[str], vectors: npt.ArrayLike, removed: Collection[str] = ()
    ) -> "Stream":
        """Takes items out and new ones in, step or fit, as the engine wants."""
        items = read_items(ids, vectors)
        given = dict(zip(items.ids.tolist(), floats(items.vectors), strict=True))
        left, shifts = self._without({*removed, *given, *items.rejected.tolist()})
        rejected = left.rejected | set(items.rejected.tolist())
        copies = left._copies(given)
        fresh = [item for item in given if item not in copies]
        if left.engine.outgrown(left.memory, len(fresh), len(shifts)) is RefitReason.SMALL:
            everything = left.vectors | given
            return self._fitted(self.engine, everything, rejected, self.previous())
        matrix = np.stack([given[item] for item in fresh]) if fresh else np.empty((0, 1))
        step = self.engine.step(left.memory, fresh, matrix, shifts)
        left_alone = [
            Shift(item, left.vectors[item], "")
            for item, key in left.places.items()
            if key in step.retired and item not in left.duplicates
        ]
        memory = step.memory
        if left_alone:
            memory = self.engine.step(memory, [], np.empty((0, 1)), left_alone).memory
        places = {
            item: step.merged.get(key, key)
            for item, key in left.places.items()
            if key not in step.retired
        }
        places |= {item: place.key for item, place in step.places.items()}
        duplicates = left.duplicates | copies
        places |= {copy: places[photo] for copy, photo in duplicates.items() if photo in places}
        after = replace(
            left,
            vectors=left.vectors | given,
            places=places,
            duplicates=duplicates,
            memory=memory,
            rejected=rejected,
            refit_due=step.refit,
        )
        return replace(after, diff=compare(self.groups, after.groups))

    def refit(self) -> "Stream":
        """A full fit of everything, keys carried over."""
        return self._fitted(self.engine, self.vectors, self.rejected, self.previous())

    def previous(self) -> Previous:
        """The groups as the past of the next fit."""
        groups = {key: tuple(items) for key, items in self.groups.items()}
        return Previous(groups, self.memory.next_key)

    def agreement(self) -> float:
        """Adjusted Rand index between the groups now and a full fit of the same items."""
        again = self._fitted(self.engine, self.vectors, self.rejected, Previous({}, 1))
        return adjusted_rand(self.numbered(), again.numbered())

    def numbered(self) -> list[int]:
        """A number for the group of each item, by id; items outside have one of their own."""
        numbers = {key: number for number, key in enumerate(self.groups)}
        return singles(
            [numbers.get(self.places.get(item, ""), -1) for item in sorted(self.vectors)]
        )

    def _without(self, gone: Collection[str]) -> tuple["Stream", list[Shift]]:
        known = [item for item in sorted(gone) if item in self.vectors]
        vectors = {item: row for item, row in self.vectors.items() if item not in gone}
        places = {item: key for item, key in self.places.items() if item not in gone}
        heirs: dict[str, str] = {}
        for copy, photo in sorted(self.duplicates.items()):
            if photo in gone and copy not in gone:
                heirs.setdefault(photo, copy)
        duplicates = {
            copy: heirs.get(photo, photo)
            for copy, photo in self.duplicates.items()
            if copy not in gone and heirs.get(photo) != copy
        }
        shifts = [
            Shift(item, self.vectors[item], self.places.get(item, ""), gone=True)
            for item in known
            if item not in self.duplicates
        ]
        shifts += [
            Shift(heir, vectors[heir], "", self.places.get(heir, "")) for heir in heirs.values()
        ]
        rejected = self.rejected - set(gone)
        left = replace(
            self, vectors=vectors, places=places, duplicates=duplicates, rejected=rejected
        )
        return left, shifts

    def _copies(self, given: dict[str, Vector]) -> dict[str, str]:
        photos = [item for item in self.vectors if item not in self.duplicates]
        rows = [self.vectors[item] for item in photos]
        copies = {}
        for item, row in given.items():
            cosines = np.stack(rows) @ row if rows else np.zeros(1)
            if rows and cosines.max() >= self.near_duplicate - 1e-6:
                copies[item] = photos[int(cosines.argmax())]
            else:
                photos.append(item)
                rows.append(row)
        return copies
