"""How well verdicts agree with what people decided."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.clustering.domain.duplicate_sets import KnownPair
from services.clustering.domain.verdict import Thresholds, Verdict, verdict_of

_FEWEST_REVIEWS = 20
_PRECISION = 0.99


@dataclass(frozen=True, slots=True)
class Quality:
    """Reviewed pairs by (decision, verdict), and the ``min_structure`` that would find the most
    copies at a precision of 0.99; None if there is too little to tell by."""

    outcomes: Mapping[tuple[Verdict, Verdict], int]
    suggested_min_structure: float | None

    @property
    def pairs(self) -> int:
        return sum(self.outcomes.values())

    @property
    def found(self) -> int:
        """Copies that were found to be."""
        return self.outcomes.get((Verdict.DUPLICATE, Verdict.DUPLICATE), 0)

    @property
    def missed(self) -> int:
        """Copies that were taken for something else."""
        return self._copies - self.found

    @property
    def wrong(self) -> int:
        """What was taken for a copy and is none."""
        return sum(
            count
            for (decision, verdict), count in self.outcomes.items()
            if verdict is Verdict.DUPLICATE and decision is not Verdict.DUPLICATE
        )

    @property
    def precision(self) -> float | None:
        """The share of what was found that is right; None when nothing was found."""
        return self.found / (self.found + self.wrong) if self.found + self.wrong else None

    @property
    def recall(self) -> float | None:
        """The share of copies that was found; None without any."""
        return self.found / self._copies if self._copies else None

    @property
    def _copies(self) -> int:
        counted = self.outcomes.items()
        return sum(count for (decision, _), count in counted if decision is Verdict.DUPLICATE)


def quality(pairs: Sequence[KnownPair], thresholds: Thresholds) -> Quality:
    """Measures the verdicts on pairs that people decided about; the others are passed over."""
    reviewed = [pair for pair in pairs if pair.decision is not None]
    return Quality(_outcomes(reviewed, thresholds), _suggestion(reviewed, thresholds))


def _outcomes(
    pairs: Sequence[KnownPair], thresholds: Thresholds
) -> dict[tuple[Verdict, Verdict], int]:
    return dict(
        Counter(
            (pair.decision, verdict_of(pair.evidence, thresholds))
            for pair in pairs
            if pair.decision is not None
        )
    )


def _suggestion(pairs: Sequence[KnownPair], thresholds: Thresholds) -> float | None:
    copies = sum(pair.decision is Verdict.DUPLICATE for pair in pairs)
    if len(pairs) < _FEWEST_REVIEWS or copies in (0, len(pairs)):
        return None
    looks = [pair.evidence.look for pair in pairs]
    best: tuple[float, float] | None = None
    for structure in sorted({look.structure for look in looks if look and look.structure > 0}):
        tried = Quality(_outcomes(pairs, replace(thresholds, min_structure=structure)), None)
        if (tried.precision or 0.0) < _PRECISION or tried.recall is None:
            continue
        # Of equal ones the highest: the farthest from what was not reviewed yet.
        if best is None or tried.recall >= best[0]:
            best = tried.recall, structure
    return best[1] if best else None
