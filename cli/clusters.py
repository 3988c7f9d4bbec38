"""``colonnade clusters``."""

from collections.abc import Callable
from typing import Annotated

import typer
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.cluster_pb2 import Cluster, ClusterMember
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.type.v1.job_pb2 import JobState
from rich.markup import escape

from cli.connection import Suite
from cli.names import persona_name
from cli.output import JsonOption, err, last_part, line, print_json, table, word
from cli.run import FAILED, with_suite

app = typer.Typer(help="Groups of similar items.", no_args_is_help=True)

_ENDED = (JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED)


def scope_name(text: str) -> str:
    """``personas/nora`` from ``nora``; ``projects/x`` stays."""
    return text if text.startswith("projects/") else persona_name(text)


@app.command()
def run(
    scope: Annotated[str, typer.Argument(help="A persona, or projects/….")],
    refit: Annotated[bool, typer.Option(help="Group everything anew.")] = False,
    json: JsonOption = False,
) -> None:
    """Groups the items of a scope and waits until that is done."""
    mode = ClusteringRun.MODE_REFIT if refit else ClusteringRun.MODE_AUTO

    def show(run: ClusteringRun) -> None:
        if not json:
            progress = run.progress
            err.print(
                f"  {word(JobState, run.state)} {progress.phase} {progress.done}/{progress.total}"
            )

    done = with_suite(lambda suite: run_clustering(suite, scope_name(scope), mode, show))
    print_json(done) if json else show_run(done)
    if done.state != JobState.JOB_STATE_SUCCEEDED:
        raise typer.Exit(FAILED)


async def run_clustering(
    suite: Suite,
    scope: str,
    mode: "ClusteringRun.Mode.ValueType",
    progress: Callable[[ClusteringRun], None],
) -> ClusteringRun:
    """Asks for a run and watches it to its end."""
    run = await suite.clustering.CreateClusteringRun(
        clustering.CreateClusteringRunRequest(parent=scope, clustering_run=ClusteringRun(mode=mode))
    )
    while run.state not in _ENDED:
        request = clustering.WatchClusteringRunRequest(name=run.name)
        async for event in suite.clustering.WatchClusteringRun(request):
            run = event.clustering_run
            progress(run)
    return run


def show_run(run: ClusteringRun) -> None:
    """What a run did, in a sentence."""
    if run.state != JobState.JOB_STATE_SUCCEEDED:
        line(f"[red]{word(JobState, run.state)}[/red]: {escape(run.error.message)}")
        return
    stats = run.stats
    if stats.noop:
        line(f"nothing has changed: {stats.clusters} clusters of {stats.items} items")
        return
    line(
        f"version {run.version}: {stats.clustered} of {stats.items} items in {stats.clusters} "
        f"clusters ({stats.born} new, {stats.updated} changed, {stats.retired} gone), "
        f"{stats.unclustered} unclustered, {stats.duplicates} near-duplicates, "
        f"{stats.duration_millis} ms"
    )


@app.command("list")
def list_clusters(scope: str, json: JsonOption = False) -> None:
    """Lists the clusters of a scope, largest first."""
    clusters = with_suite(lambda suite: all_clusters(suite, scope_name(scope)))
    print_json(clusters) if json else show_clusters(clusters)


def show_clusters(clusters: list[Cluster]) -> None:
    """The clusters as a table."""
    table(
        "Clusters",
        ("cluster", "title", "#members", "#cohesion", "hero"),
        [
            (
                last_part(c.name),
                c.title,
                c.member_count,
                f"{c.cohesion:.2f}",
                last_part(c.hero.item),
            )
            for c in clusters
        ],
    )


async def all_clusters(suite: Suite, scope: str) -> list[Cluster]:
    """Every cluster of a scope, page by page."""
    found: list[Cluster] = []
    token = ""
    while True:
        page = await suite.clustering.ListClusters(
            clustering.ListClustersRequest(parent=scope, page_size=200, page_token=token)
        )
        found.extend(page.clusters)
        token = page.next_page_token
        if not token:
            return found


@app.command()
def show(cluster: str, json: JsonOption = False) -> None:
    """Shows a cluster and its members, by its name personas/…/clusters/…"""

    async def read(suite: Suite) -> tuple[Cluster, list[ClusterMember]]:
        found = await suite.clustering.GetCluster(clustering.GetClusterRequest(name=cluster))
        request = clustering.ListClusterMembersRequest(parent=cluster, page_size=200)
        page = await suite.clustering.ListClusterMembers(request)
        return found, list(page.members)

    found, members = with_suite(read)
    if json:
        return print_json([found, *members])
    line(f"[bold]{escape(found.title)}[/bold] ({found.name}), {found.member_count} members")
    parts = ", ".join(f"{p.id} {p.value:.2f}" for p in found.hero.parts)
    line(f"hero {found.hero.item}: {found.hero.score:.2f} ({parts})")
    rows = [(m.position, f"{m.similarity:.3f}", m.item, m.duplicate_of) for m in members]
    table("Members", ("#place", "#cosine", "item", "near-duplicate of"), rows)
    return None
