"""``colonnade clusters backfill``."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.backfill_plan import BackfillPlan
from cli.cluster_history import all_scopes
from cli.cluster_runs import watch_run
from cli.connection import Suite
from cli.names import scope_name
from cli.output import JsonOption, err, line, print_json
from cli.run import FAILED, USAGE, with_suite
from libs.errors import AlreadyExists, ColonnadeError, DeadlineExceeded, Unavailable

_DEFAULT_FILE = Path(".data/backfill.json")
_SECONDS = 60.0

Pause = Callable[[], Awaitable[None]]
Save = Callable[[BackfillPlan], None]


def backfill(
    scopes: Annotated[list[str] | None, typer.Argument(help="Personas, or projects/….")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every scope that has items.")] = False,
    rate: Annotated[float, typer.Option(min=0.01, help="How many runs to ask for a minute.")] = 6.0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the last one stopped.")
    ] = False,
    checkpoint: Annotated[Path, typer.Option(help="Where it notes how far it is.")] = _DEFAULT_FILE,
    json: JsonOption = False,
) -> None:
    """Asks for a refit of many scopes, one after the other.

    Each gets one run, however often it is stopped and resumed. Exit code 1 if
    one is refused; the others go on.
    """
    known = with_suite(lambda _suite: _read(checkpoint))
    if resume and known is None:
        _complain(f"there is nothing to resume in {checkpoint}")
    if not resume and known is not None and known.left():
        _complain(f"{checkpoint} has one that is not done; add --resume, or remove the file")
    if not resume and bool(scopes) == every:
        _complain("name scopes, or say --all")

    async def work(suite: Suite) -> BackfillPlan:
        plan = known if resume else None
        if plan is None:
            names = [scope_name(each) for each in scopes or ()]
            plan = BackfillPlan.of(names or [each.scope for each in await all_scopes(suite)])
        with _bar(quiet=json) as bar:
            done = len(plan.scopes) - len(plan.left())
            task = bar.add_task("asking for runs", total=len(plan.scopes), completed=done)

            def save(plan: BackfillPlan) -> None:
                plan.write(checkpoint)
                bar.update(task, completed=len(plan.scopes) - len(plan.left()))

            await ask_for_all(suite, plan, save, lambda: asyncio.sleep(_SECONDS / rate))
        return plan

    if not json:
        err.print(f"noting how far it is in {escape(str(checkpoint))}")
    plan = with_suite(work)
    if json:
        print_json(asdict(plan))
    else:
        line(f"{len(plan.runs)} of {len(plan.scopes)} scopes have a run")
        for scope, why in plan.failed.items():
            err.print(f"[red]{scope}[/red]: {escape(why)}")
    if plan.failed:
        err.print("add --resume to try these again")
        raise typer.Exit(FAILED)


async def ask_for_all(suite: Suite, plan: BackfillPlan, save: Save, pause: Pause) -> None:
    """Asks for a run of each scope that has none, with a pause between two.

    What another run keeps from it comes last: that run is waited for. ``save`` is called before the
    first and after each.
    """
    save(plan)
    busy: dict[str, str] = {}
    for number, scope in enumerate(plan.left()):
        if number:
            await pause()
        active = await _ask(suite, plan, scope)
        if active:
            busy[scope] = active
        save(plan)
    for scope, active in busy.items():
        run: str | None = active
        while run:
            await watch_run(suite, run)
            run = await _ask(suite, plan, scope)
        save(plan)


async def _ask(suite: Suite, plan: BackfillPlan, scope: str) -> str | None:
    """Asks for the run of a scope and notes what came of it; the run that keeps from it, if one
    does. Raises what says that the suite is not there."""
    request = clustering.CreateClusteringRunRequest(
        parent=scope,
        clustering_run=ClusteringRun(
            mode=ClusteringRun.MODE_REFIT, trigger=ClusteringRun.TRIGGER_BACKFILL
        ),
        request_id=plan.request_id(scope),
    )
    try:
        run = await suite.clustering.CreateClusteringRun(request)
    except (Unavailable, DeadlineExceeded):
        raise
    except AlreadyExists as error:
        return error.metadata["run"]
    except ColonnadeError as error:
        plan.failed[scope] = error.message
        return None
    plan.runs[scope] = run.name
    plan.failed.pop(scope, None)
    return None


async def _read(file: Path) -> BackfillPlan | None:
    return await asyncio.to_thread(BackfillPlan.read, file)


def _bar(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=err, disable=quiet)


def _complain(text: str) -> None:
    err.print(escape(text))
    raise typer.Exit(USAGE)
