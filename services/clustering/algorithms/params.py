"""The settings of the engine, with the measured defaults."""

from dataclasses import dataclass

from libs.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Params:
    """All thresholds of the engine; the defaults transfer between collections and models.

    ``granularity`` (rho, the cosine expected within a group) is the one knob for people: .25 gives
    fewer and broader groups, .55 more and finer ones. ``near_duplicate`` belongs to the embedding
    model and comes from its card; two vectors at or above this cosine are one photo.

    A group has at least ``min_size`` photos whose mean pairwise cosine after centring, on the
    first ``dimensions`` main axes, is at least ``min_cohesion``. ``count_cap`` keeps large groups
    from growing picky; members more than ``outlier_z`` deviations further out than usual are left
    outside; items choose anew ``refine_passes`` times.

    Up to ``direct_max`` photos are compared pair by pair. Above that a ``sample`` is summarised in
    ``micro_clusters``, and up to ``rounds`` times the photos left over are looked at again.

    Up to ``first_fit`` photos every change makes a full fit due. Later it is when more than a share
    of ``growth`` - 1 came or went (``growth_when_small`` under ``small_below`` photos), when new
    photos stay outside more often than the fitted ones by ``pool_share_max``, or when those that a
    group took are less close to it than the fitted ones by a share of ``drift_max``. New groups are
    looked for among the latest ``pool_max`` photos outside; groups merge at a Bayes factor of
    ``merge_margin``.
    """

    granularity: float = 0.40
    near_duplicate: float = 0.97
    min_size: int = 4
    count_cap: float = 8.0
    dimensions: int = 128
    outlier_z: float = 3.0
    min_cohesion: float = 0.23
    refine_passes: int = 1
    direct_max: int = 6_000
    sample: int = 50_000
    micro_clusters: int = 4_096
    rounds: int = 2
    first_fit: int = 50
    growth: float = 1.2
    growth_when_small: float = 1.052
    small_below: int = 5_000
    pool_max: int = 1_500
    pool_share_max: float = 0.25
    drift_max: float = 0.04
    merge_margin: float = 0.02
    seed: int = 20

    def __post_init__(self) -> None:
        _within("granularity", self.granularity, 0.05, 0.95)
        _within("near_duplicate", self.near_duplicate, 0.0, 1.0)
        _within("min_size", self.min_size, 2, 1_000)
        _within("min_cohesion", self.min_cohesion, 0.0, 1.0)
        _within("dimensions", self.dimensions, 1, 4_096)
        _within("growth", self.growth, 1.01, 100.0)
        _within("drift_max", self.drift_max, 0.0, 1.0)
        _within("growth_when_small", self.growth_when_small, 1.01, 100.0)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidArgument.of(name, f"is {value}; choose a value from {low} to {high}")
