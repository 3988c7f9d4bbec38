"""What detectors and classifiers say, made into findings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.embedding.regions import Region
from services.embedding.session import Floats

# More findings than this in one picture are noise.
_MOST = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """Something seen, and how surely (0 to 1); ``region`` is None for what is said of all."""

    label: str
    score: float
    region: Region | None = None


def classified(scores: Floats, labels: Sequence[str], least: float) -> tuple[Finding, ...]:
    """What a classifier says, best first: ``scores`` [labels] are probabilities or logits."""
    shares = scores if _are_shares(scores) else _softmax(scores)
    order = np.argsort(-shares, kind="stable")
    return tuple(
        Finding(labels[place], round(float(shares[place]), 4))
        for place in order[:_MOST]
        if shares[place] >= least
    )


def detected(
    boxes: Floats, scores: Floats, labels: Sequence[str], least: float, overlap: float
) -> tuple[Finding, ...]:
    """What a detector says, best first, each thing once.

    ``boxes`` [n, 4] are left, top, right, bottom in shares; ``scores`` [n, labels] probabilities.
    A label that is empty stands for the background. Of boxes of one label that share more than
    ``overlap`` of their union the best is kept.
    """
    found: list[Finding] = []
    for column, label in enumerate(labels):
        if not label:
            continue
        likely = np.flatnonzero(scores[:, column] >= least)
        order = likely[np.argsort(-scores[likely, column], kind="stable")]
        for place in _distinct(np.clip(boxes, 0.0, 1.0), order, overlap):
            left, top, right, bottom = (float(side) for side in np.clip(boxes[place], 0.0, 1.0))
            if left < right and top < bottom:
                score = round(min(1.0, float(scores[place, column])), 4)
                found.append(Finding(label, score, Region(left, top, right, bottom)))
    return tuple(sorted(found, key=lambda finding: -finding.score)[:_MOST])


def _distinct(boxes: Floats, order: np.ndarray, overlap: float) -> list[int]:
    kept: list[int] = []
    while len(order) and len(kept) < _MOST:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        order = order[_overlap(boxes[best], boxes[order]) <= overlap]
    return kept


def _overlap(box: Floats, others: Floats) -> Floats:
    """Intersection over union."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(0.0, high - low), axis=1)
    union = _area(box[None]) + _area(others) - shared
    result: Floats = np.where(union > 0, shared / np.maximum(union, 1e-12), 0.0)
    return result


def _area(boxes: Floats) -> Floats:
    result: Floats = np.prod(np.maximum(0.0, boxes[:, 2:] - boxes[:, :2]), axis=1)
    return result


def _are_shares(scores: Floats) -> bool:
    return bool((scores >= 0.0).all() and abs(float(scores.sum()) - 1.0) < 1e-3)


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max())
    shares: Floats = powers / powers.sum()
    return shares
