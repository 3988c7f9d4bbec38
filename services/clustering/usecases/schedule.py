"""Runs that nobody has to ask for: where items wait, and where the vectors are others by now."""

from datetime import timedelta

from libs.clock import Clock
from libs.ids import uuid7
from libs.jobs.queue import JobQueue
from services.clustering.domain.run import Mode, Run, Trigger
from services.clustering.ports import Store, Transaction
from services.clustering.usecases.runs import QUEUE, RUN_TASK

# So many of these runs are active at once: those that people ask for need a worker too.
AT_ONCE = 4
# Between two automatic runs of a scope while nothing is scheduled.
_PAUSE = timedelta(minutes=15)


async def start_due_runs(
    store: Store, queue: JobQueue, clock: Clock, every: timedelta, *, at_once: int = AT_ONCE
) -> list[Run]:
    """The runs that are due now; workers are told of them.

    A scope is due when items have waited for ``every``, or were deleted, and no run was made for so
    long; photos that are still coming in so cause one run in that time. For an ``every`` of zero
    only those scopes are due whose clusters are of other vectors than those in use. Nothing is
    remembered from call to call, so that calls which were missed make no more runs. Not more than
    ``at_once`` are active at a time; the others are due at a later call.
    """
    now, pause = clock.now(), every or _PAUSE
    async with store.begin() as tx:
        room = at_once - await tx.due.active()
        due = dict.fromkeys(await tx.due.outdated(now - pause, max(room, 0)), Trigger.GENERATION)
        if every:
            for scope in await tx.due.waiting(now - pause, max(room, 0)):
                due.setdefault(scope, Trigger.SCHEDULE)
        made = [
            await _add(tx, Run(uuid7(), scope, Mode.AUTO, now, trigger=trigger))
            for scope, trigger in list(due.items())[: max(room, 0)]
        ]
        await tx.commit()
    started = [run for run in made if run is not None]
    for run in started:
        await queue.enqueue(RUN_TASK, run.id, QUEUE)
    return started


async def _add(tx: Transaction, wanted: Run) -> Run | None:
    """The run; None if somebody asked for one of the scope just before."""
    run = await tx.runs.add(wanted)
    return run if run.id == wanted.id else None
