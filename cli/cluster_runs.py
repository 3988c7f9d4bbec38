"""``colonnade clusters run``, ``runs`` and ``cancel``."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.type.v1.job_pb2 import JobState
from rich.markup import escape

from cli.connection import Suite
from cli.names import scope_name
from cli.output import JsonOption, err, last_part, line, print_json, table, timestamp, when, word
from cli.run import FAILED, with_suite
from libs.errors import AlreadyExists, FailedPrecondition

Progress = Callable[[ClusteringRun], None]

_ENDED = (JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED)
_USUAL = (ClusteringRun.ALGORITHM_UNSPECIFIED, ClusteringRun.ALGORITHM_MIXTURE)
_SIZES = 8


class Algorithm(StrEnum):
    """How groups are found."""

    MIXTURE = "mixture"
    NEAREST = "nearest"
    HDBSCAN = "hdbscan"
    DBSCAN = "dbscan"
    AGGLOMERATIVE = "agglomerative"
    K_MEANS = "k-means"


def run(
    scope: Annotated[str, typer.Argument(help="A persona, or projects/….")],
    refit: Annotated[bool, typer.Option("--refit", help="Group everything anew.")] = False,
    algorithm: Annotated[Algorithm, typer.Option(help="How groups are found.")] = Algorithm.MIXTURE,
    granularity: Annotated[
        float | None,
        typer.Option(help="The cosine within a group: 0.25 gives fewer ones, 0.55 finer ones."),
    ] = None,
    min_size: Annotated[int | None, typer.Option(help="The fewest items of a group.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="The cosine at which items are of one group.")
    ] = None,
    groups: Annotated[int | None, typer.Option(help="How many groups, for k-means.")] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Only texts of this source; may be repeated.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Only what came in then or later.")] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Only report what it would find; no cluster changes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Groups the items of a scope and waits until that is done."""
    wanted = ClusteringRun(
        mode=ClusteringRun.MODE_REFIT if refit else ClusteringRun.MODE_AUTO,
        algorithm=ClusteringRun.Algorithm.Value(f"ALGORITHM_{algorithm.name}"),
        shadow=shadow,
    )
    given = {
        "granularity": granularity,
        "min_size": min_size,
        "threshold": threshold,
        "cluster_count": groups,
    }
    for name, value in given.items():
        if value is not None:
            setattr(wanted.params, name, value)
    if source:
        wanted.filter.sources.extend(source)
    if since is not None:
        wanted.filter.since_time.CopyFrom(timestamp(since.astimezone()))
    steps = Steps(quiet=json)
    done = with_suite(
        lambda suite: run_clustering(suite, scope_name(scope), wanted, steps.show, steps.note)
    )
    print_json(done) if json else show_run(done)
    if done.state != JobState.JOB_STATE_SUCCEEDED:
        raise typer.Exit(FAILED)


def runs(
    scope: Annotated[str, typer.Argument(help="A persona, or projects/….")],
    filter: Annotated[str, typer.Option(help='Such as state = "FAILED".')] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 20,
    json: JsonOption = False,
) -> None:
    """Lists the runs of a scope, newest first."""
    request = clustering.ListClusteringRunsRequest(
        parent=scope_name(scope), page_size=limit, filter=filter
    )
    answer = with_suite(lambda suite: suite.clustering.ListClusteringRuns(request))
    found = list(answer.clustering_runs)
    if json:
        return print_json(found)
    rows = [(f"{when(r.create_time)}\n{last_part(r.name)}", _kind(r), _outcome(r)) for r in found]
    table("Runs", ("run", "kind", "outcome"), rows, whole="run")
    return None


def cancel(
    run: Annotated[
        str, typer.Argument(help="Its name, or the persona or projects/… whose active run it is.")
    ],
    json: JsonOption = False,
) -> None:
    """Stops a run that has not ended; the clusters stay as they were before it."""

    async def work(suite: Suite) -> ClusteringRun:
        name = run if "/clusteringRuns/" in run else await _active(suite, scope_name(run))
        request = clustering.CancelClusteringRunRequest(name=name)
        return (await suite.clustering.CancelClusteringRun(request)).clustering_run

    found = with_suite(work)
    print_json(found) if json else line(f"{word(JobState, found.state)} [bold]{found.name}[/bold]")


async def _active(suite: Suite, scope: str) -> str:
    """The name of the run of a scope that has not ended. Raises FailedPrecondition."""
    # No other is made while one is active, so it is the newest.
    request = clustering.ListClusteringRunsRequest(parent=scope, page_size=1)
    for newest in (await suite.clustering.ListClusteringRuns(request)).clustering_runs:
        if newest.state not in _ENDED:
            return newest.name
    raise FailedPrecondition(f"no run of {scope} is active", reason="NO_ACTIVE_RUN")


def unheard(_told: object) -> None:
    """For what nobody wants to be told on the way."""


async def run_clustering(
    suite: Suite,
    scope: str,
    wanted: ClusteringRun,
    progress: Progress = unheard,
    note: Callable[[str], None] = unheard,
) -> ClusteringRun:
    """Asks for a run and watches it to its end.

    While another one is active in the scope, that one is watched, and ``note`` is told so. It is
    the answer if it was asked for the same; otherwise the wanted one follows it.
    """
    request = clustering.CreateClusteringRunRequest(parent=scope, clustering_run=wanted)
    while True:
        try:
            run = await suite.clustering.CreateClusteringRun(request)
        except AlreadyExists as error:
            active = error.metadata.get("run")
            if active is None:
                raise
            note(f"{active} is active already; watching that one")
            run = await watch_run(suite, active, progress)
            if _does(run, wanted):
                return run
        else:
            return await watch_run(suite, run.name, progress)


async def watch_run(suite: Suite, name: str, progress: Progress = unheard) -> ClusteringRun:
    """A run at its end; ``progress`` hears of each change on the way."""
    run = ClusteringRun()
    while run.state not in _ENDED:
        request = clustering.WatchClusteringRunRequest(name=name)
        async for event in suite.clustering.WatchClusteringRun(request):
            run = event.clustering_run
            progress(run)
    return run


def _does(run: ClusteringRun, wanted: ClusteringRun) -> bool:
    """Whether a run that somebody else asked for does what is wanted."""
    return (
        (run.shadow, run.filter) == (wanted.shadow, wanted.filter)
        and (wanted.mode != ClusteringRun.MODE_REFIT or run.mode == wanted.mode)
        and (wanted.algorithm in _USUAL or run.algorithm == wanted.algorithm)
        and (not wanted.HasField("params") or run.params == wanted.params)
    )


class Steps:
    """Tells of the progress of a run on standard error, each step once."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._last = ""

    def show(self, run: ClusteringRun) -> None:
        """One line, if there is anything new."""
        progress = run.progress
        text = f"  {word(JobState, run.state)} {progress.phase}".rstrip()
        if progress.total:
            text += f" {progress.done:,} of {progress.total:,}"
        if text != self._last:
            self._last = text
            self.note(text)

    def note(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            err.print(escape(text))


def show_run(run: ClusteringRun) -> None:
    """What a run did, in a sentence or two."""
    if run.state != JobState.JOB_STATE_SUCCEEDED:
        line(f"[red]{word(JobState, run.state)}[/red]: {escape(run.error.message)}")
    elif run.HasField("report"):
        _show_report(run)
    elif run.stats.noop and not run.stats.items:
        scope = "/".join(run.name.split("/")[:2])
        line(
            f"there is nothing to group in {scope}; colonnade clusters scopes lists what has items"
        )
        _show_without_vector(run)
    elif run.stats.noop:
        stats = run.stats
        line(f"nothing has changed: {stats.clusters} clusters of {stats.items} items")
        _show_without_vector(run)
    else:
        _show_stats(run)


def _show_stats(run: ClusteringRun) -> None:
    stats = run.stats
    changes = {
        "new": stats.born,
        "changed": stats.updated,
        "merged": stats.merged,
        "split": stats.split,
        "gone": stats.retired,
    }
    told = ", ".join(f"{count} {change}" for change, count in changes.items() if count)
    line(
        f"version {run.version}: {stats.clustered} of {stats.items} items in {stats.clusters} "
        f"clusters ({told or 'the same as before'}), {stats.unclustered} unclustered, "
        f"{stats.duplicates} near-duplicates, {stats.duration_millis} ms"
    )
    _show_without_vector(run)
    if stats.refit and stats.drift:
        line(f"{stats.drift:.0%} of the items had drifted from where a refit puts them")


def _show_without_vector(run: ClusteringRun) -> None:
    stats = run.stats
    for count, what in (
        (stats.missing, "have no vector yet"),
        (stats.failed_embeddings, "could not be embedded so far and are tried again"),
        (stats.quarantined, "were given up, without a vector"),
    ):
        if count:
            line(f"{count} items {what}")


def _show_report(run: ClusteringRun) -> None:
    report = run.report
    algorithm = word(ClusteringRun.Algorithm, run.algorithm)
    line(
        f"{algorithm} would find {report.clusters} clusters of {report.items} items, "
        f"{report.unclustered_share:.0%} unclustered, {report.duration_millis} ms"
    )
    line(f"agreement with the clusters that are there {report.agreement:.2f} (1 is the same)")
    line(f"cohesion {report.cohesion:.2f}")
    if report.sizes:
        more = " …" if len(report.sizes) > _SIZES else ""
        line(f"sizes {', '.join(map(str, report.sizes[:_SIZES]))}{more}")
    line("Nothing was changed.")


def _kind(run: ClusteringRun) -> str:
    """Why and how, such as ``schedule`` or ``demand, refit``."""
    notes = [word(ClusteringRun.Trigger, run.trigger)]
    if run.mode == ClusteringRun.MODE_REFIT:
        notes.append("refit")
    if run.algorithm not in _USUAL:
        notes.append(word(ClusteringRun.Algorithm, run.algorithm))
    if run.shadow:
        notes.append("shadow")
    return ", ".join(notes)


def _outcome(run: ClusteringRun) -> str:
    """What came of it, in a few words."""
    if run.state != JobState.JOB_STATE_SUCCEEDED:
        return word(JobState, run.state)
    if run.shadow:
        return f"would find {run.report.clusters} clusters"
    return "nothing new" if run.stats.noop else f"version {run.version}"
