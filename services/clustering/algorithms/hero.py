"""Which photo stands for a group, and why.

score = 0.40 quality + 0.30 closeness to the centroid + 0.15 subject + 0.15 recency; a part that is
not known is left out and the other weights grow to make up for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import numpy as np
import numpy.typing as npt

WEIGHTS = {"quality": 0.40, "centrality": 0.30, "subject": 0.15, "recency": 0.15}
HALF_LIFE_DAYS = 30.0
HYSTERESIS = 0.05
LEAST_QUALITY = 0.25


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member that may become the hero; each part is 0..1 (values outside are clipped) or None.

    ``centrality`` is the cosine to the centroid of the group, ``subject`` the share or score of a
    face or main subject.
    """

    id: str
    quality: float | None = None
    centrality: float | None = None
    subject: float | None = None
    created_at: datetime | None = None
    vetoed: bool = False


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
    if pinned in by_id:
        parts = parts_of(by_id[pinned], as_of)
        return Hero(pinned, parts.score, parts, pinned=True)
    ranked = rank(candidates, as_of)
    if not ranked:
        return None
    sitting = next((hero for hero in ranked if hero.id == current), None)
    if sitting is None or not _acceptable(by_id[sitting.id], by_id[ranked[0].id]):
        return ranked[0]
    better = ranked[0].score - sitting.score >= HYSTERESIS - 1e-9
    return ranked[0] if better else sitting


def rank(candidates: Sequence[Candidate], as_of: datetime) -> list[Hero]:
    """All candidates that are not vetoed, best first.

    Photos of a quality below ``LEAST_QUALITY`` come after all others, however central they are.
    """
    scored = [
        (_is_poor(candidate), -(parts := parts_of(candidate, as_of)).score, candidate, parts)
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


def _is_poor(candidate: Candidate) -> bool:
    quality = _clipped(candidate.quality)
    return quality is not None and quality < LEAST_QUALITY


def _acceptable(sitting: Candidate, best: Candidate) -> bool:
    """A poor photo does not stay for the sake of stability when there is a good one."""
    return _is_poor(best) or not _is_poor(sitting)


def _newest_first(candidate: Candidate) -> tuple[float, str]:
    moment = candidate.created_at
    return (math.inf if moment is None else -moment.timestamp()), candidate.id


def diverse_top_k(
    ranked: Sequence[str],
    vectors: npt.NDArray[np.float32],
    k: int,
    max_cosine: float = 0.9,
) -> list[str]:
    """The first ``k`` of ``ranked`` ids of which no two are closer than ``max_cosine``.

    ``vectors`` is (n, d), unit length, row i belongs to ``ranked[i]``. Fewer than ``k`` ids come
    back when the group is not diverse enough.
    """
    chosen: list[int] = []
    for place in range(len(ranked)):
        if len(chosen) == k:
            break
        if not chosen or float((vectors[chosen] @ vectors[place]).max()) <= max_cosine:
            chosen.append(place)
    return [ranked[place] for place in chosen]
