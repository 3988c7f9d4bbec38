"""``python -m services.clustering.worker --job-id …``: does one clustering run and ends.

For those who start a process a job: the run may also be named by CLUSTER_JOB_ID, the settings are
those of ``python -m services``. The run's statistics go to standard output as JSON, everything else
to standard error.
"""

import argparse
import asyncio
import json
import os
import sys
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from enum import IntEnum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from libs.aio import BlockingPool
from libs.blobs.objects import open_blobs
from libs.clock import SystemClock
from libs.db.engine import Database
from libs.db.migrate import SchemaOutdated, require_current
from libs.errors import ColonnadeError
from libs.lease import LeaseLost
from libs.settings import problems_of
from libs.telemetry import set_up_logging
from libs.vectors.qdrant import QdrantIndex
from services.clustering.deps import MIGRATIONS, make_worker
from services.clustering.domain.run import Run, RunState
from services.clustering.repository.store import PostgresStore
from services.clustering.tables import SCHEMA
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once
from services.clustering.usecases.runs import run_name
from services.engines import given_engines
from services.settings import Settings, load_settings

JOB_VARIABLE = "CLUSTER_JOB_ID"


class Exit(IntEnum):
    """How it ends."""

    DONE = 0
    FAILED = 1
    CONFIGURATION = 2
    NOT_RUNNABLE = 3


class Untold:
    """A ``libs.jobs.queue.JobQueue`` that tells nobody: the sweep of the workers, if there are any,
    finds what there is to help with."""

    async def enqueue(self, task: str, job_id: str, queue: str) -> bool:
        """See JobQueue."""
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Does the run; the exit code."""
    arguments = _parse(argv)
    try:
        settings = load_settings(arguments.config)
    except ValidationError as error:
        return _refuse(f"the settings are not usable: {problems_of(error)}", Exit.CONFIGURATION)
    except (OSError, ValueError) as error:
        return _refuse(f"the settings are not usable: {error}", Exit.CONFIGURATION)
    job = arguments.job_id or os.environ.get(JOB_VARIABLE, "")
    if missing := missing_variables(settings, job):
        return _refuse(f"set {', '.join(missing)}", Exit.CONFIGURATION)
    try:
        run_id = str(uuid.UUID(job.rpartition("/")[2]))
    except ValueError:
        return _refuse(f"{job} is no id of a clustering run", Exit.CONFIGURATION)
    set_up_logging(settings.log.level, settings.log.style)
    try:
        return asyncio.run(_work(settings, run_id))
    except SchemaOutdated as error:
        return _refuse(error.message, Exit.CONFIGURATION)
    except ColonnadeError as error:
        return _refuse(error.message, Exit.FAILED)


def missing_variables(settings: Settings, job: str) -> list[str]:
    """The names of all variables that a run needs and that nobody has set."""
    needed = {
        JOB_VARIABLE: job,
        "COLONNADE_DATABASE__URL": settings.database_url(SCHEMA),
        "COLONNADE_VECTORS__ADDRESS": settings.vectors.address,
        "COLONNADE_BLOBS__URL": settings.blobs.url,
    }
    return [name for name, value in needed.items() if not value]


async def do_run(worker: Worker, run_id: str) -> Exit:
    """Does the run, tells what came of it, and answers how to end."""
    try:
        run = await run_clustering_once(worker, run_id)
    except LeaseLost as error:
        return _refuse(f"another worker has the run by now: {error.message}", Exit.NOT_RUNNABLE)
    if run is None:
        return _refuse(await _why_not(worker, run_id), Exit.NOT_RUNNABLE)
    print(json.dumps(_told(run)), flush=True)
    return Exit.DONE if run.state is RunState.SUCCEEDED else Exit.FAILED


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.clustering.worker",
        description="Does one clustering run and ends: with 0 when it succeeded, 1 when it failed, "
        "2 when the settings are not usable, 3 when the run cannot be done.",
    )
    parser.add_argument("--job-id", help=f"the run, by id or name; or set {JOB_VARIABLE}")
    parser.add_argument("--config", type=Path, help="a TOML file with settings")
    return parser.parse_args(argv)


async def _work(settings: Settings, run_id: str) -> Exit:
    engines = given_engines(settings)
    url, address = engines.database_url(SCHEMA), engines.vectors
    limits = settings.database_of(SCHEMA)
    async with AsyncExitStack() as stack:
        database = Database(
            url,
            application_name="colonnade clustering run",
            pool_size=limits.pool_size,
            pool_timeout=limits.timeout,
            statement_timeout=limits.timeout,
        )
        stack.push_async_callback(database.close)
        await asyncio.to_thread(require_current, url, SCHEMA, MIGRATIONS)
        index = await stack.enter_async_context(
            QdrantIndex(address.target, api_key=address.api_key, tls=address.tls)
        )
        pool = BlockingPool("clustering", 1)
        stack.callback(pool.close)
        clock = SystemClock()
        worker = make_worker(
            settings.clustering,
            PostgresStore(database, clock),
            index,
            open_blobs(engines.blob_url, engines.blob_options),
            Untold(),
            pool,
            clock,
        )
        return await do_run(worker, run_id)


async def _why_not(worker: Worker, run_id: str) -> str:
    async with worker.store.read() as tx:
        run = await tx.ledger.find(run_id)
    if run is None:
        return f"there is no clustering run {run_id}"
    name = run_name(run.scope, run.id)
    if run.ended:
        return f"{name} has {run.state} already"
    return f"{name} is {run.state}: another worker has it, or it waits for its next attempt"


def _told(run: Run) -> dict[str, Any]:
    stats = asdict(run.report) if run.report else asdict(run.stats)
    told: dict[str, Any] = {
        "run": run_name(run.scope, run.id),
        "state": run.state,
        "version": run.version,
        "stats": stats,
    }
    if run.error_reason:
        told["error"] = {"reason": run.error_reason, "message": run.error_message}
    return told


def _refuse(problem: str, code: Exit) -> Exit:
    print(f"colonnade: {problem}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
