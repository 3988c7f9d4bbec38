"""Sets of photos that are the same to one of them, and which to keep."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.clustering.domain.verdict import (
    MAKING_SETS,
    Evidence,
    Thresholds,
    Verdict,
    verdict_of,
)


class Reason(StrEnum):
    """Why a photo is the one to keep."""

    POSTED = "posted"
    SCHEDULED = "scheduled"
    PIXELS = "pixels"
    QUALITY = "quality"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Worth:
    """What speaks for keeping a photo. ``posted``: it went out, whether it is to go out again;
    ``scheduled``: a post that is still to go out uses it."""

    name: str
    posted: bool
    scheduled: bool
    pixels: int
    quality: float | None
    create_time: datetime

    @property
    def rank(self) -> tuple[object, ...]:
        """Sorts the best first."""
        quality = -1.0 if self.quality is None else self.quality
        used = not self.posted, not self.scheduled
        return (*used, -self.pixels, -quality, self.create_time, self.name)


@dataclass(frozen=True, slots=True)
class KnownPair:
    """Two photos, what is known of them, and what a person decided, if one did;
    ``first`` < ``second``."""

    first: str
    second: str
    evidence: Evidence
    decision: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Other:
    """A photo of a set, what is known of it and the keeper, and what was decided about them."""

    name: str
    evidence: Evidence
    decision: Verdict | None


@dataclass(frozen=True, slots=True)
class DuplicateSet:
    """A keeper and the photos that are, to it, what ``verdict`` says."""

    verdict: Verdict
    keeper: str
    reason: Reason
    others: tuple[Other, ...]

    @property
    def key(self) -> tuple[int, int, str]:
        """Its place in a list: by verdict, the largest first."""
        return (MAKING_SETS.index(self.verdict), -len(self.others), self.keeper)


def duplicate_sets(
    pairs: Iterable[KnownPair],
    worths: Mapping[str, Worth],
    thresholds: Thresholds,
    *,
    reviewed: bool = False,
) -> list[DuplicateSet]:
    """The sets that ``pairs`` make, in the order of lists.

    Pairs that a person decided about are left out, or with ``reviewed`` taken as decided; what is
    different to a person is never in one set: the one that is likest to the keeper is in it, the
    other waits until that one is gone. Each copy goes to one keeper and is in no further set. The
    best photo that is in no set yet becomes a keeper and takes what is the same to it directly, so
    nothing is grouped over a chain of small steps. Photos that are not in ``worths`` are passed
    over.
    """
    by_verdict: dict[Verdict, list[KnownPair]] = defaultdict(list)
    apart: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        if pair.decision is Verdict.DIFFERENT:
            apart[pair.first].add(pair.second)
            apart[pair.second].add(pair.first)
        if pair.first in worths and pair.second in worths and (reviewed or pair.decision is None):
            by_verdict[pair.decision or verdict_of(pair.evidence, thresholds)].append(pair)
    gone: set[str] = set()
    found: list[DuplicateSet] = []
    for verdict in MAKING_SETS:
        sets = _stars(by_verdict[verdict], worths, gone, apart, verdict)
        gone |= {other.name for each in sets for other in each.others}
        found += sets
    return sorted(found, key=lambda each: each.key)


def counts(sets: Iterable[DuplicateSet]) -> dict[Verdict, tuple[int, int]]:
    """How many sets there are of each verdict, and how many photos besides keepers in them."""
    number, others = Counter[Verdict](), Counter[Verdict]()
    for each in sets:
        number[each.verdict] += 1
        others[each.verdict] += len(each.others)
    return {verdict: (number[verdict], others[verdict]) for verdict in MAKING_SETS}


def _stars(
    pairs: Sequence[KnownPair],
    worths: Mapping[str, Worth],
    gone: set[str],
    apart: Mapping[str, set[str]],
    verdict: Verdict,
) -> list[DuplicateSet]:
    near: dict[str, dict[str, KnownPair]] = defaultdict(dict)
    for pair in pairs:
        if pair.first not in gone and pair.second not in gone:
            near[pair.first][pair.second] = near[pair.second][pair.first] = pair
    taken: set[str] = set()
    sets = []
    for keeper in sorted(near, key=lambda name: worths[name].rank):
        if keeper in taken:
            continue
        free = [
            Other(name, pair.evidence, pair.decision)
            for name, pair in near[keeper].items()
            if name not in taken
        ]
        if free:
            others = _together(sorted(free, key=_likest), apart)
            names = {other.name for other in others}
            taken |= {keeper, *names}
            best = min((worths[name] for name in names), key=lambda worth: worth.rank)
            reason = _reason(worths[keeper], best)
            sets.append(DuplicateSet(verdict, keeper, reason, tuple(others)))
    return sets


def _together(others: Sequence[Other], apart: Mapping[str, set[str]]) -> list[Other]:
    """The first of ``others`` and those after it that are apart from none before them."""
    names: set[str] = set()
    found = []
    for other in others:
        if names.isdisjoint(apart.get(other.name, ())):
            names.add(other.name)
            found.append(other)
    return found


def _likest(other: Other) -> tuple[object, ...]:
    evidence = other.evidence
    structure = evidence.look.structure if evidence.look else -1.0
    return (-structure, -(evidence.cosine or 0.0), other.name)


def _reason(keeper: Worth, best: Worth) -> Reason:
    """The first thing in which the keeper is ahead of the best of the others."""
    ahead: tuple[tuple[Reason, Callable[[Worth], object]], ...] = (
        (Reason.POSTED, lambda worth: worth.posted),
        (Reason.SCHEDULED, lambda worth: worth.scheduled),
        (Reason.PIXELS, lambda worth: worth.pixels),
        (Reason.QUALITY, lambda worth: worth.quality),
    )
    for reason, value in ahead:
        if value(keeper) != value(best):
            return reason
    return Reason.OLDEST
