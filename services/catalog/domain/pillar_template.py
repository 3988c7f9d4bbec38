"""Sets of pillars that suit a kind of persona, and what applying one to a persona creates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.errors import AlreadyExists
from services.catalog.domain.names import PILLAR_TEMPLATE
from services.catalog.domain.pillar import (
    DEFAULT_PRIORITY,
    Guidelines,
    Pillar,
    check_weights,
    free_id,
)
from services.catalog.domain.texts import comparable


@dataclass(frozen=True, slots=True)
class Theme:
    """A pillar of a template. ``weight`` is in per cent; ``importance`` is its priority, 1..5."""

    display_name: str
    weight: int
    description: str
    guidelines: Guidelines
    importance: int = DEFAULT_PRIORITY

    def pillar(self, persona: str, id: str, now: datetime) -> Pillar:
        """The pillar that it becomes."""
        return Pillar(
            persona,
            id,
            self.display_name,
            now,
            now,
            description=self.description,
            weight=self.weight,
            priority=self.importance,
            guidelines=self.guidelines,
        )


@dataclass(frozen=True, slots=True)
class PillarTemplate:
    """A set of pillars that suits a kind of persona. Their weights sum to 100."""

    id: str
    display_name: str
    description: str
    themes: tuple[Theme, ...]

    @property
    def name(self) -> str:
        """The resource name."""
        return PILLAR_TEMPLATE.format(self.id)


@dataclass(frozen=True, slots=True)
class Applied:
    """The pillars that a template gives a persona, and those that were there and stay."""

    created: tuple[Pillar, ...]
    skipped: tuple[Pillar, ...]


def applied(
    template: PillarTemplate,
    persona: str,
    existing: Sequence[Pillar],
    now: datetime,
    *,
    skip_existing: bool,
) -> Applied:
    """What ``template`` adds to ``existing``, all the pillars of the persona.

    A pillar of the same display name is left as it is with ``skip_existing``, else in the way.
    Raises AlreadyExists, FailedPrecondition (WEIGHTS_EXCEED_100).
    """
    there = {pillar.display_key: pillar for pillar in existing}
    skipped = [there[key] for theme in template.themes if (key := _key(theme)) in there]
    if skipped and not skip_existing:
        name = skipped[0].display_name
        text = f"the persona has a pillar called {name!r} already; nothing was created"
        raise AlreadyExists("pillar", name, text)
    ids = {pillar.id for pillar in existing}
    created = []
    for theme in template.themes:
        if _key(theme) not in there:
            id = free_id(theme.display_name, ids)
            ids.add(id)
            created.append(theme.pillar(persona, id, now))
    others = sum(pillar.weight for pillar in existing if pillar.weighs(now))
    check_weights(persona, created, others, now)
    return Applied(tuple(created), tuple(skipped))


def _key(theme: Theme) -> str:
    return comparable(theme.display_name)
