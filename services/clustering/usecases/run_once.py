"""One clustering run, from its row to the new version. Knows nothing of Celery."""

import logging
from dataclasses import replace

from libs.errors import ColonnadeError, Conflict, DeadlineExceeded, Internal, Unavailable
from libs.lease import LeaseLost, kept
from services.clustering.domain.item import modality_of
from services.clustering.domain.regrouping import with_wishes
from services.clustering.domain.run import Run, Stats
from services.clustering.domain.stats import stats_unchanged
from services.clustering.usecases.attempt import Attempt, Cancelled, Worker
from services.clustering.usecases.grouping import Unchanged, group_items
from services.clustering.usecases.shadow import shadow_report
from services.clustering.usecases.versions import write_version

log = logging.getLogger(__name__)

_PASSING = (Unavailable, DeadlineExceeded, Conflict)


async def run_clustering_once(worker: Worker, run_id: str) -> Run | None:
    """Does the run and answers it as it stands then; None if there was nothing to do.

    Killed at any point, it leaves the former version in place and the row to the next worker. A
    worker that was too slow loses its lease and writes nothing (LeaseLost). While something it
    needs is away, the run goes back into the queue, until it was tried ``max_attempts`` times.
    """
    async with worker.store.begin() as tx:
        taken = await tx.ledger.take(run_id, worker.owner, worker.max_attempts)
        await tx.commit()
    if taken is None:
        return None
    attempt = Attempt(worker.store, *taken)
    async with kept(attempt.beat):
        return await _settled(worker, attempt)


async def waiting_runs(worker: Worker) -> list[str]:
    """The ids of runs that no worker has; those that were tried too often are failed."""
    async with worker.store.begin() as tx:
        waiting = await tx.ledger.waiting(worker.max_attempts)
        await tx.commit()
    return waiting


async def _settled(worker: Worker, attempt: Attempt) -> Run:
    try:
        return await _run(worker, attempt)
    except LeaseLost:
        raise
    except Cancelled:
        return await attempt.cancel()
    except _PASSING as error:
        last = attempt.run.attempt >= worker.max_attempts
        return await (attempt.fail(error) if last else attempt.put_back(error))
    except ColonnadeError as error:
        return await attempt.fail(error)
    except Exception as error:
        log.exception("run %s broke off", attempt.run.id)
        kind = type(error).__name__
        return await attempt.fail(Internal(f"the run broke off: {kind}; the log tells why"))


async def _run(worker: Worker, attempt: Attempt) -> Run:
    if attempt.run.shadow:
        return await attempt.report(await shadow_report(worker, attempt))
    scope = attempt.run.scope
    worker = replace(worker, params=with_wishes(worker.params, attempt.run.params))
    await attempt.enter("read")
    async with worker.store.read() as tx:
        remembered = await tx.clusters.scope(scope)
        collection = await tx.collections.active(modality_of(scope))
        # A scope without any vectors may still have clusters to take the last ones out of.
        if collection is not None and not remembered.collection:
            there = await tx.items.has_vectors(scope, collection.name)
            collection = collection if there else None
        missing = await tx.items.count_missing(scope, collection.name if collection else "")
    if collection is None:
        return await attempt.find_nothing_new(Stats(missing=missing, noop=True))
    found = await group_items(worker, attempt, remembered, collection)
    missing += found.missing
    if isinstance(found, Unchanged):
        stats = stats_unchanged(found.state, found.clusters, found.clustered, missing)
        return await attempt.find_nothing_new(stats)
    remembered = replace(remembered, collection=collection.name)
    run = await write_version(worker, attempt, remembered, replace(found, missing=missing))
    if run.version and remembered.state_key:
        await worker.snapshots.forget(remembered.state_key)
    return run
