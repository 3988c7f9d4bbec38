"""The frame that photos are put into: personas and pillars."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import AlreadyExists
from services.catalog.domain.names import persona_id
from services.catalog.domain.persona import Persona
from services.catalog.domain.pillar import Pillar
from services.catalog.domain.texts import MAX_DISPLAY_NAME
from services.catalog.legacy.account import Entry, EntryState, Outcome
from services.catalog.legacy.desk import ONCE, PERSONAS, PHOTOS, PILLARS, POSTS, Desk, Progress
from services.catalog.legacy.making import MakingCatalog
from services.catalog.legacy.translation import MAX_ID, numbered
from services.catalog.usecases.personas import PersonaCases
from services.catalog.usecases.pillars import PillarCases

Thing = TypeVar("Thing", Persona, Pillar)


class MakeFrame:
    """Makes the personas and pillars that are not there yet; a taken name gets a number."""

    def __init__(self, desk: Desk, progress: Progress) -> None:
        self._desk = desk
        self._progress = progress

    async def run(self) -> None:
        """All of them."""
        await self._all(PERSONAS, self._persona)
        await self._all(PILLARS, self._pillar)

    async def put_away(self) -> None:
        """Archives the personas that were archived, once nothing of theirs is open or untold."""
        photos = await self._desk.entries(PHOTOS)
        posts = await self._desk.entries(POSTS)
        library = self._desk.library
        waiting = {library.photo_of[id].persona for id, entry in photos.items() if entry.open}
        for post in library.posts:
            entry = posts[post.id]
            if entry.outcome.state is EntryState.DONE and not entry.delivered:
                waiting.add(library.photo_of[post.photo].persona)
        cases = PersonaCases(self._desk.tools.catalog, self._desk.tools.clock)
        for id, target in (await self._desk.targets(PERSONAS)).items():
            if library.persona_of[id].archived and id not in waiting:
                await cases.archive(persona_id(target), ONCE)

    async def _all(self, kind: str, make: Callable[[Entry], Awaitable[None]]) -> None:
        entries = await self._desk.entries(kind)
        for done, entry in enumerate(entries.values(), 1):
            if entry.open:
                await make(entry)
            self._progress(kind, done, len(entries))

    async def _persona(self, entry: Entry) -> None:
        tools = self._desk.tools
        cases = PersonaCases(self._making(entry), tools.clock)
        planned = self._desk.translation.personas[entry.id]
        await _named_freely(planned, lambda persona: cases.create(persona, ONCE))

    async def _pillar(self, entry: Entry) -> None:
        planned = self._desk.translation.pillars.get(entry.id)
        if planned is None:
            lost = Outcome(
                EntryState.SKIPPED, reason="NO_PERSONA", message="it belongs to no persona"
            )
            await self._desk.account.note(self._desk.migration.id, PILLARS, entry.id, lost)
            return
        owner = self._desk.library.pillar_of[entry.id].persona
        persona = persona_id((await self._desk.targets(PERSONAS))[owner])
        cases = PillarCases(self._making(entry), self._desk.tools.clock)
        await _named_freely(
            replace(planned, persona=persona), lambda pillar: cases.create(pillar, ONCE)
        )

    def _making(self, entry: Entry) -> MakingCatalog:
        account, migration = self._desk.account, self._desk.migration.id

        async def note(connection: AsyncConnection, name: str) -> None:
            outcome = Outcome(EntryState.DONE, target=name, made=True)
            await account.note_in(connection, migration, entry.kind, entry.id, outcome)

        return MakingCatalog(self._desk.tools.database, self._desk.tools.clock, note)


async def _named_freely(thing: Thing, create: Callable[[Thing], Awaitable[Thing]]) -> None:
    for number in count(1):
        try:
            await create(
                replace(
                    thing,
                    id=numbered(thing.id, number, MAX_ID, "-{}"),
                    display_name=numbered(thing.display_name, number, MAX_DISPLAY_NAME, " ({})"),
                )
            )
        except AlreadyExists:
            continue
        return
