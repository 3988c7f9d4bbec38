"""Takes back what a migration made, as long as its account is there.

Each thing goes by the door that people use, with its rules: a photo that a post uses stays. What
people changed since stays too, and is told. Photos that were there before keep the note that they
were posted.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from libs.errors import Conflict, FailedPrecondition, NotFound
from services.catalog.domain.names import persona_id, photo_key, pillar_key
from services.catalog.domain.persona import PersonaState
from services.catalog.domain.photo import Photo, PhotoState, Rights
from services.catalog.legacy.account import Entry, MigrationState
from services.catalog.legacy.desk import (
    ONCE,
    PERSONAS,
    PHOTOS,
    PILLARS,
    POSTS,
    RUNS,
    Desk,
    Progress,
)
from services.catalog.legacy.rules import persona_of_run
from services.catalog.usecases.personas import PersonaCases
from services.catalog.usecases.photos import PhotoCases
from services.catalog.usecases.pillars import PillarCases


class Rollback:
    """Takes back photos, then pillars, then personas, and with these their runs."""

    def __init__(self, desk: Desk, progress: Progress) -> None:
        self._desk = desk
        self._progress = progress
        catalog, clock = desk.tools.catalog, desk.tools.clock
        self._personas = PersonaCases(catalog, clock)
        self._pillars = PillarCases(catalog, clock)
        self._photos = PhotoCases(catalog, clock)
        self._sent: set[str] = set()

    async def run(self) -> list[str]:
        """What stays. Doing it again tries that again."""
        self._sent = set((await self._desk.targets(POSTS)).values())
        left = [
            *await self._all(PHOTOS, self._photo),
            *await self._all(PILLARS, self._pillar),
            *await self._all(PERSONAS, self._persona),
        ]
        await self._forget_the_past()
        await self._desk.account.move(self._desk.migration, MigrationState.ROLLED_BACK)
        return left

    async def _all(self, kind: str, undo: Callable[[Entry], Awaitable[None]]) -> list[str]:
        entries = await self._desk.entries(kind)
        left: list[str] = []
        for done, entry in enumerate(entries.values(), 1):
            try:
                if entry.outcome.made:
                    await undo(entry)
            except NotFound:
                pass  # somebody else removed it
            except (Conflict, FailedPrecondition) as error:
                left.append(f"{kind} {entry.id}: {error.message}")
                continue
            finally:
                self._progress(kind, done, len(entries))
            await self._desk.account.reset(self._desk.migration.id, kind, [entry.id])
        return left

    async def _photo(self, entry: Entry) -> None:
        key = photo_key(entry.outcome.target)
        photo = await self._photos.get(key)
        written = entry.outcome.written or {}
        if not _as_written(photo, written) or {p.post for p in photo.posts} - self._sent:
            raise _changed(photo.name)
        await self._photos.delete(key, str(photo.version), ONCE)

    async def _pillar(self, entry: Entry) -> None:
        key = pillar_key(entry.outcome.target)
        pillar = await self._pillars.get(key)
        if pillar.version > 1:
            raise _changed(pillar.name)
        await self._pillars.delete(key, str(pillar.version), ONCE)

    async def _persona(self, entry: Entry) -> None:
        id = persona_id(entry.outcome.target)
        persona = await self._personas.get(id)
        archived = self._desk.library.persona_of[entry.id].archived
        changes = int(archived and persona.state is PersonaState.ARCHIVED)
        if persona.version > 1 + changes:
            raise _changed(persona.name)
        await self._personas.delete(id, str(persona.version), ONCE)

    async def _forget_the_past(self) -> None:
        """Runs went with their personas, notes of posts with their photos."""
        library, account, migration = self._desk.library, self._desk.account, self._desk.migration
        personas = await self._desk.targets(PERSONAS)
        photos = await self._desk.targets(PHOTOS)
        runs = [r.id for r in library.runs if persona_of_run(r, library) not in personas]
        posts = [post.id for post in library.posts if post.photo not in photos]
        await account.reset(migration.id, RUNS, runs)
        await account.reset(migration.id, POSTS, posts)


def _as_written(photo: Photo, written: Mapping[str, Any]) -> bool:
    """Whether nobody changed the photo since it came in."""
    now = {"pillar": photo.pillar, "caption": photo.caption, "alt_text": photo.alt_text}
    plain = photo.tags == () and photo.rights == Rights() and photo.state is PhotoState.ACTIVE
    return plain and now == written


def _changed(name: str) -> FailedPrecondition:
    return FailedPrecondition(f"{name} was changed or scheduled since; it stays")
