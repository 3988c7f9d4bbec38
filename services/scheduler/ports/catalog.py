"""The catalog service."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.scheduler.domain.hashtags import Strategy as HashtagStrategy
from services.scheduler.domain.manner import Manner, Subject
from services.scheduler.domain.photo import Photo
from services.scheduler.domain.planning import Candidate, Pillar
from services.scheduler.domain.slots import Cadence


@dataclass(frozen=True, slots=True)
class Rendition:
    """A picture as the catalog gives it for publishing."""

    mime_type: str
    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnusedPhotos:
    """Which of the catalog's unused photos: of a persona, perhaps of one pillar.

    ``filter`` and ``order_by`` are in the words of the catalog's own list.
    """

    persona: str
    pillar: str = ""
    filter: str = ""
    order_by: str = ""


@dataclass(frozen=True, slots=True)
class CatalogPhoto:
    """A photo as the catalog describes it, to be passed on."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """Some photos; ``next_token`` is empty on the last page."""

    photos: Sequence[CatalogPhoto]
    next_token: str


class Catalog(Protocol):
    """The catalog service. Every method raises Unavailable when it does not answer."""

    async def check_persona(self, persona: str) -> None:
        """Raises NotFound for an unknown persona, FailedPrecondition for an archived one."""

    async def photo(self, name: str) -> Photo:
        """Raises NotFound."""

    async def cadence(self, persona: str) -> Cadence:
        """When the persona posts. Raises NotFound, FailedPrecondition (ARCHIVED)."""

    async def manner(self, persona: str) -> tuple[Manner, HashtagStrategy]:
        """How a persona writes. Raises NotFound, FailedPrecondition (ARCHIVED), Unavailable."""

    async def subject(self, photo: str) -> Subject:
        """What is to be said about a photo. Raises NotFound, Unavailable."""

    async def thumbnail(self, photo: str) -> bytes:
        """A JPEG of a photo with sides of at most 512 pixels. Raises NotFound, Unavailable."""

    async def unused(self, wanted: UnusedPhotos, size: int, token: str) -> CatalogPage:
        """Up to ``size`` photos that are in use and that no post uses, as far as it knows.

        Raises NotFound for an unknown persona, InvalidArgument on ``filter`` and ``order_by``.
        """

    async def pillars(self, persona: str, at: datetime) -> Sequence[Pillar]:
        """The pillars of the persona that are planned at a moment. Raises NotFound."""

    async def stock(self, pillar: str, limit: int) -> Sequence[Candidate]:
        """The best photos of a pillar that can be used and that no post uses, up to ``limit``."""

    async def scenes(self, photos: Collection[str]) -> Mapping[str, str]:
        """The scenes of these photos, those that there are."""

    async def rendition(self, name: str) -> Rendition:
        """The picture for publishing. Raises NotFound, and InvalidArgument if it is no picture."""
