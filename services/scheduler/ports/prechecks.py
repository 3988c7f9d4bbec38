"""What looking over posts before they are due needs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class Prechecks(Protocol):
    """Which publications were looked over before they are due, and when."""

    async def claim(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of those that are to be looked over now, soonest due first; they count as looked
        over from then on. Each comes a day and an hour before its time, and again if it gets
        another (see ``timing.PRECHECK_BEFORE``)."""


class PictureProbe(Protocol):
    """Fetches a picture as a provider would."""

    async def trouble(self, url: str) -> str:
        """Why the picture cannot be had there, without the address; empty if it can."""
