"""What is past its time and not out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.scheduler.domain.lateness import Lateness, LatePublication


class LatePublications(Protocol):
    """What is late, and of which of it somebody was told."""

    async def counts(self, now: datetime) -> Mapping[Lateness, int]:
        """How many are late for each reason; those with none are left out."""

    async def untold(self, now: datetime, limit: int) -> Sequence[LatePublication]:
        """Those that are late for a reason for which this did not answer them yet. Of what is not
        late any more it answers again if it ever is."""
