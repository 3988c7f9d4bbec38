"""Where the reasons of plans are kept."""

from typing import Protocol

from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.names import Key
from services.scheduler.domain.plan_record import PlanRecord


class PlanDecisions(Protocol):
    """Why photos were chosen."""

    async def add(self, record: PlanRecord) -> None:
        """Keeps a decision."""

    async def get(self, key: Key) -> PlanRecord:
        """Raises NotFound."""

    async def page(self, persona: str, page: PageRequest) -> Page[PlanRecord]:
        """One page, newest first."""
