"""Which photo stands for a group, and why.

score = 0.40 quality + 0.30 closeness to the centroid + 0.15 subject + 0.15 recency; a part that is
not known is left out and the other weights grow to make up for it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from statistics import median

import numpy as np
import numpy.typing as npt

WEIGHTS = {"quality": 0.40, "centrality": 0.30, "subject": 0.15, "recency": 0.15}
HALF_LIFE_DAYS = 30.0
HYSTERESIS = 0.05
LEAST_QUALITY = 0.25
LEAST_OF_MEDIAN = 0.5
"""A photo is poor whose sharpness, exposure or pixels are below this share of what its cluster has
in the middle: ``quality`` is a mean, in which blur alone hides behind size and colour, and how
sharp is sharp depends on what is shown. See tests/bench/hero_quality.py."""
ENOUGH_PIXELS = 1080 * 1350
"""More than that do not show in a feed, so that no photo that has them is poor for others' sake."""
ENOUGH = 8
"""From so many members on only the more central half comes into question: of the labelled photos,
33 of 34 heroes are then of what their cluster mostly shows, and 30 of 35 by the score alone."""
SAMPLE = 200
"""How many members, the most central ones, come into question in a large cluster."""
MOST = 10
"""How many heroes a cluster has at most."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member that may become the hero; each part is 0..1 (values outside are clipped) or None.

    ``centrality`` is the cosine to the centroid of the group, ``subject`` the share or score of a
    face or main subject; ``sharpness`` and ``exposure`` are parts of ``quality``.
    """

    id: str
    quality: float | None = None
    centrality: float | None = None
    subject: float | None = None
    created_at: datetime | None = None
    vetoed: bool = False
    sharpness: float | None = None
    exposure: float | None = None
    pixels: int = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a score, each 0..1, None where nothing is known."""

    quality: float | None
    centrality: float | None
    subject: float | None
    recency: float | None

    @property
    def score(self) -> float:
        """The weighted mean of the known parts, 0 when there are none."""
        known = {
            field.name: float(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        weight = sum(WEIGHTS[name] for name in known)
        return sum(WEIGHTS[name] * value for name, value in known.items()) / weight if known else 0


@dataclass(frozen=True, slots=True)
class Hero:
    """A chosen member with its score and the parts that explain it."""

    id: str
    score: float
    parts: Parts
    pinned: bool = False


def choose_hero(
    candidates: Sequence[Candidate],
    as_of: datetime,
    current: str | None = None,
    pinned: str | None = None,
) -> Hero | None:
    """The hero of a group, or None when it has no members or all are vetoed.

    A ``pinned`` member wins. The ``current`` hero stays until another one is better by
    ``HYSTERESIS``. Ties go to the newer photo, then to the lower id.
    """
    by_id = {candidate.id: candidate for candidate in candidates}
    floors = Floors.of(candidates)
    if pinned in by_id:
        parts = parts_of(by_id[pinned], as_of)
        return Hero(pinned, parts.score, parts, pinned=True)
    ranked = rank(candidates, as_of)
    if not ranked:
        return None
    sitting = next((hero for hero in ranked if hero.id == current), None)
    if sitting is None or not floors.accept(by_id[sitting.id], by_id[ranked[0].id]):
        return ranked[0]
    better = ranked[0].score - sitting.score >= HYSTERESIS - 1e-9
    return ranked[0] if better else sitting


def rank(candidates: Sequence[Candidate], as_of: datetime) -> list[Hero]:
    """All candidates that are not vetoed, best first.

    Poor photos come after all others, however central they are, and before them those that are far
    from the centre.
    """
    floors = Floors.of(candidates)
    scored = [
        (floors.tier(candidate), -(parts := parts_of(candidate, as_of)).score, candidate, parts)
        for candidate in candidates
        if not candidate.vetoed
    ]
    scored.sort(key=lambda entry: (entry[0], round(entry[1], 9), *_newest_first(entry[2])))
    return [Hero(candidate.id, -score, parts) for _, score, candidate, parts in scored]


def parts_of(candidate: Candidate, as_of: datetime) -> Parts:
    """The parts of a candidate's score at a time."""
    return Parts(
        quality=_clipped(candidate.quality),
        centrality=_clipped(candidate.centrality),
        subject=_clipped(candidate.subject),
        recency=_recency(candidate.created_at, as_of),
    )


def _recency(created_at: datetime | None, as_of: datetime) -> float | None:
    if created_at is None:
        return None
    days = max((as_of - created_at).total_seconds() / 86_400, 0.0)
    return float(0.5 ** (days / HALF_LIFE_DAYS))


def _clipped(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return min(max(float(value), 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Floors:
    """What a photo must reach so as not to be poor, and not to be far from the centre; 0 where
    nothing is known of the others."""

    sharpness: float
    exposure: float
    pixels: float
    centrality: float

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> "Floors":
        """The floors among the members of a group."""
        pixels = [candidate.pixels for candidate in candidates if candidate.pixels]
        central = [value for c in candidates if (value := _clipped(c.centrality)) is not None]
        return cls(
            _floor(c.sharpness for c in candidates),
            _floor(c.exposure for c in candidates),
            min(LEAST_OF_MEDIAN * median(pixels), ENOUGH_PIXELS) if pixels else 0.0,
            median(central) if len(central) >= ENOUGH else 0.0,
        )

    def tier(self, candidate: Candidate) -> int:
        """0 for what may stand for the group, 1 for what is far from its centre, 2 for the poor."""
        if self.is_poor(candidate):
            return 2
        return int(_is_below(candidate.centrality, self.centrality))

    def is_poor(self, candidate: Candidate) -> bool:
        """Whether it is too bad technically to stand for the group while there is another."""
        return (
            _is_below(candidate.quality, LEAST_QUALITY)
            or _is_below(candidate.sharpness, self.sharpness)
            or _is_below(candidate.exposure, self.exposure)
            or 0 < candidate.pixels < self.pixels
        )

    def accept(self, sitting: Candidate, best: Candidate) -> bool:
        """A poor photo does not stay for the sake of stability when there is a good one."""
        return self.is_poor(best) or not self.is_poor(sitting)


def _floor(values: Iterable[float | None]) -> float:
    known = [value for value in map(_clipped, values) if value is not None]
    return LEAST_OF_MEDIAN * median(known) if known else 0.0


def _is_below(value: float | None, floor: float) -> bool:
    known = _clipped(value)
    return known is not None and known < floor


def _newest_first(candidate: Candidate) -> tuple[float, str]:
    moment = candidate.created_at
    return (math.inf if moment is None else -moment.timestamp()), candidate.id


def top_heroes(
    candidates: Sequence[Candidate],
    vectors: Mapping[str, npt.NDArray[np.float32]],
    as_of: datetime,
    most: int,
    max_cosine: float,
    pinned: str = "",
) -> list[Hero]:
    """The members that together stand for a group, at most so many, best first.

    A ``pinned`` one comes first. No two reach ``max_cosine``; vetoed and poor ones are left out,
    poor ones only while there are others. ``vectors`` are by id, of unit length.
    """
    floors = Floors.of(candidates)
    by_id = {candidate.id: candidate for candidate in candidates}
    ranked = rank(candidates, as_of)
    good = [hero for hero in ranked if not floors.is_poor(by_id[hero.id])] or ranked
    if pinned in by_id:
        parts = parts_of(by_id[pinned], as_of)
        first = Hero(pinned, parts.score, parts, pinned=True)
        good = [first, *(hero for hero in good if hero.id != pinned)]
    if not good:
        return []
    rows = np.stack([vectors[hero.id] for hero in good])
    kept = set(diverse_top_k([hero.id for hero in good], rows, most, max_cosine))
    return [hero for hero in good if hero.id in kept]


def diverse_top_k(
    ranked: Sequence[str],
    vectors: npt.NDArray[np.float32],
    k: int,
    max_cosine: float = 0.9,
) -> list[str]:
    """The first ``k`` of ``ranked`` ids of which no two reach ``max_cosine``.

    ``vectors`` is (n, d), unit length, row i belongs to ``ranked[i]``. Fewer than ``k`` ids come
    back when the group is not diverse enough.
    """
    chosen: list[int] = []
    for place in range(len(ranked)):
        if len(chosen) == k:
            break
        if not chosen or float((vectors[chosen] @ vectors[place]).max()) < max_cosine:
            chosen.append(place)
    return [ranked[place] for place in chosen]
