"""Which pillar a photo or a run of an older library goes to, and by which rule.

A photo: the primary pillar of its cluster, else the first one, else the persona's first pillar in
use, else a person decides. "First" is the lowest (time of creation, id). A run: the same, but it
has no default: without a cluster that says it, a run has no pillar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.catalog.legacy.library import (
    Assignment,
    LegacyLibrary,
    LegacyPhoto,
    LegacyPillar,
    LegacyRun,
)


class Rule(StrEnum):
    """Why it went where it did."""

    PRIMARY_PILLAR = "PRIMARY_PILLAR"
    FIRST_PILLAR = "FIRST_PILLAR"
    DEFAULT_PILLAR = "DEFAULT_PILLAR"
    NO_PILLAR = "NO_PILLAR"
    QUARANTINE = "QUARANTINE"
    MANUAL = "MANUAL"


class Doubt(StrEnum):
    """What a person should know of a decision."""

    ORPHAN = "ORPHAN"
    DANGLING_CLUSTER = "DANGLING_CLUSTER"
    CLUSTER_WITHOUT_PILLAR = "CLUSTER_WITHOUT_PILLAR"
    DANGLING_PILLAR = "DANGLING_PILLAR"
    FOREIGN_PILLAR = "FOREIGN_PILLAR"
    SEVERAL_PRIMARIES = "SEVERAL_PRIMARIES"
    INACTIVE_PILLAR = "INACTIVE_PILLAR"
    ENDED_PILLAR = "ENDED_PILLAR"
    ARCHIVED_PERSONA = "ARCHIVED_PERSONA"


NO_PERSONA = "NO_PERSONA"
NO_ACTIVE_PILLAR = "NO_ACTIVE_PILLAR"


@dataclass(frozen=True, slots=True)
class Decision:
    """Where something goes: ``pillar`` is the older id, empty for none; ``error`` says why a
    person must decide."""

    rule: Rule
    pillar: str = ""
    doubts: tuple[Doubt, ...] = ()
    error: str = ""


def decide_photo(photo: LegacyPhoto, library: LegacyLibrary, now: datetime) -> Decision:
    """Where ``photo`` goes."""
    persona = library.persona_of.get(photo.persona)
    if persona is None:
        return Decision(Rule.QUARANTINE, error=NO_PERSONA)
    doubts = [Doubt.ARCHIVED_PERSONA] if persona.archived else []
    rule, pillar, more = _linked(photo.cluster, photo.persona, library)
    doubts += more
    if pillar is None:
        rule, pillar = Rule.DEFAULT_PILLAR, _default(photo.persona, library, now)
    if pillar is None:
        return Decision(Rule.QUARANTINE, doubts=tuple(doubts), error=NO_ACTIVE_PILLAR)
    if not pillar.active:
        doubts.append(Doubt.INACTIVE_PILLAR)
    if pillar.ended(now):
        doubts.append(Doubt.ENDED_PILLAR)
    return Decision(rule, pillar.id, tuple(doubts))


def decide_run(run: LegacyRun, library: LegacyLibrary) -> Decision:
    """Where ``run`` goes."""
    persona = persona_of_run(run, library)
    if persona not in library.persona_of:
        return Decision(Rule.QUARANTINE, error=NO_PERSONA)
    rule, pillar, doubts = _linked(run.cluster, persona, library)
    unlinked = [doubt for doubt in doubts if doubt is not Doubt.ORPHAN]
    if pillar is None:
        return Decision(Rule.NO_PILLAR, doubts=tuple(unlinked))
    return Decision(rule, pillar.id, tuple(unlinked))


def persona_of_run(run: LegacyRun, library: LegacyLibrary) -> str:
    """The persona of a run; that of its cluster where it names none."""
    cluster = library.cluster_of.get(run.cluster)
    return run.persona or (cluster.persona if cluster else "")


def _linked(
    cluster: str, persona: str, library: LegacyLibrary
) -> tuple[Rule, LegacyPillar | None, list[Doubt]]:
    """What the cluster says. The assignments of a cluster that is gone are not believed."""
    if not cluster:
        return Rule.NO_PILLAR, None, [Doubt.ORPHAN]
    if cluster not in library.cluster_of:
        return Rule.NO_PILLAR, None, [Doubt.DANGLING_CLUSTER]
    assignments = library.assignments_of.get(cluster, [])
    usable, doubts = _usable(assignments, persona, library)
    primaries = [a for a in usable if a.primary]
    if len(primaries) > 1:
        doubts.append(Doubt.SEVERAL_PRIMARIES)
    if primaries:
        return Rule.PRIMARY_PILLAR, library.pillar_of[primaries[0].pillar], doubts
    if usable:
        return Rule.FIRST_PILLAR, library.pillar_of[usable[0].pillar], doubts
    return Rule.NO_PILLAR, None, [*doubts, Doubt.CLUSTER_WITHOUT_PILLAR]


def _usable(
    assignments: Sequence[Assignment], persona: str, library: LegacyLibrary
) -> tuple[list[Assignment], list[Doubt]]:
    """The assignments to pillars of the persona, first ones first."""
    usable: list[Assignment] = []
    doubts: list[Doubt] = []
    for assignment in assignments:
        pillar = library.pillar_of.get(assignment.pillar)
        if pillar is None:
            doubts.append(Doubt.DANGLING_PILLAR)
        elif pillar.persona != persona:
            doubts.append(Doubt.FOREIGN_PILLAR)
        else:
            usable.append(assignment)
    return usable, list(dict.fromkeys(doubts))


def _default(persona: str, library: LegacyLibrary, now: datetime) -> LegacyPillar | None:
    pillars = library.pillars_of.get(persona, [])
    return next((pillar for pillar in pillars if pillar.counts(now)), None)
