"""What waits for a run, and what of it the engine is given."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.stepping import Shift
from services.clustering.domain.copies import find_copies
from services.clustering.domain.edit import Place
from services.clustering.domain.history import Departure, Moved
from services.clustering.domain.item import Item, Pair

Vectors = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class News:
    """What came, went and was moved since the last run.

    ``items`` are those that wait or were moved, by name, ``waiting`` the names of the former.
    ``pairs`` are all near pairs of those that wait, ``places`` where these, their partners and the
    moved ones are now. ``keys`` are the engine's names of the found clusters concerned, by id.
    """

    items: Mapping[str, Item]
    waiting: frozenset[str]
    departures: tuple[Departure, ...]
    moved: tuple[Moved, ...]
    pairs: tuple[Pair, ...]
    places: Mapping[str, Place]
    keys: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.waiting or self.departures)

    def key_of(self, cluster_id: str | None) -> str:
        """The engine's name of a cluster, empty for none and for those that it does not know."""
        return self.keys.get(cluster_id or "", "")


@dataclass(frozen=True, slots=True)
class Intake:
    """The distinct newcomers, by name and in order, the copies among what waits, and what went or
    was moved. ``settled`` are all that need not wait any more."""

    newcomers: tuple[str, ...]
    copies: Mapping[str, str]
    shifts: tuple[Shift, ...]
    settled: tuple[str, ...]


def intake_of(news: News, vectors: Vectors, threshold: float) -> Intake:
    """What the engine is given; ``vectors`` are those of ``news.items`` that have one, by name.

    What people put somewhere is no newcomer: it is there. What has no vector goes on waiting.
    """
    put = {name for name in news.waiting if name in news.places and news.places[name].locked}
    fresh = sorted(
        (name for name in news.waiting if name in vectors and name not in put),
        key=lambda name: news.items[name].point_id,
    )
    copies_there = {item for item, place in news.places.items() if place.duplicate_of}
    barred = (news.waiting - set(fresh)) | (copies_there - set(fresh))
    copies = find_copies(fresh, news.pairs, threshold, barred)
    moved = {each.item for each in news.moved}
    shifts = [
        Shift(d.point_id, d.vector, news.key_of(d.cluster_id), gone=True)
        for d in news.departures
        if d.weight and d.vector is not None
    ]
    shifts += [
        _moved(news, vectors, each)
        for each in news.moved
        if each.item in vectors and each.item not in fresh
    ]
    shifts += [
        _moved(news, vectors, Moved(name, None, news.places[name].cluster_id))
        for name in sorted(put - moved)
        if name in vectors and not news.places[name].duplicate_of
    ]
    return Intake(
        newcomers=tuple(name for name in fresh if name not in copies),
        copies=copies,
        shifts=tuple(shifts),
        settled=tuple(sorted(name for name in news.waiting if name in vectors)),
    )


def expected(news: News, threshold: float) -> tuple[int, int]:
    """How many distinct photos come, and how many go or are moved, if all have a vector."""
    copies = find_copies(sorted(news.waiting), news.pairs, threshold, ())
    return len(news.waiting) - len(copies), len(news.departures) + len(news.moved)


def _moved(news: News, vectors: Vectors, moved: Moved) -> Shift:
    after = news.key_of(moved.now)
    # What is in a cluster of people's own neither counts nor waits.
    away = moved.now is not None and not after
    item = news.items[moved.item]
    return Shift(item.point_id, vectors[moved.item], news.key_of(moved.before), after, gone=away)
