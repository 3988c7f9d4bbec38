"""One clustering run, from its row to the new version. Knows nothing of Celery."""

import contextlib
import logging
from dataclasses import replace

from libs.errors import ColonnadeError, Conflict, DeadlineExceeded, Internal, Unavailable
from libs.lease import LeaseLost, kept
from services.clustering.domain.item import Collection, modality_of
from services.clustering.domain.regrouping import with_wishes
from services.clustering.domain.run import LONGEST_YIELD, Run, Stats
from services.clustering.domain.stats import stats_unchanged
from services.clustering.ports.intake import Standing
from services.clustering.usecases.attempt import Attempt, Cancelled, Overtaken, Worker
from services.clustering.usecases.grouping import Grouping
from services.clustering.usecases.history import forget_memories
from services.clustering.usecases.large import regroup_large
from services.clustering.usecases.shadow import shadow_report
from services.clustering.usecases.versions import Outdated, write_version

log = logging.getLogger(__name__)

# How often people may change the scope in one attempt, while a run is at work on it.
_TRIES = 5
_PASSING = (Unavailable, DeadlineExceeded, Conflict)


async def run_clustering_once(worker: Worker, run_id: str) -> Run | None:
    """Does the run and answers it as it stands then; None if there was nothing to do.

    Killed at any point, it leaves the former version in place and the row to the next worker. A
    worker that was too slow loses its lease and writes nothing (LeaseLost). While something it
    needs is away, the run goes back into the queue, until it was tried ``max_attempts`` times, and
    while its scope changes faster than it drafts, for as long as ``LONGEST_YIELD`` says.
    """
    async with worker.store.begin() as tx:
        taken = await tx.ledger.take(run_id, worker.owner, worker.max_attempts)
        await tx.commit()
    if taken is None:
        return None
    attempt = Attempt(worker.store, *taken)
    async with kept(attempt.beat):
        done = await _settled(worker, attempt)
    if done.version:
        # What is left when this fails, pruning forgets.
        with contextlib.suppress(ColonnadeError):
            await forget_memories(worker.store, worker.snapshots, done.scope)
    return done


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
    except Overtaken as error:
        if attempt.run.may_yield(worker.clock.now()):
            return await attempt.make_way(error)
        return await attempt.fail(_never_alone())
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
        collection = await tx.collections.active(modality_of(scope))
        missing = 0 if collection else await tx.items.count_missing(scope, "")
    if collection is None:
        return await attempt.find_nothing_new(Stats(missing=missing, noop=True))
    grouping = Grouping(worker, attempt, collection)
    for _ in range(_TRIES):
        async with worker.store.read() as tx:
            seen = await tx.clusters.scope(scope)
            # A scope without any vectors may still have clusters to take the last ones out of.
            there = bool(seen.collection) or await tx.items.has_vectors(scope, collection.name)
        draft = await grouping.draft(seen) if there else 0
        if isinstance(draft, int):
            stats = await _unchanged(worker, scope, collection, draft)
            return await attempt.find_nothing_new(stats)
        if draft is None:
            standing = await _standing(worker, scope, collection)
            return await regroup_large(worker, attempt, collection, standing)
        with contextlib.suppress(Outdated):
            return await write_version(worker, attempt, draft)
    raise Overtaken(
        "people or new texts change the scope faster than a run can follow; it is tried again, as "
        "often as it takes, and that counts as no attempt"
    )


def _never_alone() -> Overtaken:
    minutes = round(LONGEST_YIELD.total_seconds() / 60)
    return Overtaken(
        f"people or new texts changed the scope for {minutes} minutes without a pause that a run "
        "could use; ask for another run when they pause"
    )


async def _unchanged(worker: Worker, scope: str, collection: Collection, missing: int) -> Stats:
    """The statistics of a run that found everything as the version before had left it."""
    async with worker.store.read() as tx:
        newest = await tx.versions.newest(scope)
    standing = await _standing(worker, scope, collection)
    return replace(
        stats_unchanged(newest),
        missing=missing + standing.missing,
        quarantined=standing.quarantined,
        failed_embeddings=standing.failed_embeddings,
    )


async def _standing(worker: Worker, scope: str, collection: Collection) -> Standing:
    async with worker.store.read() as tx:
        return await tx.waiting.standing(scope, collection.name)
