"""Grouping a scope anew that is too large for memory: a sample is fitted, shards are assigned.

The shards are rows; any worker takes one after the other. The run waits for them and works on them
itself meanwhile, so it needs nobody else. What a shard is told and what it answers lies in the blob
store, and can be made again where it is lost.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from libs.errors import Unavailable
from libs.lease import LeaseLost
from services.clustering.algorithms.components import OUTSIDE, Components, Null
from services.clustering.algorithms.items import halves, texts
from services.clustering.algorithms.large import (
    Model,
    first_model,
    further_model,
    rounds_of,
    settled,
)
from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.memory import History, Memory, Pool
from services.clustering.algorithms.prep import Epoch, Matrix, fit_epoch, unit
from services.clustering.algorithms.reservoir import lowest
from services.clustering.algorithms.shards import (
    NO_IDS,
    Ids,
    Measured,
    Outcome,
    Part,
    Recipe,
    ranks_of_ids,
    texts_of,
    units_of,
)
from services.clustering.algorithms.tally import Moments, Tally
from services.clustering.domain.item import Collection
from services.clustering.domain.run import RunState
from services.clustering.domain.shard import Shard, ShardState, folder_of
from services.clustering.usecases.attempt import Attempt, Cancelled, Worker
from services.clustering.usecases.runs import QUEUE
from services.clustering.usecases.shard_work import (
    SHARD_TASK,
    fetched_points,
    read_part,
    work_on_shard,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class LargeFit:
    """The groups 0..K-1 of a large scope; where each item is lies in the placements of the run.

    ``components`` are those of distinct items, ``sums`` (K, d) what these add up to in the space of
    the embedding model. ``items`` were looked at, copies included, ``outside`` of them are in no
    group, ``duplicates`` are copies; ``missing`` had no vector. ``pool_ids`` and ``pool`` (n, d)
    are a sample of what is outside.
    """

    epoch: Epoch
    null: Null
    components: Components
    sums: Matrix
    members: Indices
    items: int
    outside: int
    duplicates: int
    missing: int
    pool_ids: tuple[str, ...]
    pool: Matrix

    @property
    def centroids(self) -> Matrix:
        """(K, d) unit vectors."""
        return unit(self.sums)

    def memory(self, keys: Sequence[str], next_key: int) -> Memory:
        """What the engine is to remember of it; ``keys`` (K,) are those of the clusters that the
        groups are in, empty for one of people's own."""
        distinct = self.items - self.duplicates
        pool = Pool(
            texts(self.pool_ids), halves(self.pool), np.zeros(len(self.pool_ids), dtype=bool)
        )
        outside = distinct - int(self.components.counts.sum())
        components, sums = self.components, self.sums.copy()
        first: dict[str, int] = {}
        for group, key in enumerate(keys):
            kept = first.setdefault(key, group)
            if kept != group:
                components = components.with_merged(kept, group)
                sums[kept] += sums[group]
        known = np.array([group for key, group in first.items() if key], dtype=np.int64)
        return Memory(
            keys=texts([key for key in first if key]),
            sums=sums[known],
            components=components.take(known),
            epoch=self.epoch,
            null=self.null,
            pool=pool,
            history=History(distinct, outside, self.components.closeness),
            next_key=next_key,
        )


async def fit_in_shards(worker: Worker, attempt: Attempt, collection: Collection) -> LargeFit:
    """Groups everything in the scope of a run anew, and leaves where it is in the placements.

    Deterministic, whoever works on the shards, in whatever order. What is left behind by an error
    is removed; after success ``forget_shards`` does that. Raises Cancelled, LeaseLost, Unavailable.
    """
    try:
        return await _LargeFit(worker, attempt, collection).run()
    except LeaseLost:
        raise  # What is there belongs to another worker by now.
    except Exception:
        await forget_shards(worker, attempt.run.scope, attempt.run.id)
        raise


async def forget_shards(worker: Worker, scope: str, run_id: str) -> None:
    """Removes what a run left in the blob store and in the tables."""
    await worker.snapshots.forget_all(folder_of(scope, run_id))
    async with worker.store.begin() as tx:
        await tx.shards.forget(run_id)
        await tx.commit()


async def forget_left_shards(worker: Worker) -> None:
    """The same for every run that ended without doing so."""
    async with worker.store.read() as tx:
        left = await tx.shards.left()
    for scope, run_id in left:
        await forget_shards(worker, scope, run_id)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What all shards together have chosen, and a sample of what is outside."""

    items: int
    outside: int
    sample: Ids
    tally: Tally
    centres: Tally


class _LargeFit:
    """One large fit in the hands of the worker of its run."""

    def __init__(self, worker: Worker, attempt: Attempt, collection: Collection) -> None:
        self._worker = worker
        self._attempt = attempt
        self._collection = collection
        self._params = replace(worker.params, near_duplicate=collection.duplicate_threshold)
        self._scope, self._run_id = attempt.run.scope, attempt.run.id
        self._recipes: list[str] = []
        self._total = 0
        self._shards = 0

    async def run(self) -> LargeFit:
        """See ``fit_in_shards``."""
        sampled = await self._plan()
        await self._attempt.enter("fit", len(sampled))
        epoch, model = await self._fit(sampled)
        model, found = await self._assign(epoch, model)
        places, left = await self._worker.pool.run(
            settled, found.tally, model.acceptance, self._params
        )
        centres = found.centres.moved(places, len(left.counts))
        outcome = Outcome(epoch, places, left, unit(centres.sums))
        await self._tell(await self._kept_bytes("outcome", outcome.to_bytes()))
        await self._finish("measure")
        return await self._gather(epoch, model, left, centres)

    async def _plan(self) -> Ids:
        """Cuts the scope into shards; answers a sample of it."""
        await self._attempt.enter("read")
        async with self._worker.store.begin() as tx:
            await tx.placements.clear(self._run_id)
            await tx.placements.note_copies(
                self._run_id, self._scope, self._collection.name, self._params.near_duplicate
            )
            await tx.commit()
        sampled, firsts, sizes = NO_IDS, [""], []
        while len(ids := await self._next_ids(firsts[-1])):
            sampled = self._sampled(sampled, ids, self._params.sample)
            sizes.append(len(ids))
            firsts.append(str(UUID(int=int.from_bytes(ids[-1:].tobytes()) + 1)))
            self._attempt.advance(sum(sizes))
        # The last one takes in what has come since.
        bounds = [*firsts[: len(sizes)], ""]
        self._total, self._shards = sum(sizes), len(sizes)
        shards = [
            Shard(
                self._run_id,
                number,
                self._scope,
                self._collection.name,
                bounds[number],
                bounds[number + 1],
                size,
                state=ShardState.DONE,  # They were told nothing yet.
            )
            for number, size in enumerate(sizes)
        ]
        async with self._worker.store.begin() as tx:
            await tx.shards.add(shards, self._attempt.lease.token)
            await tx.commit()
        return sampled

    async def _next_ids(self, first: str) -> Ids:
        async with self._worker.store.begin() as tx:
            return await tx.shards.ids(
                self._run_id,
                self._scope,
                self._collection.name,
                first,
                "",
                limit=self._worker.sharding.size,
            )

    def _sampled(self, known: Ids, more: Ids, size: int) -> Ids:
        """A sample of both, in the order of ids; ``known`` is one of what came before."""
        ids = np.sort(np.concatenate([known, more]))
        return ids[lowest(ranks_of_ids(ids, self._params.seed), size)]

    async def _fit(self, sampled: Ids) -> tuple[Epoch, Model]:
        units = await self._units(sampled)
        return await self._worker.pool.run(self._first_model, units)

    def _first_model(self, units: Matrix) -> tuple[Epoch, Model]:
        epoch = fit_epoch(units, self._params.dimensions, self._params.seed)
        rows = epoch.transform(units)
        pairs = Null(epoch.null_mean, epoch.null_sd)
        return epoch, first_model(rows, pairs, self._params, self._total)

    async def _assign(self, epoch: Epoch, model: Model) -> tuple[Model, _Found]:
        """Has every row choose, and those left over again among more groups."""
        await self._tell(recipe=Recipe(epoch, model))
        await self._finish("assign")
        found = await self._found()
        for _ in range(rounds_of(found.outside, found.items, self._params)):
            more = await self._second_look(epoch, model, found)
            if more is None:
                break
            model = more
            await self._tell(recipe=Recipe(epoch, model))
            await self._finish("assign")
            found = await self._found()
        return model, found

    async def _second_look(self, epoch: Epoch, model: Model, found: _Found) -> Model | None:
        if not found.outside:
            return None
        await self._attempt.enter("fit", len(found.sample))
        units = await self._units(found.sample)

        def look() -> Model | None:
            return further_model(model, epoch.transform(units), self._params, found.outside)

        return await self._worker.pool.run(look)

    async def _units(self, ids: Ids) -> Matrix:
        """The unit vectors of these points, those that are there."""
        rows = np.empty((len(ids), self._collection.dimension), dtype=np.float32)
        filled = 0
        async for there, vectors in fetched_points(self._worker, self._collection.name, ids):
            rows[filled : filled + len(there)] = units_of(vectors)
            filled += len(there)
        return rows[:filled]

    async def _tell(self, outcome: str = "", recipe: Recipe | None = None) -> None:
        if recipe is not None:
            data = await self._worker.pool.run(recipe.to_bytes)
            self._recipes.append(await self._kept_bytes(f"recipe-{len(self._recipes)}", data))
        async with self._worker.store.begin() as tx:
            await tx.shards.tell(self._run_id, self._recipes, outcome)
            await tx.commit()

    async def _kept_bytes(self, name: str, data: bytes) -> str:
        token = self._attempt.lease.token
        key = f"{folder_of(self._scope, self._run_id)}/{name}-{token}.npz"
        await self._worker.snapshots.save(key, data)
        return key

    async def _finish(self, phase: str) -> None:
        """Returns when every shard has done what it was told to; works on them meanwhile."""
        worker, attempt = self._worker, self._attempt
        await attempt.enter(phase, self._total)
        for _ in range(self._shards):
            await worker.sharding.queue.enqueue(SHARD_TASK, self._run_id, QUEUE)
        while True:
            worked = await work_on_shard(worker, self._run_id)
            async with worker.store.read() as tx:
                progress = await tx.shards.progress(self._run_id)
            attempt.advance(progress.items)
            await attempt.beat()
            if attempt.run.state is RunState.CANCELLING:
                raise Cancelled
            if progress.complete:
                return
            if progress.attempts >= worker.max_attempts:
                raise Unavailable(
                    f"a shard failed {progress.attempts} times; the log tells why",
                    reason="SHARD_FAILED",
                )
            if not worked:
                await asyncio.sleep(worker.sharding.poll_seconds)

    async def _found(self) -> _Found:
        width = self._collection.dimension
        items, outside, sample = 0, 0, NO_IDS
        tally, centres = Tally.empty(0, 0), Tally.empty(0, width)
        for number in range(self._shards):
            part = await self._part_of(number)
            if not number:
                tally = Tally.empty(0, part.tally.sums.shape[1])
            items += len(part.ids)
            outside += len(part.outside)
            sample = self._sampled(sample, part.outside, self._params.sample)
            tally, centres = tally + part.tally, centres + part.centres
        return _Found(items, outside, sample, tally, centres)

    async def _part_of(self, number: int) -> Part:
        while True:
            part = await read_part(self._worker, await self._result_of(number))
            if part is not None:
                return part
            await self._redo(number)

    async def _measured_of(self, number: int) -> Measured:
        while True:
            data = await self._result_of(number)
            if data is not None:
                return await self._worker.pool.run(Measured.from_bytes, data)
            await self._redo(number)

    async def _result_of(self, number: int) -> bytes | None:
        async with self._worker.store.read() as tx:
            shards = await tx.shards.of_run(self._run_id)
        return await self._worker.snapshots.load(shards[number].result)

    async def _redo(self, number: int) -> None:
        log.warning("what shard %d of the run %s answered is lost", number, self._run_id)
        async with self._worker.store.begin() as tx:
            await tx.shards.redo(self._run_id, number)
            await tx.commit()
        await self._finish(self._attempt.run.phase)

    async def _gather(self, epoch: Epoch, model: Model, left: Tally, centres: Tally) -> LargeFit:
        """Puts the answers of all shards together."""
        worker, nothing = self._worker, np.zeros(len(left.counts))
        await self._attempt.enter("store", self._total)
        moments, found, pool = Moments(nothing, nothing, nothing), 0, NO_IDS
        for number in range(self._shards):
            answer = await self._measured_of(number)
            async with worker.store.begin() as tx:
                await tx.placements.add(
                    self._run_id, answer.ids, answer.labels, answer.similarities
                )
                await tx.commit()
            moments += answer.moments
            found += len(answer.ids)
            rest = answer.ids[answer.labels == OUTSIDE]
            pool = self._sampled(pool, rest, self._params.pool_max)
            self._attempt.advance(found)
        async with worker.store.begin() as tx:
            await tx.placements.follow_copies(self._run_id)
            await tx.commit()
        async with worker.store.begin() as tx:
            sizes = await tx.placements.sizes(self._run_id)
        groups = range(len(left.counts))
        return LargeFit(
            epoch=epoch,
            null=model.acceptance.null,
            components=moments.components(left),
            sums=centres.sums.astype(np.float32),
            members=np.array([sizes.get(group, 0) for group in groups], dtype=np.int64),
            items=sum(sizes.values()),
            outside=sizes.get(OUTSIDE, 0),
            duplicates=sum(sizes.values()) - found,
            missing=max(self._total - found, 0),
            pool_ids=tuple(texts_of(pool)),
            pool=await self._units(pool),
        )
