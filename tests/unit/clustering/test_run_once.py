"""A run on a store in memory: how it ends, and what it leaves alone when there is nothing to do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from libs.aio import BlockingPool
from libs.errors import InvalidArgument, Unavailable
from libs.ids import uuid7
from libs.lease import LeaseLost
from services.clustering.algorithms.params import Params
from services.clustering.domain.run import Mode, Run, RunState
from services.clustering.usecases.attempt import Sharding, Worker
from services.clustering.usecases.run_once import run_clustering_once
from services.clustering.worker import Exit, do_run
from tests.support.clock import NOON, FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.memory import MemoryStore
from tests.support.clustering.photos import created, photo_in

SCOPE = "personas/nora"


class Untouched:
    """What a run without anything to do has no business with."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


@pytest.fixture
def worker(store: MemoryStore) -> Iterator[Worker]:
    pool = BlockingPool("unit", 1)
    yield Worker(
        store=store,  # type: ignore[arg-type]
        vectors=Untouched(),
        snapshots=Untouched(),
        pool=pool,
        clock=FakeClock(),
        params=Params(),
        owner="worker",
        max_attempts=2,
        sharding=Sharding(MemoryQueue()),
    )
    pool.close()


@pytest.fixture
def run(store: MemoryStore) -> Run:
    waiting = Run(uuid7(), SCOPE, Mode.AUTO, NOON)
    store.data.runs[waiting.id] = waiting
    return waiting


class Broken:
    """A store whose reads fail."""

    def __init__(self, store: MemoryStore, error: BaseException) -> None:
        self.begin = store.begin
        self._error = error

    def read(self) -> Any:
        raise self._error


def breaking(worker: Worker, error: BaseException) -> Worker:
    return replace(worker, store=Broken(worker.store, error))  # type: ignore[arg-type]


async def test_with_nothing_to_do_a_run_succeeds_and_touches_nothing(
    worker: Worker, run: Run
) -> None:
    done = await run_clustering_once(worker, run.id)
    assert done is not None
    assert (done.state, done.version, done.attempt) == (RunState.SUCCEEDED, 0, 1)
    assert done.stats == replace(done.stats, items=0, clusters=0, noop=True)


async def test_what_has_no_vector_yet_is_counted(
    worker: Worker, run: Run, store: MemoryStore, desk: Desk
) -> None:
    desk.scope = SCOPE
    photo = photo_in(SCOPE)
    desk.embedder.give(photo, Unavailable("away"))
    await desk.errors(created(photo))
    store.data.collections.clear()
    done = await run_clustering_once(worker, run.id)
    assert done is not None and done.stats.missing == 1


async def test_what_is_away_is_waited_for_and_then_given_up(worker: Worker, run: Run) -> None:
    away = breaking(worker, Unavailable("the database is away"))
    first = await run_clustering_once(away, run.id)
    assert first is not None
    assert (first.state, first.error_reason) == (RunState.QUEUED, "UNAVAILABLE")
    last = await run_clustering_once(away, run.id)
    assert last is not None and (last.state, last.attempt) == (RunState.FAILED, 2)
    assert await run_clustering_once(worker, run.id) is None


@pytest.mark.parametrize(
    ("error", "reason"), [(InvalidArgument("bad", reason="BAD"), "BAD"), (OSError(), "INTERNAL")]
)
async def test_what_cannot_succeed_fails_at_once(
    worker: Worker, run: Run, error: Exception, reason: str
) -> None:
    done = await run_clustering_once(breaking(worker, error), run.id)
    assert done is not None
    assert (done.state, done.error_reason, done.attempt) == (RunState.FAILED, reason, 1)


async def test_exit_codes(
    worker: Worker, run: Run, store: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await do_run(worker, uuid7()) is Exit.NOT_RUNNABLE
    assert "there is no clustering run" in capsys.readouterr().err
    assert await do_run(breaking(worker, Unavailable("away")), run.id) is Exit.FAILED
    assert '"reason": "UNAVAILABLE"' in capsys.readouterr().out
    assert await do_run(worker, run.id) is Exit.DONE
    assert '"noop": true' in capsys.readouterr().out
    assert await do_run(worker, run.id) is Exit.NOT_RUNNABLE
    assert "has succeeded already" in capsys.readouterr().err
    other = replace(run, id=uuid7())
    store.data.runs[other.id] = other
    assert await do_run(breaking(worker, OSError("disk")), other.id) is Exit.FAILED


async def test_a_run_that_another_worker_took_over_is_not_runnable(
    worker: Worker, run: Run, store: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await do_run(breaking(worker, LeaseLost("gone")), run.id) is Exit.NOT_RUNNABLE
    assert "another worker has the run by now" in capsys.readouterr().err
    assert await do_run(worker, run.id) is Exit.NOT_RUNNABLE
    assert "another worker has it" in capsys.readouterr().err
