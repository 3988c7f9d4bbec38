"""Suggestions: ask for them, read them, edit, accept or turn them down."""

from collections.abc import Callable, Sequence

from libs.clock import Clock
from libs.ids import uuid7
from libs.jobs.queue import JobQueue
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.gaps import GapReport
from services.catalog.domain.names import (
    PILLAR,
    Key,
    no_pillar,
    run_key,
    suggestion_batch_key,
    suggestion_key,
)
from services.catalog.domain.persona import require_active
from services.catalog.domain.run import Run, run_from
from services.catalog.domain.suggestion import (
    DEFAULT_COUNT,
    Batch,
    Brief,
    Suggestion,
    SuggestionState,
    check_complete,
    check_rejected,
    check_undecided,
    edited,
    rejected,
    used,
)
from services.catalog.domain.texts import check_etag
from services.catalog.ports import Catalog, Changing, Listing
from services.catalog.usecases.gaps import GapCases
from services.catalog.usecases.requests import answered, finish, touched

SUGGEST_TASK = "catalog.suggest"
QUEUE = "catalog"


class SuggestionCases:
    """What can be done with suggestions. How they are written is told in ``suggesting``."""

    def __init__(self, catalog: Catalog, gaps: GapCases, queue: JobQueue, clock: Clock) -> None:
        self._catalog = catalog
        self._gaps = gaps
        self._queue = queue
        self._clock = clock

    async def create_batch(
        self, persona: str, count: int, pillars: Sequence[str], request: RequestKey
    ) -> Batch:
        """A batch that a worker is told of; ``count`` 0 is the default, ``pillars`` are ids.

        Makes and keeps the gap report that it works from. Raises NotFound, FailedPrecondition
        (NO_PILLARS, ARCHIVED).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.suggestion_batches.get(suggestion_batch_key(known))
            require_active(await tx.personas.get(persona))
            report = await self._gaps.made(tx, persona)
            _check_known(report, pillars)
            batch = Batch(
                persona=persona,
                id=uuid7(),
                create_time=self._clock.now(),
                gap_report=report.id,
                count=count or DEFAULT_COUNT,
                pillars=tuple(pillars),
            )
            await tx.suggestion_batches.add(batch)
            await finish(tx, request, batch.name)
        # After the commit: a worker must find the row. If the message is lost, the sweep finds it.
        await self._queue.enqueue(SUGGEST_TASK, batch.id, QUEUE)
        return batch

    async def batch(self, key: Key) -> Batch:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.suggestion_batches.get(key)

    async def batches(self, persona: str, listing: Listing) -> Page[Batch]:
        """One page. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.suggestion_batches.page(persona, listing)

    async def progress(self, key: Key, after_rank: int) -> tuple[Batch, Sequence[Suggestion]]:
        """How a batch stands, and its suggestions behind a rank: once it ended, all of them.

        Raises NotFound.
        """
        async with self._catalog.reading() as catalog:
            batch = await catalog.suggestion_batches.get(key)
            return batch, await catalog.suggestions.of_batch(batch.id, after_rank)

    async def get(self, key: Key) -> Suggestion:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.suggestions.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[Suggestion]:
        """One page. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.suggestions.page(persona, listing)

    async def update(
        self, key: Key, change: Callable[[Suggestion], Brief], etag: str, request: RequestKey
    ) -> Suggestion:
        """Gives it the brief that ``change`` makes; one that needed a person is whole then.

        Raises NotFound, InvalidArgument, Conflict, FailedPrecondition (SUGGESTION_DECIDED).
        """

        def decide(suggestion: Suggestion) -> Suggestion:
            check_undecided(suggestion)
            return edited(suggestion, change(suggestion))

        return await self._decide(key, decide, etag, request)

    async def reject(self, key: Key, reason: str, etag: str, request: RequestKey) -> Suggestion:
        """Turns it down. Raises NotFound, Conflict, FailedPrecondition (SUGGESTION_DECIDED)."""

        def decide(suggestion: Suggestion) -> Suggestion:
            check_undecided(suggestion)
            return rejected(suggestion, reason)

        return await self._decide(key, decide, etag, request)

    async def accept(self, key: Key, etag: str, request: RequestKey) -> tuple[Suggestion, Run]:
        """Creates the run that makes its picture; one that is used answers the run it has.

        Raises NotFound, Conflict, FailedPrecondition (SUGGESTION_DECIDED, SUGGESTION_INCOMPLETE,
        ARCHIVED).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await _with_run(tx, await tx.suggestions.get(suggestion_key(known)))
            before = await tx.suggestions.locked(key)
            if before.state is SuggestionState.USED:
                return await _with_run(tx, before)
            check_etag(etag, before.version)
            check_undecided(before)
            check_complete(before)
            require_active(await tx.personas.get(key.persona))
            now = self._clock.now()
            run = run_from(before, uuid7(), now)
            after = touched(used(before, run.id), now)
            await tx.runs.add(run)
            await tx.suggestions.save(after)
            await finish(tx, request, after.name)
        return after, run

    async def delete(self, key: Key, etag: str, request: RequestKey) -> None:
        """Raises NotFound, Conflict, FailedPrecondition (SUGGESTION_NOT_REJECTED)."""
        async with self._catalog.changing() as tx:
            if await answered(tx, request) is not None:
                return
            suggestion = await tx.suggestions.locked(key)
            check_etag(etag, suggestion.version)
            check_rejected(suggestion)
            await tx.suggestions.delete(key)
            await finish(tx, request, suggestion.name)

    async def _decide(
        self, key: Key, decide: Callable[[Suggestion], Suggestion], etag: str, request: RequestKey
    ) -> Suggestion:
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.suggestions.get(suggestion_key(known))
            before = await tx.suggestions.locked(key)
            check_etag(etag, before.version)
            after = decide(before)
            if after != before:
                after = touched(after, self._clock.now())
                await tx.suggestions.save(after)
            await finish(tx, request, after.name)
        return after


def _check_known(report: GapReport, pillars: Sequence[str]) -> None:
    known = {gap.pillar for gap in report.pillars}
    for pillar in pillars:
        if PILLAR.format(report.persona, pillar) not in known:
            raise no_pillar(report.persona, pillar)


async def _with_run(tx: Changing, suggestion: Suggestion) -> tuple[Suggestion, Run]:
    return suggestion, await tx.runs.get(run_key(suggestion.run_name))
