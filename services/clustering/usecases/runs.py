"""Asking for clustering runs, looking at them, stopping them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from libs.clock import Clock
from libs.errors import AlreadyExists, NotFound
from libs.jobs.queue import JobQueue
from libs.names import pattern
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.clustering.domain.regrouping import require
from services.clustering.domain.run import Run, cancelled_state, check_wanted
from services.clustering.ports import Store, Transaction

RUN_TASK = "clustering.run"
QUEUE = "clustering"
_FORGOTTEN_AT_ONCE = 1000


def run_name(scope: str, run_id: str) -> str:
    """The resource name of a run."""
    return f"{scope}/clusteringRuns/{run_id}"


def split_run_name(name: str) -> tuple[str, str]:
    """Scope and id of a run's name."""
    kind, owner, run_id = pattern("{kind}/{owner}/clusteringRuns/{run}").parse(name)
    return f"{kind}/{owner}", run_id


async def create_run(
    store: Store, queue: JobQueue, clock: Clock, wanted: Run, request: RequestKey
) -> Run:
    """The new run; a worker is told of it.

    Raises InvalidArgument where what is wanted contradicts itself, FailedPrecondition
    (ALGORITHM_NOT_INSTALLED), AlreadyExists (RUN_ACTIVE) while another run of the scope has not
    ended.
    """
    check_wanted(wanted, clock.now())
    require(wanted.algorithm)
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            return await _existing(tx, known)
        run = await tx.runs.add(wanted)
        name = run_name(run.scope, run.id)
        if run.id != wanted.id:
            raise AlreadyExists(
                "clustering run",
                name,
                f"{name} is {run.state} in this scope; watch that one, or cancel it",
                reason="RUN_ACTIVE",
                metadata={"run": name, "state": run.state},
            )
        await tx.requests.record(request.id, name)
        await tx.commit()
    # After the commit: a worker must find the row. If the message is lost, the sweep finds it.
    await queue.enqueue(RUN_TASK, run.id, QUEUE)
    return run


async def get_run(store: Store, name: str) -> Run:
    """The run of that name. Raises NotFound."""
    async with store.read() as tx:
        return await _existing(tx, name)


async def list_runs(
    store: Store, scope: str, page: PageRequest, conditions: Sequence[Condition] = ()
) -> Page[Run]:
    """The runs of a scope for which the conditions hold, newest first."""
    async with store.read() as tx:
        return await tx.runs.list(scope, page, conditions)


async def cancel_run(store: Store, name: str, request: RequestKey) -> Run:
    """Stops a run: at once while it is queued, else as soon as its worker looks.

    Raises FailedPrecondition (RUN_ENDED) when it has succeeded or failed.
    """
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return await _existing(tx, name)
        # Locked, so that no worker takes it up or ends it in between.
        run = await _existing(tx, name, lock=True)
        state = cancelled_state(run)
        if state is not run.state:
            run = await tx.runs.cancel(replace(run, state=state))
        await tx.requests.record(request.id, name)
        await tx.commit()
        return run


async def _existing(tx: Transaction, name: str, *, lock: bool = False) -> Run:
    scope, run_id = split_run_name(name)
    run = await tx.runs.get(scope, run_id, lock=lock)
    if run is None:
        raise NotFound("clustering run", name)
    return run


async def forget_runs(store: Store, clock: Clock, older: timedelta) -> None:
    """Forgets runs that ended longer ago than that."""
    before = clock.now() - older
    while True:
        async with store.begin() as tx:
            forgotten = await tx.runs.forget(before, _FORGOTTEN_AT_ONCE)
            await tx.commit()
        if not forgotten:
            return
