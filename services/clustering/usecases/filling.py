"""Filling a generation with vectors, from its row. Knows nothing of Celery."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from libs.clock import Clock
from libs.errors import ColonnadeError, Unavailable
from libs.lease import Lease, LeaseLost, kept
from libs.vectors.index import VectorIndex
from services.clustering.domain.generation import FED, Generation, GenerationState
from services.clustering.domain.item import Collection, Item, Modality
from services.clustering.ports import Embedder, Store, Transaction
from services.clustering.usecases.contrast import compare_generations
from services.clustering.usecases.dispatching import ROUNDS, Dispatch, drain
from services.clustering.usecases.embedding import NothingPassed, embed_items, quarantine
from services.clustering.usecases.switching import drop_old, switch

log = logging.getLogger(__name__)

FILL_TASK = "clustering.fill_generation"
AGAIN_AFTER = timedelta(seconds=30)
# Taken up so many times in a row without a single photo done, it is given up.
_MOST_ATTEMPTS = 10
# The embedding service makes other vectors by now; waiting does not help.
_CHANGED = "MODEL_CHANGED"
# It does not find the model. Where that is kept may be away for a while.
_MISSING = "NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Filler:
    """What filling needs of the world; ``keep`` retired generations are kept."""

    store: Store
    index: VectorIndex
    embedder: Embedder
    clock: Clock
    owner: str
    batch: int
    text_batch: int = 100
    keep: int = 1

    def batch_of(self, modality: Modality) -> int:
        """How many items of a kind one call takes at most."""
        return self.text_batch if modality is Modality.TEXTS else self.batch

    @property
    def dispatch(self) -> Dispatch:
        """The same for dispatching."""
        return Dispatch(
            self.store,
            self.index,
            self.embedder,
            self.clock,
            f"{self.owner}/filling",
            {modality: self.batch_of(modality) for modality in Modality},
        )


async def fill_generation(filler: Filler, generation_id: str) -> None:
    """Embeds every item that waits for a vector in a generation; one that was filling is ready
    then, or active if it is to become so by itself.

    Killed at any point, it leaves the rest to the next worker. Beside the active one, an item that
    fails twice on its own account is counted as failed, also where no other item of its batch has
    passed for some rounds; in the active one it has its further tries later. While the embedding
    service is away, all wait. Raises LeaseLost.
    """
    async with filler.store.begin() as tx:
        taken = await tx.generations.take(generation_id, filler.owner)
        await tx.commit()
    if taken is None:
        return
    fill = _Fill(filler, *taken)
    async with kept(fill.beat):
        await fill.run()


async def waiting_generations(store: Store) -> list[str]:
    """The ids of generations that are to be filled and that no worker has."""
    async with store.read() as tx:
        return await tx.generations.waiting()


class _Fill:
    """A generation that a worker holds the lease of."""

    def __init__(self, filler: Filler, generation: Generation, lease: Lease) -> None:
        self._filler = filler
        self._generation = generation
        self._lease = lease

    async def beat(self) -> None:
        """Renews the lease and looks at what became of the generation."""
        await self._renew(self._generation.attempt)

    async def _renew(self, attempt: int) -> None:
        async with self._filler.store.begin() as tx:
            self._generation = await tx.generations.renew(self._generation, self._lease, attempt)
            await tx.commit()

    async def run(self) -> None:
        """Embeds all that waits, and ends."""
        if self._generation.attempt > _MOST_ATTEMPTS:
            error = Unavailable("its workers were lost again and again", reason="WORKER_LOST")
            return await self._fail(error)
        try:
            await self._enrol()
            all_done = await self._embed_all()
        except Unavailable as error:
            counts = error.reason == _MISSING or isinstance(error, NothingPassed)
            attempt = self._generation.attempt if counts else 0
            if error.reason == _CHANGED or attempt >= _MOST_ATTEMPTS:
                return await self._fail(error, attempt=0)
            log.warning("%s goes on waiting: %s", self._generation.name, error.message)
            return await self._put_back(attempt)
        if not all_done:
            return await self._put_back(0)
        await self._finish()
        return None

    async def _enrol(self) -> None:
        after: str | None = ""
        while after is not None:
            async with self._filler.store.begin() as tx:
                after = await tx.generations.enrol(self._generation.collection, after)
                await tx.commit()

    async def _embed_all(self) -> bool:
        """Whether nothing is left to wait for."""
        filler, collection = self._filler, self._generation.collection
        after, waits, found = "", False, False
        while self._generation.state in FED:
            if self._generation.state is GenerationState.ACTIVE:
                await drain(filler.dispatch, collection.modality)
                return True
            async with filler.store.read() as tx:
                size = filler.batch_of(collection.modality)
                items = await tx.items.pending(collection.name, after, size)
            if not items and (waits or not found):
                return not waits
            if not items:
                # Once more from the start: others came in meanwhile.
                after, found = "", False
                continue
            waits = await self._embed(collection, items) or waits
            found, after = True, items[-1].name
            await self._renew(0)
        return True

    async def _embed(self, collection: Collection, items: Sequence[Item]) -> bool:
        """Whether any of these has to wait for what is not its fault."""
        filler = self._filler
        parts = filler.store, filler.index, filler.embedder, collection
        errors: dict[str, ColonnadeError | None]
        try:
            errors = {**await embed_items(*parts, items)}
        except NothingPassed as nothing:
            if self._generation.attempt <= ROUNDS:
                raise
            errors = {**nothing.errors}
        again = [item for item in items if _is_its_fault(errors.get(item.name))]
        for item in again:
            # Alone, since it may have failed by another one's fault.
            alone = await embed_items(*parts, [item])
            errors[item.name] = alone.get(item.name)
        async with filler.store.begin() as tx:
            for item in again:
                error = errors[item.name]
                if error is not None and _is_its_fault(error):
                    await quarantine(tx, collection, item, error)
            await tx.commit()
        return any(isinstance(error, Unavailable) for error in errors.values())

    async def _finish(self) -> None:
        filling = self._generation.state is GenerationState.FILLING
        found = await self._compared() if filling else None
        async with self._filler.store.begin() as tx:
            now = await tx.generations.get(self._generation.id, lock=True)
            values: dict[str, object] = {"attempt": 0, "error_reason": "", "error_message": ""}
            if now is not None and now.state is GenerationState.FILLING:
                values |= {
                    "state": GenerationState.READY,
                    "ready_time": self._filler.clock.now(),
                    "comparison": found,
                }
            await tx.generations.give_back(self._generation, self._lease, None, **values)
            if now is not None and now.state is GenerationState.FILLING and now.automatic:
                await self._activate(tx)
            await tx.commit()

    async def _activate(self, tx: Transaction) -> None:
        """Has everything use a generation that nobody asked for, now that it is filled."""
        modality = self._generation.collection.modality
        await tx.generations.lock()
        before = await tx.generations.active(modality)
        (filled,) = await tx.generations.filled([self._generation])
        await switch(tx, self._filler.clock, before, filled)
        await drop_old(tx, modality, self._filler.keep)

    async def _compared(self) -> dict[str, object] | None:
        """How it compares with the active one; None where that cannot be told now."""
        try:
            found = await compare_generations(
                self._filler.store, self._filler.index, self._generation
            )
        except LeaseLost:
            raise
        except Exception:
            # It is optional: a finished generation must not fail by it.
            log.warning("%s is not compared", self._generation.name, exc_info=True)
            return None
        return asdict(found) if found else None

    async def _fail(self, error: ColonnadeError, **values: object) -> None:
        failed = {"error_reason": error.reason, "error_message": error.message} | values
        if self._generation.state is GenerationState.FILLING:
            failed["state"] = GenerationState.FAILED
        log.warning("%s cannot be filled: %s", self._generation.name, error.message)
        await self._give_back(failed)

    async def _put_back(self, attempt: int) -> None:
        await self._give_back({"attempt": attempt})

    async def _give_back(self, values: dict[str, object]) -> None:
        async with self._filler.store.begin() as tx:
            await tx.generations.give_back(self._generation, self._lease, AGAIN_AFTER, **values)
            await tx.commit()


def _is_its_fault(error: ColonnadeError | None) -> bool:
    return error is not None and not isinstance(error, Unavailable)
