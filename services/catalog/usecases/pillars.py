"""Pillars: create, read, change, delete."""

from collections.abc import Callable

from libs.clock import Clock
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.names import PILLAR, Key, pillar_key
from services.catalog.domain.persona import require_active
from services.catalog.domain.pillar import Pillar, check_weight, checked_pillar
from services.catalog.domain.texts import check_etag
from services.catalog.ports import Catalog, Changing, Listing
from services.catalog.usecases.requests import answered, finish, touched


class PillarCases:
    """What can be done with pillars.

    Each change holds the persona, so that two of them cannot both take what is left of 100.
    """

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def create(self, pillar: Pillar, request: RequestKey) -> Pillar:
        """Keeps a new pillar.

        Raises NotFound, InvalidArgument, AlreadyExists, FailedPrecondition (ARCHIVED,
        WEIGHTS_EXCEED_100).
        """
        pillar = checked_pillar(pillar)
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.pillars.get(pillar_key(known))
            require_active(await tx.personas.locked(pillar.persona))
            await self._check_weight(tx, pillar)
            await tx.pillars.add(pillar)
            await finish(tx, request, pillar.name)
        return pillar

    async def get(self, key: Key) -> Pillar:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.pillars.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[Pillar]:
        """One page, oldest first. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.pillars.page(persona, listing)

    async def update(
        self, key: Key, change: Callable[[Pillar], Pillar], etag: str, request: RequestKey
    ) -> Pillar:
        """Applies ``change``.

        Raises NotFound, InvalidArgument, AlreadyExists, Conflict, FailedPrecondition
        (WEIGHTS_EXCEED_100).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.pillars.get(pillar_key(known))
            before = await self._locked(tx, key)
            check_etag(etag, before.version)
            after = checked_pillar(change(before))
            if after != before:
                await self._check_weight(tx, after)
                after = touched(after, self._clock.now())
                await tx.pillars.save(after)
            await finish(tx, request, after.name)
        return after

    async def delete(self, key: Key, etag: str, request: RequestKey) -> None:
        """Raises NotFound, Conflict, FailedPrecondition (NOT_EMPTY)."""
        async with self._catalog.changing() as tx:
            if await answered(tx, request) is not None:
                return
            check_etag(etag, (await self._locked(tx, key)).version)
            await tx.pillars.delete(key)
            await finish(tx, request, PILLAR.format(*key))

    async def _locked(self, tx: Changing, key: Key) -> Pillar:
        await tx.personas.locked(key.persona)
        return await tx.pillars.get(key)

    async def _check_weight(self, tx: Changing, pillar: Pillar) -> None:
        now = self._clock.now()
        others = await tx.pillars.weight_beside(Key(pillar.persona, pillar.id), now)
        check_weight(pillar, others, now)
