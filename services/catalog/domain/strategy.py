"""What a persona aims at: how much it posts in all, and how that is shared among its pillars."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from libs.errors import InvalidArgument
from services.catalog.domain.names import no_pillar
from services.catalog.domain.pillar import Pillar, PillarState, check_weights

DEFAULT_POSTS_PER_WEEK = 3


@dataclass(frozen=True, slots=True)
class Strategy:
    """The pillars of a persona, and how many posts a week it aims at in all."""

    persona: str
    pillars: tuple[Pillar, ...]
    posts_per_week: int = DEFAULT_POSTS_PER_WEEK


@dataclass(frozen=True, slots=True)
class PillarChange:
    """What would change about one pillar; None leaves things as they are.

    ``clear_posts_per_week`` takes its own number away, so that its weight decides.
    """

    pillar: str
    weight: int | None = None
    posts_per_week: int | None = None
    clear_posts_per_week: bool = False
    state: PillarState | None = None

    def applied(self, pillar: Pillar) -> Pillar:
        """``pillar`` after the change."""
        target = pillar.posts_per_week if self.posts_per_week is None else self.posts_per_week
        return replace(
            pillar,
            weight=pillar.weight if self.weight is None else self.weight,
            posts_per_week=None if self.clear_posts_per_week else target,
            state=self.state or pillar.state,
        )


@dataclass(frozen=True, slots=True)
class StrategyChange:
    """What would change about pillars and about the posts a week in all; None: as it is."""

    pillars: tuple[PillarChange, ...] = ()
    posts_per_week: int | None = None


def changed(strategy: Strategy, change: StrategyChange, now: datetime) -> Strategy:
    """``strategy`` after the change, by the rules for keeping it.

    Raises NotFound for an unknown pillar, InvalidArgument for one that is named twice,
    FailedPrecondition (WEIGHTS_EXCEED_100).
    """
    changes = _by_pillar(change.pillars)
    known = {pillar.id for pillar in strategy.pillars}
    if unknown := next((id for id in changes if id not in known), None):
        raise no_pillar(strategy.persona, unknown)
    after = {p.id: changes[p.id].applied(p) for p in strategy.pillars if p.id in changes}
    others = sum(p.weight for p in strategy.pillars if p.id not in after and p.weighs(now))
    check_weights(strategy.persona, after.values(), others, now)
    return replace(
        strategy,
        pillars=tuple(after.get(pillar.id, pillar) for pillar in strategy.pillars),
        posts_per_week=change.posts_per_week or strategy.posts_per_week,
    )


def _by_pillar(changes: Iterable[PillarChange]) -> dict[str, PillarChange]:
    found: dict[str, PillarChange] = {}
    for index, change in enumerate(changes):
        if change.pillar in found:
            raise InvalidArgument.of(f"changes[{index}].pillar", "is named twice; name it once")
        if change.clear_posts_per_week and change.posts_per_week is not None:
            raise InvalidArgument.of(
                f"changes[{index}].clear_posts_per_week", "contradicts posts_per_week; send one"
            )
        found[change.pillar] = change
    return found
