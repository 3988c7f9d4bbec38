"""Attempts to create a picture."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.catalog.domain.names import PILLAR, RUN, SUGGESTION
from services.catalog.domain.suggestion import Suggestion


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to create a picture. Ids that do not apply (yet) are empty."""

    persona: str
    id: str
    create_time: datetime
    update_time: datetime
    display_name: str = ""
    pillar: str = ""
    suggestion: str = ""
    prompt: str = ""
    state: RunState = RunState.RUNNING
    version: int = 1

    @property
    def name(self) -> str:
        """The resource name."""
        return RUN.format(self.persona, self.id)

    @property
    def pillar_name(self) -> str:
        """The resource name of its pillar; empty without one."""
        return PILLAR.format(self.persona, self.pillar) if self.pillar else ""

    @property
    def suggestion_name(self) -> str:
        """The resource name of the suggestion it came from; empty without one."""
        return SUGGESTION.format(self.persona, self.suggestion) if self.suggestion else ""


def run_from(suggestion: Suggestion, id: str, now: datetime) -> Run:
    """The run that makes the picture of a suggestion."""
    return Run(
        persona=suggestion.persona,
        id=id,
        create_time=now,
        update_time=now,
        display_name=suggestion.brief.title,
        pillar=suggestion.pillar,
        suggestion=suggestion.id,
        prompt=suggestion.brief.prompt,
    )
