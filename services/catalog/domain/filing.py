"""Which pillar a photo belongs to, by what it is like and by the words that it came with.

Photos that are filed vote for their pillars, those nearest to the photo most of all. Distances are
in units of that at which two photos are usually of one scene, so that they mean the same whatever
model made the vectors. A vote weighs ``exp(-(d / 0.6)²)``; the share of the votes that a pillar has
is multiplied by how sure it is that the photo is like anything here at all,
``1 - Π (1 - 0.9 / (1 + exp((d - 1.5) / 0.2)))``. Photos that nobody has confirmed count 0.3 of
that, so that errors do not breed. Words of the folder, the file name or the tags that a pillar
knows count as one confirmed photo at a distance that says how well they fit. The numbers were
fitted on labelled photos; ``tests/bench/filing_quality.py`` measures them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.errors import FailedPrecondition
from services.catalog.domain.hints import Hint, hints_of
from services.catalog.domain.photo import (
    EmbeddingState,
    Filing,
    FilingState,
    Photo,
    Proposal,
)
from services.catalog.domain.pillar import Pillar

_REACH = 0.6
_SURE_OF_ONE = 0.9
_HALF_AS_SURE = 1.5
_SLOPE = 0.2
_UNCONFIRMED = 0.3

_SHOWN = 12
_ALTERNATIVES = 3
_LEAST = 0.01


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A filed photo that is like another.

    ``similarity`` is the cosine of their vectors, ``distance`` is told above. ``confirmed``: a
    person or the importer named its pillar.
    """

    pillar: str
    file_name: str
    similarity: float
    distance: float
    confirmed: bool = True


def distance_of(similarity: float, scene_similarity: float) -> float:
    """How far apart two photos are, given the cosine that photos of one scene usually reach."""
    return max(0.0, 1 - similarity) / (1 - scene_similarity)


def looked_at(
    photo: Photo,
    neighbours: Iterable[Neighbour],
    pillars: Sequence[Pillar],
    enough: float,
    now: datetime,
) -> Photo:
    """The photo under the pillar that the evidence speaks for.

    PROPOSED if the confidence reaches ``enough``, else for REVIEW: then it stays where it is if
    nothing speaks for any pillar. Only pillars whose weight counts at ``now`` come into question.
    Where there is but one of them, the photo goes there.
    """
    open_pillars = [pillar for pillar in pillars if pillar.weighs(now)]
    failed = photo.embedding.state is EmbeddingState.FAILED
    if len(open_pillars) == 1 and not failed:
        only = open_pillars[0]
        reason = f"{only.display_name} is the only active pillar"
        return replace(photo, pillar=only.id, filing=Filing(FilingState.PROPOSED, 1.0, reason))
    near = sorted(neighbours, key=lambda n: (n.distance, n.pillar, n.file_name))
    hints = hints_of(photo, open_pillars)
    names = {pillar.id: pillar.display_name for pillar in open_pillars}
    ranked = _ranked(near, hints, names)
    if not ranked:
        reason = _failure(photo) if failed else "nothing like it has been filed yet"
        return replace(photo, filing=Filing(FilingState.REVIEW, reason=reason))
    best = ranked[0]
    reason = _reason(near, hints.get(best.pillar), best.pillar, names[best.pillar])
    sure = best.confidence >= enough and not failed
    state = FilingState.PROPOSED if sure else FilingState.REVIEW
    reason = f"{_failure(photo)}; {reason}" if failed else reason
    filing = Filing(state, best.confidence, reason, tuple(ranked[1 : _ALTERNATIVES + 1]))
    return replace(photo, pillar=best.pillar, filing=filing)


def accepted(photo: Photo) -> Photo:
    """The photo, settled where it was proposed. Raises FailedPrecondition (NO_PROPOSAL)."""
    filing = photo.filing
    if filing.state is FilingState.PENDING or (not filing.settled and not filing.confidence):
        raise no_proposal(photo.name)
    return replace(photo, filing=replace(filing, state=FilingState.CONFIRMED))


def no_proposal(photo: str) -> FailedPrecondition:
    """What to raise where no pillar is proposed for the photo of that name."""
    return FailedPrecondition(
        f"no pillar is proposed for {photo}; move it to one",
        reason="NO_PROPOSAL",
        metadata={"photo": photo},
    )


def _ranked(
    near: Sequence[Neighbour], hints: Mapping[str, Hint], names: Mapping[str, str]
) -> list[Proposal]:
    """The pillars that something speaks for, surest first."""
    evidence = [(n.pillar, n.distance, 1.0 if n.confirmed else _UNCONFIRMED) for n in near]
    evidence += [(pillar, hint.distance, 1.0) for pillar, hint in hints.items()]
    votes: dict[str, list[float]] = {}
    doubts: list[float] = []
    for pillar, distance, weight in evidence:
        votes.setdefault(pillar, []).append(weight * math.exp(-((distance / _REACH) ** 2)))
        doubts.append(math.log1p(-weight * _sure_at(distance)))
    # Sums that do not depend on the order of what is added.
    known = -math.expm1(math.fsum(doubts))
    whole = math.fsum(vote for group in votes.values() for vote in group)
    if not whole:
        return []
    proposals = [
        Proposal(pillar, min(1.0, math.fsum(votes[pillar]) / whole * known))
        for pillar in names
        if pillar in votes
    ]
    ranked = sorted(proposals, key=lambda p: (-p.confidence, p.pillar))
    return [proposal for proposal in ranked if proposal.confidence >= _LEAST]


def _sure_at(distance: float) -> float:
    """How sure a confirmed photo at this distance makes that the other one belongs here too."""
    return _SURE_OF_ONE / (1 + math.exp((min(distance, 100.0) - _HALF_AS_SURE) / _SLOPE))


def _reason(near: Sequence[Neighbour], hint: Hint | None, pillar: str, name: str) -> str:
    """Why this pillar: the photos that speak for it, the words, or both, the better one first."""
    nearest = next((n for n in near if n.pillar == pillar), None)
    reasons = [] if hint is None else [(hint.distance, hint.reason)]
    if nearest is not None:
        reasons.append((nearest.distance, _neighbourhood(near, nearest, name)))
    return "; ".join(reason for _, reason in sorted(reasons))


def _neighbourhood(near: Sequence[Neighbour], nearest: Neighbour, name: str) -> str:
    like = [n for n in near if n.distance <= _HALF_AS_SURE][:_SHOWN]
    here = sum(n.pillar == nearest.pillar for n in like)
    if not here:
        return f"only {nearest.file_name} in {name} is a little like it ({nearest.similarity:.2f})"
    example = f"{nearest.similarity:.2f} to the nearest, {nearest.file_name}"
    if len(like) == 1:
        example = f"{nearest.similarity:.2f}, {nearest.file_name}"
        return f"the photo nearest to it is in {name} ({example})"
    count = f"all of its {here}" if here == len(like) else f"{here} of its {len(like)}"
    return f"{count} nearest photos {'is' if here == 1 else 'are'} in {name} ({example})"


def _failure(photo: Photo) -> str:
    return f"it could not be embedded ({photo.embedding.error_message})"
