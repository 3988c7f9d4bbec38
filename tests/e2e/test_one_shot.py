"""A clustering run as a process of its own: how it ends, and that killing it loses nothing."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from libs.db.engine import Database
from libs.db.migrate import upgrade
from libs.embedded.qdrant import QdrantAddress
from libs.ids import uuid7
from libs.vectors.qdrant import QdrantIndex
from services.clustering.deps import MIGRATIONS
from services.clustering.domain.run import Mode, Run, RunState
from services.clustering.repository.store import PostgresStore
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import COLLECTION, subject
from tests.support.clustering.runs import ask, look
from tests.support.clustering.tables import expire, hold
from tests.support.engines import Databases, patient
from tests.support.engines import databases as databases
from tests.support.engines import postgres as postgres
from tests.support.engines import qdrant_address as qdrant_address
from tests.support.harness import ROOT
from tests.support.wait import eventually

COMMAND = (sys.executable, "-m", "services.clustering.worker")
PATIENCE = {"COLONNADE_DATABASE__TIMEOUT": "60"}
OTHERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name <> 'tests'"
)
OK, FAILED, CONFIGURATION, NOT_RUNNABLE = range(4)


@dataclass
class Place:
    """A scope with photos, on engines that are told to processes by their environment."""

    store: PostgresStore
    database: Database
    index: QdrantIndex
    desk: Desk
    environment: Mapping[str, str]

    async def start(self, *words: str, **more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *words,
            cwd=ROOT,
            env={**os.environ, **PATIENCE, **self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    async def ends(self, code: int, *words: str, **more: str) -> tuple[str, str]:
        """What the process writes, which has to end with this code."""
        process = await self.start(*words, **more)
        out, err = (text.decode() for text in await process.communicate())
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out, err

    async def does(self, run: Run) -> dict[str, Any]:
        """What is told of a run that succeeds."""
        out, _ = await self.ends(OK, "--job-id", run.id)
        told: dict[str, Any] = json.loads(out)
        return told

    async def is_left(self) -> bool:
        """Whether no other process is connected to the database any more."""
        async with self.database.reading() as connection:
            return not (await connection.execute(OTHERS)).scalar_one()

    async def groups(self) -> set[frozenset[str]]:
        """The members of each cluster of the newest version."""
        async with self.store.read() as tx:
            state = await tx.clusters.scope(self.desk.scope)
            named = await tx.clusters.member_sets(self.desk.scope, state.version)
        return {frozenset(names) for names in named.values()}


@pytest.fixture
async def place(
    databases: Databases, qdrant_address: QdrantAddress, tmp_path: Path
) -> AsyncIterator[Place]:
    url = databases.fresh("clustering", lambda url: upgrade(url, "clustering", MIGRATIONS) and None)
    database, clock = patient(url), FakeClock()
    store = PostgresStore(database, clock)
    async with QdrantIndex(qdrant_address.target, api_key=qdrant_address.api_key) as index:
        environment = {
            "COLONNADE_DATABASE__URL": url,
            "COLONNADE_VECTORS__ADDRESS": qdrant_address.target,
            "COLONNADE_VECTORS__API_KEY": qdrant_address.api_key,
            "COLONNADE_BLOBS__URL": f"file://{tmp_path / 'blobs'}",
            "OMP_NUM_THREADS": "1",
        }
        yield Place(store, database, index, Desk(store, index, clock), environment)
    await database.close()


async def test_a_run_that_succeeds_and_the_same_one_again(place: Place) -> None:
    photos = await place.desk.arrive([*subject(0, 7), *subject(1, 6)])
    run = await ask(place.store, place.desk.scope)
    told = await place.does(run)
    assert (told["state"], told["version"], told["stats"]["clusters"]) == ("succeeded", 1, 2)
    assert told["run"].endswith(run.id)
    assert await place.groups() == {frozenset(photos[:7]), frozenset(photos[7:])}
    out, err = await place.ends(NOT_RUNNABLE, CLUSTER_JOB_ID=told["run"])
    assert out == "" and "has succeeded already" in err


async def test_a_run_that_fails(place: Place) -> None:
    await place.desk.arrive(subject(0, 7))
    await place.index.delete_collection(COLLECTION.name)
    run = await ask(place.store, place.desk.scope)
    out, _ = await place.ends(FAILED, "--job-id", run.id)
    assert json.loads(out)["error"]["reason"] == "NOT_FOUND"
    assert (await look(place.store, run)).state is RunState.FAILED


async def test_settings_that_are_missing_are_all_named(place: Place) -> None:
    none = dict.fromkeys(place.environment, "")
    _, err = await place.ends(CONFIGURATION, **none)
    for name in ("DATABASE__URL", "VECTORS__ADDRESS", "BLOBS__URL"):
        assert f"COLONNADE_{name}" in err
    assert "CLUSTER_JOB_ID" in err


async def test_runs_that_cannot_be_done(place: Place) -> None:
    _, err = await place.ends(NOT_RUNNABLE, "--job-id", uuid7())
    assert "there is no clustering run" in err
    run = await ask(place.store, place.desk.scope)
    async with place.store.begin() as tx:
        assert await tx.ledger.take(run.id, "another", 3)
        await tx.commit()
    await hold(place.database)
    _, err = await place.ends(NOT_RUNNABLE, "--job-id", run.id)
    assert "another worker has it" in err


async def test_a_process_that_is_killed_is_followed_by_one_that_finds_the_same(
    place: Place,
) -> None:
    photos = await place.desk.arrive([*subject(0, 12), *subject(1, 9)])
    expected = {frozenset(photos[:12]), frozenset(photos[12:])}
    for changes in (1, 3):
        run = await ask(place.store, place.desk.scope, Mode.REFIT)
        process = await place.start("--job-id", run.id)
        await seen(place, run, changes)
        if process.returncode is None:
            process.kill()
        await process.communicate()
        # Until then the server may still carry out what it was told last.
        await eventually(place.is_left, within=300)
        if not (await look(place.store, run)).ended:
            await expire(place.database)
            await place.does(run)
        done = await look(place.store, run)
        assert done.state is RunState.SUCCEEDED
        assert await place.groups() == expected


async def seen(place: Place, run: Run, changes: int) -> None:
    """Returns when the row of a run has changed so many times, or the run has ended."""
    last, count = await look(place.store, run), 0
    async with asyncio.timeout(900):
        while count < changes and not last.ended:
            now = await look(place.store, run)
            count += now != last
            last = now
            await asyncio.sleep(0.001)
