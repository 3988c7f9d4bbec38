"""A shadow run: what an algorithm would find, told and not stored."""

from dataclasses import replace
from time import perf_counter

from services.clustering.algorithms.clustering import Previous
from services.clustering.domain.item import Modality, modality_of
from services.clustering.domain.regrouping import group_anew, report_of
from services.clustering.domain.run import RunReport
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.whole import fetch_whole, groups_now


async def shadow_report(worker: Worker, attempt: Attempt) -> RunReport:
    """Groups the scope of a run anew by the run's algorithm and changes nothing.

    Raises FailedPrecondition (ALGORITHM_NOT_INSTALLED, TOO_MANY_ITEMS), Cancelled, LeaseLost.
    """
    run = attempt.run
    modality = modality_of(run.scope)
    await attempt.enter("read")
    async with worker.store.read() as tx:
        remembered = await tx.clusters.scope(run.scope)
        collection = await tx.collections.active(modality)
        before = await groups_now(tx, remembered)
    if collection is None:
        return RunReport()
    whole = await fetch_whole(worker, attempt, collection)
    await attempt.enter("fit", len(whole.ids))
    started = perf_counter()
    found = await worker.pool.run(
        group_anew,
        run.algorithm,
        run.params,
        whole.ids,
        whole.vectors,
        Previous(before, remembered.next_key),
        replace(worker.params, near_duplicate=collection.duplicate_threshold),
        whole.times,
        texts=modality is Modality.TEXTS,
    )
    return report_of(found, before, round((perf_counter() - started) * 1000))
