"""Grouping the items of a scope: what is remembered, what is new, a step or everything anew."""

import logging
from dataclasses import replace

from libs.errors import InvalidArgument
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.memory import Memory
from services.clustering.domain.cluster import ScopeState
from services.clustering.domain.draft import Draft
from services.clustering.domain.item import Collection
from services.clustering.domain.run import Algorithm
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.refitting import Fitted, draft_of, fit_whole
from services.clustering.usecases.stepping import Stepping, read_news, step_on

log = logging.getLogger(__name__)


class Grouping:
    """The work of one run: ``draft`` may be asked for again when the scope changed in between."""

    def __init__(self, worker: Worker, attempt: Attempt, collection: Collection) -> None:
        params = replace(worker.params, near_duplicate=collection.duplicate_threshold)
        self._worker = replace(worker, params=params)
        self._attempt = attempt
        self._collection = collection
        self._fitted: Fitted | None = None

    async def draft(self, seen: ScopeState) -> Draft | int | None:
        """The next version; if nothing is new the number of items whose vector is not there; None
        if there are too many items to group all of them anew in memory.

        Raises Cancelled, LeaseLost, Unavailable.
        """
        async with self._worker.store.read() as tx:
            leaving = frozenset(await tx.leavers.within(seen.scope))
        found = await self._draft(seen)
        return replace(found, leaving=leaving) if isinstance(found, Draft) else found

    async def _draft(self, seen: ScopeState) -> Draft | int | None:
        if self._fitted is None and not self._attempt.run.refits and self._goes_on(seen):
            news = await read_news(self._worker, self._attempt.run, seen, self._collection)
            if not news:
                return 0
            memory = await self._memory(seen)
            if memory is not None:
                step = Stepping(
                    self._worker, self._attempt, Engine(self._worker.params), self._collection
                )
                found = await step_on(step, seen, memory, news)
                if found is not None:
                    return found
        if await self._is_large():
            return None
        if self._fitted is None:
            self._fitted = await fit_whole(self._worker, self._attempt, seen, self._collection)
        if self._attempt.run.filter and not (self._fitted.whole.items or seen.version):
            return 0  # there is nothing yet but what its filter leaves waiting
        return await draft_of(self._worker, self._attempt, seen, self._collection, self._fitted)

    async def _is_large(self) -> bool:
        run = self._attempt.run
        if run.algorithm is not Algorithm.MIXTURE:
            return False
        async with self._worker.store.read() as tx:
            ready = await tx.items.count_ready(run.scope, self._collection.name)
        return ready > self._worker.sharding.direct_limit

    def _goes_on(self, seen: ScopeState) -> bool:
        return bool(seen.state_key) and seen.collection == self._collection.name

    async def _memory(self, seen: ScopeState) -> Memory | None:
        """The engine's memory; None when it is lost or unreadable."""
        data = await self._worker.snapshots.load(seen.state_key)
        if data is None:
            return None
        try:
            return await self._worker.pool.run(Memory.from_bytes, data)
        except InvalidArgument:
            log.warning("the memory of %s cannot be read; grouping anew", seen.scope)
            return None
