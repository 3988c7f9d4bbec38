"""What this process is, for modules that must know."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """The target that runs, the private socket of its services, and the suite's internal key."""

    target: str
    socket: Path | None
    internal_key: str
