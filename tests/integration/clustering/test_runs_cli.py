"""``colonnade clusters run``, ``runs``, ``cancel``, as people type them, with a worker beside."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun

from cli import cluster_runs
from libs.cancellation import cancel_and_wait
from libs.errors import InvalidArgument
from services.clustering.domain.run import RunState
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once, waiting_runs
from tests.integration.clustering.test_cli import Shell
from tests.integration.clustering.test_cli import shell as shell
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Away
from tests.support.clustering.photos import created, subject
from tests.support.clustering.runs import ask, look
from tests.support.wait import eventually


@asynccontextmanager
async def working(worker: Worker, begin: threading.Event | None = None) -> AsyncIterator[None]:
    """Somebody who does what waits, from the time on when ``begin`` is set."""

    async def may_begin() -> bool:
        return begin is None or begin.is_set()

    async def work() -> None:
        await eventually(may_begin, within=60)
        while True:
            for run_id in await waiting_runs(worker):
                await run_clustering_once(worker, run_id)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        await cancel_and_wait([task])


async def test_a_run_is_asked_for_watched_and_listed(
    shell: Shell, desk: Desk, worker: Worker
) -> None:
    await desk.arrive([*subject(0, 7), *subject(1, 6)])
    async with working(worker):
        said = await shell.says("run", desk.scope)
        assert "version 1: 13 of 13 items in 2 clusters (2 new)" in said
        await desk.deliver(created(desk.photo(InvalidArgument("no picture"))))
        again = await shell.says("run", desk.scope)
        assert "nothing has changed" in again and "1 items have no vector yet" in again
        assert "1 items could not be embedded so far and are tried again" in again
        refit = await shell.json("run", desk.scope, "--refit", "--granularity", "0.3")
    assert (refit["mode"], refit["params"]["granularity"]) == ("MODE_REFIT", 0.3)
    assert refit["state"] == "JOB_STATE_SUCCEEDED"
    listed = await shell.says("runs", desk.scope)
    assert "nothing new" in listed and "version 1" in listed and "demand, refit" in listed
    (newest,) = await shell.json("runs", desk.scope, "--limit", "1")
    assert newest["name"] == refit["name"]
    assert await shell.json("runs", desk.scope, "--filter", 'state = "FAILED"') == []


async def test_a_shadow_run_reports_and_changes_nothing(
    shell: Shell, desk: Desk, worker: Worker
) -> None:
    await desk.arrive([*subject(0, 7), *subject(1, 6)])
    async with working(worker):
        await shell.says("run", desk.scope)
        before = await shell.json("list", desk.scope)
        words = ("--shadow", "--algorithm", "nearest", "--threshold", "0.5")
        said = await shell.says("run", desk.scope, *words)
    assert "nearest would find" in said and "Nothing was changed" in said
    assert await shell.json("list", desk.scope) == before
    assert "would find" in await shell.says("runs", desk.scope)


async def test_the_run_that_is_active_is_watched(
    shell: Shell,
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched, watch = threading.Event(), cluster_runs.watch_run

    async def watch_run(*args: Any) -> ClusteringRun:
        watched.set()
        return await watch(*args)

    monkeypatch.setattr(cluster_runs, "watch_run", watch_run)
    await desk.arrive(subject(0, 7))
    active = await ask(store, desk.scope)
    async with working(worker, watched):
        assert (await shell.json("run", desk.scope))["name"].endswith(active.id)
        assert (await look(store, active)).ended
    waiting = await ask(store, desk.scope)
    watched.clear()
    async with working(worker, watched):
        said = await shell.says("run", desk.scope, "--refit")
        assert "is active already" in said and "version 2" in said
    assert (await look(store, waiting)).ended
    newest, other = await shell.json("runs", desk.scope, "--limit", "2")
    assert other["name"].endswith(waiting.id)
    assert newest["mode"] == "MODE_REFIT"


async def test_a_run_that_fails_is_a_failure_of_the_command(
    shell: Shell, desk: Desk, worker: Worker
) -> None:
    await desk.arrive(subject(0, 7))
    async with working(replace(worker, vectors=Away(InvalidArgument("the vectors are wrong")))):
        assert "the vectors are wrong" in await shell.says("run", desk.scope, code=1)
    assert "failed" in await shell.says("runs", desk.scope)


async def test_the_run_that_is_active_is_stopped(
    shell: Shell, desk: Desk, store: PostgresStore
) -> None:
    await desk.arrive(subject(0, 7))
    assert "no run" in await shell.says("cancel", desk.scope, code=1)
    active = await ask(store, desk.scope)
    assert f"cancelled {desk.scope}/clusteringRuns/{active.id}" in await shell.says(
        "cancel", desk.scope
    )
    assert (await look(store, active)).state is RunState.CANCELLED
    assert "is active" in await shell.says("cancel", desk.scope, code=1)
    named = await ask(store, desk.scope)
    stopped = await shell.json("cancel", f"{desk.scope}/clusteringRuns/{named.id}")
    assert stopped["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--algorithm", "k-means"], "cluster_count"),
        (["--groups", "3"], "cluster_count"),
        (["--source", "slack"], "filter.sources"),
        (["--since", "2999-01-01"], "since_time"),
        (["--granularity", "7"], "granularity"),
    ],
)
async def test_wrong_wishes_are_explained(
    shell: Shell, desk: Desk, words: list[str], field: str
) -> None:
    assert field in await shell.says("run", desk.scope, *words, code=2)
