"""What two photos are to each other, by two channels of evidence: pictures and vectors."""

from dataclasses import dataclass
from enum import StrEnum

# Below so many pixels a copy has lost details that its original has.
_SMALL = 40_000
# How much less of the structure a small copy need show.
_SMALL_PART = 0.8
# Of a copy, nearly every place looks the same: shots of one scene differ here and there.
_COPY_AGREEMENT = 0.92
# An edit that shows less of a picture is another picture to who sees it.
_SEEN_OVERLAP = 0.5


class Verdict(StrEnum):
    """Copies of one picture, one picture edited, shots of one moment, or neither."""

    DUPLICATE = "duplicate"
    VARIANT = "variant"
    BURST = "burst"
    DIFFERENT = "different"


# Those that make sets, in the order in which a photo is claimed by them.
MAKING_SETS = (Verdict.DUPLICATE, Verdict.VARIANT, Verdict.BURST)


@dataclass(frozen=True, slots=True)
class Look:
    """What two pictures showed when they were laid over each other.

    See libs.image_match.Match; all 0..1, ``structure`` -1..1.
    """

    structure: float
    agreement: float
    overlap: float
    colour: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of two photos.

    ``cosine`` of their vectors, None below what is remembered; ``distance`` in bits of their hashes
    and the ``orientation`` of the second that gives it (EXIF 1 to 8; 0 unknown), None without
    hashes; ``look`` None while the pictures were not compared; ``seconds_apart`` None unless both
    were dated; ``pixels`` of the smaller one.
    """

    cosine: float | None = None
    distance: int | None = None
    orientation: int = 0
    look: Look | None = None
    seconds_apart: float | None = None
    pixels: int = _SMALL


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where verdicts begin.

    ``scene_cosine`` is that of the model: what two shots of one scene usually reach.
    ``min_cosine`` is asked of those whose times are unknown.
    """

    min_structure: float = 0.95
    max_distance: int = 36
    min_overlap: float = 0.75
    max_colour: float = 0.45
    min_agreement: float = 0.5
    min_cosine: float = 0.92
    burst_seconds: float = 60.0
    scene_cosine: float = 0.92


def verdict_of(evidence: Evidence, thresholds: Thresholds) -> Verdict:
    """What two photos are to each other.

    A copy shows nearly all of the picture, in its colours, with the same details. A variant shows
    the same details in many places. Shots of one moment are like each other to the model, and were
    taken within a short time of each other, or it is not known when. A copy keeps the time of its
    original: what was taken a moment later is another shot, however little has moved.
    """
    if evidence.seconds_apart and _is_burst(evidence, thresholds):
        return Verdict.BURST
    if _is_copy(evidence, thresholds):
        return Verdict.DUPLICATE
    if evidence.look is not None and evidence.look.agreement >= thresholds.min_agreement:
        return Verdict.VARIANT
    return Verdict.BURST if _is_burst(evidence, thresholds) else Verdict.DIFFERENT


def is_seen_again(verdict: Verdict, evidence: Evidence) -> bool:
    """Whether who sees both photos sees one picture twice: a copy, or an edit that shows at least
    half of it. Shots of one moment are pictures of their own."""
    if verdict is Verdict.VARIANT and evidence.look is not None:
        return evidence.look.overlap >= _SEEN_OVERLAP
    return verdict in (Verdict.DUPLICATE, Verdict.VARIANT)


def _is_copy(evidence: Evidence, thresholds: Thresholds) -> bool:
    look, distance = evidence.look, evidence.distance
    if look is None:
        # Without a look, half of the distance: unrelated pictures come near the whole of it.
        return distance is not None and distance <= thresholds.max_distance // 2
    if look.overlap < thresholds.min_overlap or look.colour > thresholds.max_colour:
        return False
    # Half way from the threshold to identity, weak details may differ.
    sure = look.structure >= (1.0 + thresholds.min_structure) / 2
    if sure or (look.structure >= thresholds.min_structure and look.agreement >= _COPY_AGREEMENT):
        return True
    near = distance is not None and distance <= thresholds.max_distance
    small = evidence.pixels < _SMALL
    return near and small and look.structure >= _SMALL_PART * thresholds.min_structure


def _is_burst(evidence: Evidence, thresholds: Thresholds) -> bool:
    if evidence.cosine is None:
        return False
    if evidence.seconds_apart is None:
        return evidence.cosine >= thresholds.min_cosine
    within = evidence.seconds_apart <= thresholds.burst_seconds
    return within and evidence.cosine >= thresholds.scene_cosine
