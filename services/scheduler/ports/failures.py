"""What went wrong lately."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class Failures(Protocol):
    """Publications that failed, and those that were missed."""

    async def since(self, at: datetime) -> Mapping[str, int]:
        """How many ended like that since ``at``, by their providers."""
