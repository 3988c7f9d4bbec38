"""A theme of a persona, with the share of its posts that it should get."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from libs.errors import FailedPrecondition, InvalidArgument
from libs.names import id_from_title
from services.catalog.domain.names import PERSONA, PILLAR
from services.catalog.domain.texts import comparable, display_name

DEFAULT_PRIORITY = 3
MAX_WEIGHT = 100
_MAX_ID = 63


class PillarState(StrEnum):
    """Whether a pillar counts."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


@dataclass(frozen=True, slots=True)
class Guidelines:
    """What the content of a pillar should be like."""

    tone: str = ""
    topics: tuple[str, ...] = ()
    avoid_topics: tuple[str, ...] = ()
    style_notes: str = ""


@dataclass(frozen=True, slots=True)
class Pillar:
    """A strategic theme. ``weight`` is in per cent; ``priority`` 5 is highest.

    ``posts_per_week`` None means its weight of what the persona posts in all. ``photo_count`` is
    what was counted when the pillar was read.
    """

    persona: str
    id: str
    display_name: str
    create_time: datetime
    update_time: datetime
    description: str = ""
    weight: int = 0
    priority: int = DEFAULT_PRIORITY
    posts_per_week: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    guidelines: Guidelines | None = None
    state: PillarState = PillarState.ACTIVE
    photo_count: int = 0
    version: int = 1

    @property
    def name(self) -> str:
        """The resource name."""
        return PILLAR.format(self.persona, self.id)

    @property
    def display_key(self) -> str:
        """Equal for display names that count as the same."""
        return comparable(self.display_name)

    def weighs(self, now: datetime) -> bool:
        """Whether its weight counts in the sum: active and not ended."""
        return self.state is PillarState.ACTIVE and not self.ended(now)

    def ended(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.end_time is not None and self.end_time <= now

    def planned(self, now: datetime) -> bool:
        """Whether posts are planned for it: active, started and not ended."""
        return self.weighs(now) and (self.start_time is None or self.start_time <= now)


def checked_pillar(pillar: Pillar) -> Pillar:
    """``pillar`` in the form in which it is kept. Raises InvalidArgument."""
    start, end = pillar.start_time, pillar.end_time
    if start is not None and end is not None and end <= start:
        raise InvalidArgument.of("pillar.end_time", "must be later than start_time")
    return replace(
        pillar,
        display_name=display_name(pillar.display_name, "pillar.display_name"),
        priority=pillar.priority or DEFAULT_PRIORITY,
    )


def free_id(title: str, taken: Collection[str]) -> str:
    """An id made of a title, with a number behind it if it is taken."""
    try:
        id = id_from_title(title, "pillar_id")
    except InvalidArgument:  # nothing in it that an id may hold, as in other scripts
        id = "pillar"
    number = 1
    free = id
    while free in taken:
        number += 1
        ending = f"-{number}"
        free = id[: _MAX_ID - len(ending)].rstrip("-") + ending
    return free


def check_weight(pillar: Pillar, others: int, now: datetime) -> None:
    """Passes if the pillar's weight fits beside ``others``, the sum of the other ones that count.

    Raises FailedPrecondition (WEIGHTS_EXCEED_100; metadata sum, left) if not.
    """
    check_weights(pillar.persona, [pillar], others, now)


def check_weights(persona: str, pillars: Collection[Pillar], others: int, now: datetime) -> None:
    """Passes if the weights of ``pillars`` fit together beside ``others``, as in check_weight."""
    weighing = [pillar for pillar in pillars if pillar.weighs(now)]
    total = others + sum(pillar.weight for pillar in weighing)
    if total <= MAX_WEIGHT or not weighing:
        return
    left = MAX_WEIGHT - others
    these = "this one" if len(pillars) == 1 else f"these {len(pillars)}"
    raise FailedPrecondition(
        f"the weights of the active pillars of {PERSONA.format(persona)} would sum to "
        f"{total}; {left} of {MAX_WEIGHT} is left for {these}",
        reason="WEIGHTS_EXCEED_100",
        metadata={"sum": str(total), "left": str(left)},
    )
