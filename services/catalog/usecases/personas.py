"""Personas: create, read, change, put away, delete."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from libs.clock import Clock
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.names import PERSONA, persona_id
from services.catalog.domain.persona import (
    LibraryStats,
    Persona,
    PersonaState,
    checked_persona,
)
from services.catalog.domain.texts import check_etag
from services.catalog.ports import Catalog, Listing
from services.catalog.usecases.requests import answered, finish, touched


class PersonaCases:
    """What can be done with personas."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def create(self, persona: Persona, request: RequestKey) -> Persona:
        """Keeps a new persona. Raises InvalidArgument, AlreadyExists."""
        persona = checked_persona(persona)
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.personas.get(persona_id(known))
            await tx.personas.add(persona)
            await finish(tx, request, persona.name)
        return persona

    async def get(self, id: str) -> Persona:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.personas.get(id)

    async def page(self, listing: Listing) -> Page[Persona]:
        """One page, oldest first."""
        async with self._catalog.reading() as catalog:
            return await catalog.personas.page(listing)

    async def stats(self, id: str) -> LibraryStats:
        """Counts the persona's photos. Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.personas.stats(id)

    async def stats_of(self, ids: Sequence[str]) -> Sequence[LibraryStats]:
        """The counts of the photos of each of these personas, in one statement for all."""
        async with self._catalog.reading() as catalog:
            found = await catalog.personas.stats_of(ids)
        return [found.get(id, LibraryStats()) for id in ids]

    async def update(
        self, id: str, change: Callable[[Persona], Persona], etag: str, request: RequestKey
    ) -> Persona:
        """Applies ``change``. Raises NotFound, InvalidArgument, AlreadyExists, Conflict."""
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.personas.get(persona_id(known))
            before = await tx.personas.locked(id)
            check_etag(etag, before.version)
            after = checked_persona(change(before))
            if after != before:
                after = touched(after, self._clock.now())
                await tx.personas.save(after)
            await finish(tx, request, after.name)
        return after

    async def archive(self, id: str, request: RequestKey) -> Persona:
        """Puts the persona away; doing it again changes nothing. Raises NotFound."""
        return await self.update(id, _archived, "", request)

    async def delete(self, id: str, etag: str, request: RequestKey) -> None:
        """Raises NotFound, Conflict, FailedPrecondition (NOT_EMPTY)."""
        async with self._catalog.changing() as tx:
            if await answered(tx, request) is not None:
                return
            check_etag(etag, (await tx.personas.locked(id)).version)
            await tx.personas.delete(id)
            await finish(tx, request, PERSONA.format(id))


def _archived(persona: Persona) -> Persona:
    return replace(persona, state=PersonaState.ARCHIVED)
