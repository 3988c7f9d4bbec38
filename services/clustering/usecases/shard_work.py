"""What a worker does with one shard of a scope that is grouped anew; see usecases.shards."""

import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import numpy as np

from libs.errors import ColonnadeError, InvalidArgument, Unavailable
from libs.lease import Lease, LeaseLost, kept
from services.clustering.algorithms.prep import Matrix
from services.clustering.algorithms.shards import (
    Ids,
    Measured,
    Outcome,
    Part,
    Recipe,
    all_measured,
    chosen,
    ids_of,
    joined,
    measured,
    texts_of,
)
from services.clustering.domain.item import Modality, modality_of
from services.clustering.domain.shard import Shard
from services.clustering.ports import Store
from services.clustering.usecases.attempt import Worker

log = logging.getLogger(__name__)

SHARD_TASK = "clustering.shard"
# Rows that are in work at once; more of them make it no faster.
_BLOCK = 5_000


async def waiting_shards(store: Store) -> list[str]:
    """The ids of runs that could use help with their shards."""
    async with store.read() as tx:
        return await tx.shards.waiting()


async def help_with_shards(worker: Worker, run_id: str) -> None:
    """Works on the shards of a run as long as there are some that nobody has."""
    while await work_on_shard(worker, run_id):
        pass


async def work_on_shard(worker: Worker, run_id: str) -> bool:
    """Does what one shard of a run waits for; False if there is none that nobody has.

    Killed at any point, it leaves the shard to the next worker. One that fails waits again.
    """
    async with worker.store.begin() as tx:
        taken = await tx.shards.take(run_id, worker.owner, worker.max_attempts)
        await tx.commit()
    if taken is None:
        return False
    shard, lease = taken

    async def beat() -> None:
        async with worker.store.begin() as tx:
            await tx.shards.renew(shard, lease)
            await tx.commit()

    try:
        async with kept(beat):
            result = await _answer(worker, shard)
            async with worker.store.begin() as tx:
                await tx.shards.end(shard, lease, result)
                await tx.commit()
    except LeaseLost:
        log.info("shard %d of the run %s went to another worker", shard.number, run_id)
    except ColonnadeError as error:
        log.warning("shard %d of the run %s: %s", shard.number, run_id, error.message)
        await _put_back(worker, shard, lease)
    return True


async def _put_back(worker: Worker, shard: Shard, lease: Lease) -> None:
    delay = timedelta(seconds=worker.sharding.poll_seconds * 4**shard.attempt)
    with suppress(LeaseLost):
        async with worker.store.begin() as tx:
            await tx.shards.put_back(shard, lease, delay)
            await tx.commit()


async def _answer(worker: Worker, shard: Shard) -> str:
    """Where the answer of a shard lies to what it was told."""
    part = await _part(worker, shard)
    if not shard.outcome:
        key, data = shard.new_key("part"), await worker.pool.run(part.to_bytes)
    else:
        found = await _measure(worker, shard, part)
        key, data = shard.new_key("measured"), await worker.pool.run(found.to_bytes)
    await worker.snapshots.save(key, data)
    return key


async def _part(worker: Worker, shard: Shard) -> Part:
    """What the shard chose, after all looks; those are done again whose result is lost."""
    data = await worker.snapshots.load(shard.result) if shard.result else None
    part = await read_part(worker, data)
    if part is None:
        part = await _first_look(worker, shard)
    while part.looks < len(shard.recipes):
        part = await _look_again(worker, shard, part)
    return part


async def read_part(worker: Worker, data: bytes | None) -> Part | None:
    """What a shard answered; None where that is lost."""
    if data is None:
        return None
    try:
        return await worker.pool.run(Part.from_bytes, data)
    except InvalidArgument:
        log.warning("what a shard had answered cannot be read; it is done again")
        return None


async def _first_look(worker: Worker, shard: Shard) -> Part:
    recipe = Recipe.from_bytes(await _told(worker, shard.recipes[0]))
    async with worker.store.begin() as tx:
        ids = await tx.shards.ids(
            shard.run_id, shard.scope, shard.collection, shard.first, shard.last, limit=None
        )
        if modality_of(shard.scope) is Modality.TEXTS:
            await tx.placements.note_texts(
                shard.run_id, shard.scope, shard.collection, shard.first, shard.last
            )
            await tx.commit()
    parts = [
        await worker.pool.run(chosen, recipe, there, vectors)
        async for there, vectors in _scrolled(worker, shard, ids)
    ]
    return await worker.pool.run(joined, recipe, parts)


async def _look_again(worker: Worker, shard: Shard, part: Part) -> Part:
    recipe = Recipe.from_bytes(await _told(worker, shard.recipes[part.looks]))
    later = [
        await worker.pool.run(chosen, recipe, there, vectors)
        async for there, vectors in fetched_points(worker, shard.collection, part.outside)
    ]
    return part.revised(await worker.pool.run(joined, recipe, later))


async def _measure(worker: Worker, shard: Shard, part: Part) -> Measured:
    outcome = Outcome.from_bytes(await _told(worker, shard.outcome))
    found = []
    async for there, vectors in _scrolled(worker, shard, part.ids):
        labels = part.labels[np.searchsorted(part.ids, there)]
        found.append(await worker.pool.run(measured, outcome, there, labels, vectors))
    return await worker.pool.run(all_measured, len(outcome.tally.counts), found)


async def _told(worker: Worker, key: str) -> bytes:
    data = await worker.snapshots.load(key)
    if data is None:
        raise Unavailable("what the shards are to do is lost", reason="SHARDS_LOST")
    return data


async def _scrolled(worker: Worker, shard: Shard, wanted: Ids) -> AsyncIterator[tuple[Ids, Matrix]]:
    """Those of the wanted points of a shard that are there, in blocks, in the order of ids."""
    ids: list[Ids] = []
    rows: list[Matrix] = []
    pages = worker.vectors.in_range(shard.collection, shard.scope, shard.first, shard.last)
    async for names, matrix in pages:
        page = ids_of(names)
        places = np.minimum(np.searchsorted(wanted, page), max(len(wanted) - 1, 0))
        known = wanted[places] == page if len(wanted) else np.zeros(len(page), dtype=bool)
        ids.append(page[known])
        rows.append(matrix[known])
        if sum(map(len, ids)) >= _BLOCK:
            yield np.concatenate(ids), np.concatenate(rows)
            ids, rows = [], []
    if any(map(len, ids)):
        yield np.concatenate(ids), np.concatenate(rows)


async def fetched_points(
    worker: Worker, collection: str, wanted: Ids
) -> AsyncIterator[tuple[Ids, Matrix]]:
    """Those of some points that are there, in blocks, in the order given."""
    for start in range(0, len(wanted), _BLOCK):
        names, matrix = await worker.vectors.of_points(
            collection, texts_of(wanted[start : start + _BLOCK])
        )
        if names:
            yield ids_of(names), matrix
