"""Runs: create them, read them, change them, call them off."""

from collections.abc import Callable

from libs.clock import Clock
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.names import Key, run_key
from services.catalog.domain.persona import require_active
from services.catalog.domain.run import Run, cancelled, check_edit, completed_by
from services.catalog.domain.suggestion import check_complete, check_undecided, used
from services.catalog.domain.texts import check_etag
from services.catalog.ports import Catalog, Changing, Listing
from services.catalog.usecases.requests import answered, finish, touched


class RunCases:
    """What can be done with runs. Accepting a suggestion creates one, too."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def create(self, run: Run, request: RequestKey) -> Run:
        """Keeps a new run; the suggestion that it names is used by it.

        Raises NotFound, FailedPrecondition (ARCHIVED, SUGGESTION_DECIDED, SUGGESTION_INCOMPLETE).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.runs.get(run_key(known))
            require_active(await tx.personas.pinned(run.persona))
            if run.suggestion:
                run = await self._using(tx, run)
            await tx.runs.add(run)
            await finish(tx, request, run.name)
        return run

    async def get(self, key: Key) -> Run:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.runs.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[Run]:
        """One page. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.runs.page(persona, listing)

    async def update(
        self, key: Key, change: Callable[[Run], Run], etag: str, request: RequestKey
    ) -> Run:
        """Applies ``change``. Raises NotFound, InvalidArgument, Conflict, FailedPrecondition
        (RUN_CLOSED)."""

        def checked(before: Run) -> Run:
            after = change(before)
            check_edit(before, after)
            return after

        return await self._change(key, checked, etag, request)

    async def cancel(self, key: Key, etag: str, request: RequestKey) -> Run:
        """Stops a run; doing it again changes nothing.

        Raises NotFound, Conflict, FailedPrecondition (RUN_CLOSED).
        """
        return await self._change(key, cancelled, etag, request)

    async def _change(
        self, key: Key, change: Callable[[Run], Run], etag: str, request: RequestKey
    ) -> Run:
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.runs.get(run_key(known))
            before = await tx.runs.locked(key)
            check_etag(etag, before.version)
            after = change(before)
            if after != before:
                after = touched(after, self._clock.now())
                await tx.runs.save(after)
            await finish(tx, request, after.name)
        return after

    async def _using(self, tx: Changing, run: Run) -> Run:
        suggestion = await tx.suggestions.locked(Key(run.persona, run.suggestion))
        check_undecided(suggestion)
        check_complete(suggestion)
        await tx.suggestions.save(touched(used(suggestion, run.id), self._clock.now()))
        return completed_by(run, suggestion)
