"""What this service needs of the catalog."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.clustering.domain.facts import Usage


@dataclass(frozen=True, slots=True)
class Description:
    """What the catalog knows of a photo as of ``time``, as far as searches need it; ``uses`` says
    how each post uses it, ``texts`` are captions, ``sharpness`` and ``exposure`` 0..1 where they
    were measured."""

    photo: str
    pillar: str
    tags: tuple[str, ...]
    archived: bool
    time: datetime
    uses: Mapping[str, Usage]
    texts: tuple[str, ...] = ()
    sharpness: float | None = None
    exposure: float | None = None


class Library(Protocol):
    """The catalog."""

    def facts(self, scope: str) -> AsyncIterator[Sequence[Description]]:
        """What it knows of the photos of a persona, in pages. Raises NotFound, Unavailable."""
