"""Transactions of the catalog that account for what they add.

What is made and the note that it was made are committed together: a migration that is killed
anywhere goes on without making anything twice.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database
from libs.db.uow import Transaction
from services.catalog.domain.persona import Persona
from services.catalog.domain.photo import Photo, PostUse, usage_of
from services.catalog.domain.pillar import Pillar
from services.catalog.repository.catalog import CatalogDatabase, CatalogTransaction
from services.catalog.repository.personas import PersonaRepository
from services.catalog.repository.photos import PhotoRepository
from services.catalog.repository.pillars import PillarRepository
from services.catalog.tables import SUPPORT

Note = Callable[[AsyncConnection, str], Awaitable[None]]
"""Writes down, in the transaction that adds it, that the resource of that name was made."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a photo besides its bytes. ``uses`` are its posts and what they do with it,
    by the ids that they have here."""

    caption: str = ""
    alt_text: str = ""
    create_time: datetime | None = None
    uses: Sequence[tuple[str, PostUse]] = ()

    def completed(self, photo: Photo) -> Photo:
        """``photo`` as the older library knew it; it came in when it came in there."""
        usage, posted_time = usage_of([use for _, use in self.uses])
        created = min(self.create_time or photo.create_time, photo.create_time)
        return replace(
            photo,
            caption=self.caption,
            alt_text=self.alt_text,
            create_time=created,
            usage=usage,
            posted_time=posted_time,
        )


class MakingCatalog(CatalogDatabase):
    """The catalog, for the making of one thing that ``note`` writes down."""

    def __init__(
        self, database: Database, clock: Clock, note: Note, arrival: Arrival | None = None
    ) -> None:
        super().__init__(database, clock)
        self._note = note
        self._arrival = arrival or Arrival()

    def changing(self) -> "MakingTransaction":
        """See Catalog."""
        return MakingTransaction(self._database, self._clock, self._note, self._arrival)


class MakingTransaction(CatalogTransaction):
    """See ``ports.Changing``."""

    def __init__(self, database: Database, clock: Clock, note: Note, arrival: Arrival) -> None:
        Transaction.__init__(self, database, SUPPORT, clock)
        self._note = note
        self._arrival = arrival

    def bind(self, connection: AsyncConnection) -> None:
        """Builds the repositories of this transaction."""
        super().bind(connection)
        self.personas = _Personas(connection, self._note)
        self.pillars = _Pillars(connection, self._note)
        self.photos = _Photos(connection, self._note, self._arrival)


class _Personas(PersonaRepository):
    def __init__(self, connection: AsyncConnection, note: Note) -> None:
        super().__init__(connection)
        self._note = note

    async def add(self, persona: Persona) -> None:
        await super().add(persona)
        await self._note(self._connection, persona.name)


class _Pillars(PillarRepository):
    def __init__(self, connection: AsyncConnection, note: Note) -> None:
        super().__init__(connection)
        self._note = note

    async def add(self, pillar: Pillar) -> None:
        await super().add(pillar)
        await self._note(self._connection, pillar.name)


class _Photos(PhotoRepository):
    def __init__(self, connection: AsyncConnection, note: Note, arrival: Arrival) -> None:
        super().__init__(connection)
        self._note = note
        self._arrival = arrival

    async def add(self, photo: Photo) -> bool:
        """Never is a photo there, not even for a moment, without the posts that used it."""
        photo = self._arrival.completed(photo)
        if not await super().add(photo):
            return False
        for post, use in self._arrival.uses:
            await self.use(photo.id, post, use, 0)
        await self._note(self._connection, photo.name)
        return True
