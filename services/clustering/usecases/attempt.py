"""A run in the hands of one worker."""

from dataclasses import dataclass, replace
from datetime import timedelta
from time import perf_counter

from libs.aio import BlockingPool
from libs.clock import Clock
from libs.errors import ColonnadeError, Conflict
from libs.jobs.queue import JobQueue
from libs.lease import Lease, LeaseLost
from services.clustering.algorithms.params import Params
from services.clustering.domain.run import Run, RunReport, RunState, Stats
from services.clustering.ports import Snapshots, Store, Transaction, Vectors

AGAIN_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Sharding:
    """How scopes of more than ``direct_limit`` items are grouped anew: in shards of ``size`` items,
    of which other workers are told in ``queue``; who waits for these looks again after
    ``poll_seconds``."""

    queue: JobQueue
    direct_limit: int = 50_000
    size: int = 50_000
    poll_seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Worker:
    """What runs need of the world, and how much they may take of it."""

    store: Store
    vectors: Vectors
    snapshots: Snapshots
    pool: BlockingPool
    clock: Clock
    params: Params
    owner: str
    max_attempts: int
    sharding: Sharding


class Cancelled(Exception):
    """Somebody asked to stop the run."""


class Overtaken(Conflict):
    """The scope changes faster than a draft of its next version takes."""


class Attempt:
    """The row of a run that a worker holds the lease of.

    ``run`` is how the worker sees it: its progress is stored with the next heartbeat. Every method
    raises LeaseLost when another worker has the run by now.
    """

    def __init__(self, store: Store, run: Run, lease: Lease) -> None:
        self.run = run
        self.lease = lease
        self._store = store
        self._started = perf_counter()
        self._gives_back = False

    async def beat(self) -> None:
        """Renews the lease, and stores how far the run has come."""
        try:
            async with self._store.begin() as tx:
                stored = await tx.ledger.renew(self.run, self.lease)
                await tx.commit()
        except LeaseLost:
            # The run has ended, or waits again, and what is left to do needs no lease.
            if self._gives_back:
                return
            raise
        self.run = replace(self.run, state=stored.state)

    async def enter(self, phase: str, total: int = 0) -> None:
        """Begins a phase of ``total`` units. Raises Cancelled if the run is to stop."""
        self.run = replace(self.run, phase=phase, done=0, total=total)
        await self.beat()
        if self.run.state is RunState.CANCELLING:
            raise Cancelled

    def advance(self, done: int) -> None:
        """Notes how far the phase has come."""
        self.run = replace(self.run, done=done)

    async def fail(self, error: ColonnadeError) -> Run:
        """Ends the run with an error."""
        return await self._end(self._with(error, RunState.FAILED))

    async def cancel(self) -> Run:
        """Ends the run as it was asked to be."""
        return await self._end(replace(self.run, state=RunState.CANCELLED))

    async def find_nothing_new(self, stats: Stats) -> Run:
        """Ends the run without a new version."""
        return await self._end(self.succeeded(stats))

    async def report(self, report: RunReport) -> Run:
        """Ends a shadow run with what it found."""
        return await self._end(replace(self.succeeded(Stats(items=report.items)), report=report))

    async def put_back(self, error: ColonnadeError) -> Run:
        """Has another attempt made after a while."""
        waiting = self._with(error, RunState.QUEUED)
        self._gives_back = True
        async with self._store.begin() as tx:
            await tx.ledger.put_back(waiting, self.lease, AGAIN_AFTER)
            await tx.commit()
        return waiting

    async def make_way(self, error: Overtaken) -> Run:
        """The same, and this attempt does not count."""
        waiting = replace(self._with(error, RunState.QUEUED), attempt=self.run.attempt - 1)
        self._gives_back = True
        async with self._store.begin() as tx:
            await tx.ledger.put_back(waiting, self.lease, AGAIN_AFTER, counts=False)
            await tx.commit()
        return waiting

    def succeeded(self, stats: Stats, version: int = 0) -> Run:
        """The run as it is to end when all went well."""
        millis = round((perf_counter() - self._started) * 1000)
        return replace(
            self.run,
            state=RunState.SUCCEEDED,
            stats=replace(stats, duration_millis=millis),
            version=version,
            phase="done",
            done=stats.items,
            total=stats.items,
        )

    async def end(self, tx: Transaction, run: Run) -> Run:
        """Ends the run in a transaction, with all else that this writes; answers it as it ends."""
        self._gives_back = True
        return await tx.ledger.end(run, self.lease)

    async def _end(self, run: Run) -> Run:
        async with self._store.begin() as tx:
            ended = await self.end(tx, run)
            await tx.commit()
        return ended

    def _with(self, error: ColonnadeError, state: RunState) -> Run:
        return replace(
            self.run, state=state, error_reason=error.reason, error_message=error.message
        )
