"""What is remembered of a decision of the planner."""

from dataclasses import dataclass
from datetime import datetime

from services.scheduler.domain.names import Key
from services.scheduler.domain.planning import Decision, Strategy


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """The decision for ``post`` (a resource name), and when it was made."""

    persona: str
    id: str
    post: str
    strategy: Strategy
    decision: Decision
    create_time: datetime

    @property
    def key(self) -> Key:
        """The ids in its name."""
        return Key(self.persona, self.id)
