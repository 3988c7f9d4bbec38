"""Which curated clusters feed which pillars."""

from dataclasses import dataclass
from datetime import datetime

from libs.errors import InvalidArgument
from libs.names import pattern

PILLAR = pattern("personas/{persona}/pillars/{pillar}")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A curated cluster that feeds a pillar. The pillar is a name; whether there is such a one is
    for the catalog to know."""

    cluster_id: str
    scope: str
    pillar: str
    primary: bool
    notes: str
    create_time: datetime


def require_same_persona(scope: str, pillar: str) -> None:
    """Raises InvalidArgument on ``pillar`` for one of another persona."""
    persona, _ = PILLAR.parse(pillar, "pillar")
    if scope != f"personas/{persona}":
        raise InvalidArgument.of("pillar", f"{pillar} is not a pillar of {scope}")
