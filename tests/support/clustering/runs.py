"""Asking for clustering runs and doing them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from libs.errors import AlreadyExists
from libs.ids import uuid7
from libs.rpc.requests import RequestKey
from services.clustering.domain.run import Mode, Run
from services.clustering.ports import Store
from services.clustering.usecases import run_once
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once
from services.clustering.usecases.runs import create_run, get_run, run_name
from tests.support.clock import FakeClock
from tests.support.clustering.fakes import MemoryQueue

NO_KEY = RequestKey("", "", "")


async def ask(store: Store, scope: str, mode: Mode = Mode.AUTO, **wanted: Any) -> Run:
    """A run in the queue of its scope, or the one that is active there; ``wanted`` as in Run."""
    clock = FakeClock()
    run = Run(uuid7(), scope, mode, clock.now(), **wanted)
    try:
        return await create_run(store, MemoryQueue(), clock, run, NO_KEY)
    except AlreadyExists as error:
        return await get_run(store, error.metadata["run"])


async def cluster(worker: Worker, scope: str, mode: Mode = Mode.AUTO, **wanted: Any) -> Run:
    """A run that this worker has done."""
    asked = await ask(worker.store, scope, mode, **wanted)
    done = await run_clustering_once(worker, asked.id)
    assert done is not None
    assert done == await look(worker.store, done)
    return done


async def look(store: Store, run: Run) -> Run:
    """The run as it stands now."""
    return await get_run(store, run_name(run.scope, run.id))


def beats_of(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Awaitable[object]]]:
    """The heartbeat of each run from here on; it comes when the test calls it, and never else."""
    beats: list[Callable[[], Awaitable[object]]] = []

    @asynccontextmanager
    async def kept(beat: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        beats.append(beat)
        yield

    monkeypatch.setattr(run_once, "kept", kept)
    return beats
