"""Embedding what waits for its vector, in fair turns between scopes."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.backoff import Backoff
from libs.cancellation import cancel_and_wait, see_through
from libs.clock import Clock
from libs.errors import ColonnadeError, Conflict, Internal, Unavailable
from libs.vectors.index import VectorIndex
from services.clustering.domain.item import Collection, Item, Modality
from services.clustering.domain.tries import delay_after
from services.clustering.ports import Embedder, Store
from services.clustering.usecases.embedding import (
    TOO_LARGE,
    NothingPassed,
    active_collection,
    embed_items,
    quarantine,
)

log = logging.getLogger(__name__)

# Longer than a call to the embedding service may take.
_LEASE = timedelta(seconds=90)
# What other processes noted, and whose time has come, is looked for so often.
_LOOK_EVERY = 5.0
_LONGEST_PAUSE = 10.0
_GRACE = 30.0
ROUNDS = 3
"""So many times in a row nothing passes before that is taken for the fault of the items."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What dispatching needs of the world. ``taker`` is a name that no other live process has;
    ``batches`` says how many items of a kind one call takes at most."""

    store: Store
    index: VectorIndex
    embedder: Embedder
    clock: Clock
    taker: str
    batches: Mapping[Modality, int]


async def drain(dispatch: Dispatch, modality: Modality, before: datetime | None = None) -> None:
    """Embeds whatever of a kind is due, of items made before ``before`` if that is given, one batch
    after the other. Raises Unavailable when the embedding service or the index fails as a whole."""
    turns = _Turns(dispatch, modality, before)
    await turns.free()
    while (batch := await turns.take()) is not None:
        await turns.embed(batch)


class Dispatcher:
    """Embeds what waits, items of one kind, for as long as the process runs."""

    def __init__(self, dispatch: Dispatch, modality: Modality, concurrency: int) -> None:
        """``concurrency`` batches are in work at a time."""
        self._turns = _Turns(dispatch, modality)
        self._concurrency = concurrency
        self._news = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._backoff = Backoff(limit=_LONGEST_PAUSE)
        self._pause = 0.0

    def wake(self) -> None:
        """Says that items came in."""
        self._news.set()

    async def run(self) -> None:
        """Works until it is cancelled; then finishes what is in work, for a while."""
        try:
            await self._begin()
            while True:
                await self._next()
        finally:
            await see_through(self._end())

    async def _begin(self) -> None:
        """What this process had in work when it died is nobody's any more."""
        while True:
            try:
                return await self._turns.free()
            except ColonnadeError as error:
                self._failed(error)
                await self._wait_out()

    async def _next(self) -> None:
        """Begins one batch, or waits until that may make sense."""
        if self._pause:
            await self._wait_out()
        self._news.clear()
        try:
            batch = await self._turns.take()
        except ColonnadeError as error:
            return self._failed(error)
        if batch is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._news.wait()
            return None
        self._start(batch)
        while len(self._calls) >= self._concurrency:
            await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
        return None

    def _start(self, batch: "_Batch") -> None:
        call = asyncio.create_task(self._call(batch))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, batch: "_Batch") -> None:
        try:
            await self._turns.embed(batch)
        except Exception as error:
            self._failed(error)
        else:
            self._backoff.reset()

    def _failed(self, error: Exception) -> None:
        after = error.retry_after if isinstance(error, Unavailable) else 0.0
        self._pause = min(_LONGEST_PAUSE, max(after, self._backoff.next()))
        why = error.message if isinstance(error, ColonnadeError) else repr(error)
        log.warning("items go on waiting for their vectors: %s", why)

    async def _wait_out(self) -> None:
        """Whoever wakes it meanwhile waits too: the embedding service is to recover."""
        pause, self._pause = self._pause, 0.0
        await asyncio.sleep(pause)

    async def _end(self) -> None:
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=_GRACE)
            await cancel_and_wait(late)
        with suppress(ColonnadeError):
            await self._turns.free()


@dataclass(frozen=True, slots=True)
class _Batch:
    """Items that are ours for a while."""

    collection: Collection
    items: Sequence[Item]


class _Turns:
    """Takes batches, a few items of each scope, and embeds them."""

    def __init__(
        self, dispatch: Dispatch, modality: Modality, before: datetime | None = None
    ) -> None:
        self._dispatch = dispatch
        self._modality = modality
        self._before = before
        self._last = ""
        self._fruitless = 0

    @property
    def _taker(self) -> str:
        return f"{self._dispatch.taker}/{self._modality}"

    async def free(self) -> None:
        """Gives back all that is ours. Raises Unavailable."""
        async with self._dispatch.store.begin() as tx:
            await tx.queue.free(self._taker)
            await tx.commit()

    async def take(self) -> _Batch | None:
        """The next batch; None if nothing is due. Raises Unavailable."""
        collection = await self._collection()
        if collection is None:
            return None
        now = self._dispatch.clock.now()
        limit = self._dispatch.batches[self._modality]
        async with self._dispatch.store.begin() as tx:
            items = await tx.queue.take(
                collection.name, self._taker, self._last, limit, now, now + _LEASE, self._before
            )
            await tx.commit()
        if not items:
            return None
        # Where more scopes wait than a batch has places, the next one begins behind these.
        scopes = {item.scope for item in items}
        self._last = max({scope for scope in scopes if scope <= self._last} or scopes)
        return _Batch(collection, items)

    async def embed(self, batch: _Batch) -> None:
        """Embeds a batch; what fails by its own fault waits for another try or is given up.

        Raises Unavailable, after giving the items back.
        """
        dispatch, collection, items = self._dispatch, batch.collection, batch.items
        try:
            errors = await embed_items(
                dispatch.store, dispatch.index, dispatch.embedder, collection, items
            )
        except NothingPassed as error:
            self._fruitless += 1
            if self._fruitless > ROUNDS:
                return await self._settle(batch, error.errors)
            await self._give_back(batch)
            raise
        except Unavailable:
            await self._give_back(batch)
            raise
        except Conflict as error:
            await self._give_back(batch)
            raise Unavailable(error.message) from error
        except Exception as error:
            return await self._isolate(batch, error)
        if len(errors) < len(items):
            self._fruitless = 0
        await self._settle(batch, errors)
        return None

    async def _isolate(self, batch: _Batch, error: Exception) -> None:
        """Finds by halves which item it is that we ourselves cannot cope with."""
        if len(batch.items) > 1:
            middle = len(batch.items) // 2
            for half in (batch.items[:middle], batch.items[middle:]):
                await self.embed(_Batch(batch.collection, half))
            return
        (item,) = batch.items
        log.error("%s cannot be embedded", item.name, exc_info=error)
        reason = error.reason if isinstance(error, ColonnadeError) else "INTERNAL"
        await self._settle(batch, {item.name: Internal(str(error), reason=reason)})

    async def _settle(self, batch: _Batch, errors: Mapping[str, ColonnadeError]) -> None:
        if not errors:
            return
        collection, now = batch.collection, self._dispatch.clock.now()
        async with self._dispatch.store.begin() as tx:
            for item in batch.items:
                error = errors.get(item.name)
                delay = delay_after(item.attempts + 1)
                if error is None:
                    continue
                if isinstance(error, Unavailable):
                    due = now + timedelta(seconds=error.retry_after)
                    await tx.queue.give_back(collection.name, [item.name], due)
                elif delay is None or error.reason == TOO_LARGE:
                    await quarantine(tx, collection, item, error)
                else:
                    reason, message = error.reason, error.message
                    await tx.queue.fail(collection.name, item.name, reason, message, now + delay)
            await tx.commit()

    async def _give_back(self, batch: _Batch) -> None:
        # If that fails too, they are anybody's when their time is over.
        with suppress(ColonnadeError):
            async with self._dispatch.store.begin() as tx:
                names = [item.name for item in batch.items]
                await tx.queue.give_back(batch.collection.name, names)
                await tx.commit()

    async def _collection(self) -> Collection | None:
        store, modality = self._dispatch.store, self._modality
        async with store.read() as tx:
            active = await tx.collections.active(modality)
            if active is not None or not await tx.queue.anybody(modality):
                return active
        return await active_collection(store, self._dispatch.embedder, modality)
