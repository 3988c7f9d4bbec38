"""Personas, pillars, photos, gap reports: where they are kept and how they are told about."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol
from zoneinfo import ZoneInfo

from libs.rpc.paging import Page, PageRequest
from services.catalog.domain.gaps import GapReport
from services.catalog.domain.measures import Measures
from services.catalog.domain.names import Key
from services.catalog.domain.persona import LibraryStats, Persona
from services.catalog.domain.photo import Photo, Picture, PostUse, TagCount
from services.catalog.domain.pillar import Pillar
from services.catalog.domain.run import Origin
from services.catalog.domain.strategy import Strategy
from services.catalog.domain.supply import Stock
from services.catalog.ports.shared import Listing


class Personas(Protocol):
    """Where personas are kept."""

    async def add(self, persona: Persona) -> None:
        """Raises AlreadyExists if the id or the display name is taken."""

    async def get(self, id: str) -> Persona:
        """Raises NotFound."""

    async def locked(self, id: str) -> Persona:
        """Like ``get``; until the end of the transaction nobody else changes the persona."""

    async def pinned(self, id: str) -> Persona:
        """Like ``locked``, but any number of transactions may hold it at once."""

    async def save(self, persona: Persona) -> None:
        """Raises AlreadyExists if the display name is taken."""

    async def delete(self, id: str) -> None:
        """Raises FailedPrecondition (NOT_EMPTY) if it has pillars."""

    async def page(self, listing: Listing) -> Page[Persona]:
        """One page, by time of creation."""

    async def stats(self, id: str) -> LibraryStats:
        """The photos in use, counted. Raises NotFound."""

    async def stats_of(self, ids: Sequence[str]) -> Mapping[str, LibraryStats]:
        """The same of many personas, by their ids."""


class Pillars(Protocol):
    """Where pillars are kept."""

    async def add(self, pillar: Pillar) -> None:
        """Raises AlreadyExists if the id or the display name is taken."""

    async def add_all(self, pillars: Sequence[Pillar]) -> None:
        """Several at once, whose ids and display names are known to be free."""

    async def get(self, key: Key) -> Pillar:
        """Raises NotFound."""

    async def plain(self, key: Key) -> Pillar:
        """Like ``get``, but without its photos counted, which takes longer the more there are."""

    async def save(self, pillar: Pillar) -> None:
        """Raises AlreadyExists if the display name is taken."""

    async def delete(self, key: Key) -> None:
        """Raises FailedPrecondition (NOT_EMPTY) if it has photos."""

    async def page(self, persona: str, listing: Listing) -> Page[Pillar]:
        """One page, by time of creation. Raises NotFound for an unknown persona."""

    async def weight_beside(self, key: Key, now: datetime) -> int:
        """The sum of the weights that count at ``now``, without that of ``key``."""

    async def of_persona(self, persona: str) -> Sequence[Pillar]:
        """All of them, oldest first; empty for an unknown persona."""

    async def strategy(self, persona: str) -> Strategy:
        """All of them without their photos counted, and the cadence. Raises NotFound."""

    async def strategy_at(
        self, persona: str, as_of: datetime
    ) -> tuple[Strategy, Mapping[str, int]]:
        """The same, and how many runs of each pillar that were there wait for a vote, by its id."""

    async def heaviest(self, persona: str) -> Pillar | None:
        """The pillar of highest weight, active ones first, then the oldest."""


@dataclass(frozen=True, slots=True)
class Due:
    """A photo with pending measures, and how often they were begun, this time included."""

    photo: Photo
    attempts: int


class Photos(Protocol):
    """Where photos are kept."""

    async def add(self, photo: Photo) -> bool:
        """False if the persona has these bytes. Raises NotFound if the pillar is gone."""

    async def get(self, key: Key) -> Photo:
        """Raises NotFound."""

    async def locked(self, key: Key) -> Photo | None:
        """The photo, if there is one; until the end of the transaction nobody else changes it."""

    async def locked_all(self, persona: str, ids: Collection[str]) -> Mapping[str, Photo]:
        """Those of the photos that there are, by their ids, all locked as by ``locked``."""

    async def existing(self, persona: str, ids: Collection[str]) -> Collection[str]:
        """Which of these photos of a persona there are."""

    async def of_content(self, persona: str, sha256: str) -> Photo | None:
        """The photo that has these bytes."""

    async def of_post(self, persona: str, post: str) -> Photo | None:
        """The photo that the post of this name uses."""

    async def save(self, photo: Photo) -> None:
        """Raises NotFound if the pillar is gone."""

    async def save_all(self, photos: Sequence[Photo]) -> None:
        """Like ``save``, for photos of one persona."""

    async def delete(self, key: Key) -> None:
        """Removes it and what posts do with it."""

    async def page(self, persona: str, listing: Listing) -> Page[Photo]:
        """One page, by time of creation or by quality. Raises NotFound for an unknown persona."""

    async def tags(self, persona: str, prefix: str, page: PageRequest) -> Page[TagCount]:
        """One page of the tags of photos in use, most used first. Raises NotFound."""

    async def scene_of(self, key: Key) -> str:
        """The scene of a photo, which cannot change before the transaction ends.

        That of a photo that is gone is its id.
        """

    async def join_scenes(self, persona: str, scene: str, other: str) -> None:
        """Moves all photos of the persona from ``scene`` into ``other``."""

    async def use(self, photo: str, post: str, use: PostUse, version: int) -> bool:
        """Notes what a post does with the photo; False if a newer version of it is noted."""

    async def uses(self, photo: str) -> Sequence[PostUse]:
        """What all posts do with the photo."""

    async def repeat_failed(self, persona: str, wanted: Collection[str], now: datetime) -> int:
        """Makes those of ``wanted`` that failed pending again; answers on how many photos."""

    async def make_due(self, ids: Collection[str], now: datetime) -> None:
        """Lets the pending measures of these photos be made from ``now`` on."""

    async def take_due(self, now: datetime, until: datetime, count: int) -> Sequence[Due]:
        """Photos whose pending measures are due; nobody else gets them before ``until``."""

    async def put_off(self, ids: Collection[str], until: datetime) -> None:
        """Gives back what was taken, as if it had not been tried."""

    async def save_measured(self, photo: Photo) -> None:
        """Like ``save``; unless a measure is still pending, the photo is due no more."""

    async def stocks(
        self, persona: str, as_of: datetime, shares_since: datetime
    ) -> Sequence[Stock]:
        """The photos that were there at ``as_of``, counted; posts count from ``shares_since``."""


class GapReports(Protocol):
    """Where gap reports are kept."""

    async def add(self, report: GapReport) -> None:
        """Keeps a report."""

    async def get(self, key: Key) -> GapReport:
        """Raises NotFound."""

    async def page(self, persona: str, listing: Listing) -> Page[GapReport]:
        """One page, by time of creation. Raises NotFound for an unknown persona."""


class UnusedBlobs(Protocol):
    """The blobs that no photo uses, and since when that is known."""

    async def keep(self, keys: Iterable[str]) -> None:
        """Forgets that these are unused. Waits for a removal that has begun."""

    async def used(self, digests: Sequence[str]) -> set[str]:
        """Those of the digests that a photo or a candidate uses, for its original or thumbnail."""

    async def mark(self, keys: Sequence[str], now: datetime) -> None:
        """Notes that these are unused, unless that is noted already."""

    async def due(self, before: datetime, count: int) -> Sequence[str]:
        """Keys found unused before that moment, locked until the end of the transaction."""

    async def forget(self, keys: Sequence[str]) -> None:
        """Removes the notes."""


class PhotoEvents(Protocol):
    """What the world is told once the transaction is committed."""

    def created(self, photo: Photo, pillar: Pillar, origin: Origin = Origin()) -> None:
        """A photo came in; ``origin`` is what it was made for."""

    def updated(self, photo: Photo, pillar: Pillar) -> None:
        """A photo moved, or its texts, its rights or its state changed."""

    def deleted(self, photo: Photo) -> None:
        """A photo is gone."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A picture and its thumbnail, a JPEG."""

    picture: Picture
    thumbnail: bytes


class Captioner(Protocol):
    """Says in words what a picture shows."""

    async def caption(self, thumbnail: bytes) -> str:
        """What is to be seen in a JPEG. Raises Unavailable."""


class Pictures(Protocol):
    """Decodes pictures, a few at a time."""

    async def examine(self, file: BinaryIO, sha256: str, zone: ZoneInfo) -> Examined:
        """What is in ``file``. Camera times without a zone are taken as times in ``zone``.

        Raises InvalidArgument (UNSUPPORTED_IMAGE, DAMAGED_IMAGE), OutOfQuota (IMAGE_TOO_LARGE).
        """

    async def thumbnail(self, data: bytes) -> bytes:
        """The thumbnail of a file, as ``examine`` makes it. Raises as ``examine`` does."""

    async def measure(
        self, thumbnail: bytes, picture: Picture, wanted: Collection[str]
    ) -> Measures:
        """These measures of a picture, by its thumbnail. Raises InvalidArgument (DAMAGED_IMAGE)."""

    async def for_publishing(self, data: bytes) -> bytes:
        """An upright JPEG of moderate size without metadata."""
