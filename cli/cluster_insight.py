"""``colonnade clusters analyze``, ``heroes`` and ``of``."""

from typing import Annotated

import typer
from colonnade.clustering.v1 import insight_service_pb2 as api
from colonnade.clustering.v1.cluster_analysis_pb2 import ClusterAnalysis
from colonnade.clustering.v1.cluster_digest_pb2 import ClusterDigest
from colonnade.clustering.v1.cluster_pb2 import Hero
from rich.markup import escape

from cli.connection import Suite
from cli.output import JsonOption, dimmed, indented, last_part, line, print_json, word
from cli.run import with_suite

ClusterArgument = Annotated[str, typer.Argument(help="Its name, personas/…/clusters/…")]

_ITEMS_SHOWN = 10


def analyze(cluster: ClusterArgument, json: JsonOption = False) -> None:
    """Says how good a group a cluster is, and what could be split off or merged."""

    async def read(suite: Suite) -> ClusterAnalysis:
        request = api.AnalyzeClusterRequest(name=cluster)
        return (await suite.insight.AnalyzeCluster(request)).analysis

    found = with_suite(read)
    print_json(found) if json else show_analysis(found)


def show_analysis(found: ClusterAnalysis) -> None:
    """An analysis in a few lines."""
    of = "" if found.examined_count == found.member_count else f" of {found.member_count}"
    quality = word(ClusterAnalysis.Quality, found.quality)
    line(
        f"[bold]{quality}[/bold]: cohesion {found.cohesion:.2f}, {found.examined_count}{of} members"
    )
    if found.outliers:
        line(f"{len(found.outliers)} do not seem to belong:")
        for outlier in found.outliers[:_ITEMS_SHOWN]:
            line(f"    {outlier.likeness:5.2f}  {last_part(outlier.item)}")
        _more(len(found.outliers))
    if found.HasField("split"):
        split = found.split
        line(
            f"could be split: {len(split.items)} items of cohesion {split.cohesion:.2f}, "
            f"the rest {split.rest_cohesion:.2f}, gain {split.gain:.2f}:"
        )
        for item in split.items[:_ITEMS_SHOWN]:
            line(f"    {last_part(item)}")
        _more(len(split.items))
    if found.similar_clusters:
        line("nearest clusters:")
    for near in found.similar_clusters:
        merge = ", could be merged" if near.merge_suggested else ""
        line(
            f"    {near.likeness:5.2f}  {escape(near.title)} "
            f"(together {near.joint_cohesion:.2f}{merge})"
        )
        dimmed(f"       {last_part(near.cluster)}")


def heroes(
    cluster: ClusterArgument,
    limit: Annotated[int, typer.Option(min=1, max=10, help="How many.")] = 5,
    max_cosine: Annotated[
        float | None, typer.Option(min=-1, max=1, help="No two are as similar as this.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Finds the members that together stand for a cluster: good, central, and unlike each other."""

    async def read(suite: Suite) -> api.FindClusterHeroesResponse:
        request = api.FindClusterHeroesRequest(name=cluster, limit=limit, max_cosine=max_cosine)
        return await suite.insight.FindClusterHeroes(request)

    found = with_suite(read)
    if json:
        return print_json(found)
    for place, hero in enumerate(found.heroes, 1):
        line(f"{place:3}. {hero.score:.2f}  {last_part(hero.item)}{' (pinned)' * hero.pinned}")
        indented(f"  {parts_of(hero)}")
    return None


def of(
    item: Annotated[str, typer.Argument(help="A photo or a text, by its whole name.")],
    limit: Annotated[int, typer.Option(min=1, max=20, help="How many clusters.")] = 5,
    json: JsonOption = False,
) -> None:
    """Finds the clusters to which an item most likely belongs, with probabilities."""

    async def read(suite: Suite) -> api.FindItemClustersResponse:
        request = api.FindItemClustersRequest(item=item, limit=limit)
        return await suite.insight.FindItemClusters(request)

    found = with_suite(read)
    print_json(found) if json else show_item_clusters(found)


def show_item_clusters(found: api.FindItemClustersResponse) -> None:
    """The likeliest clusters of an item, a line or two each."""
    for likely in found.clusters:
        here = "  [bold]is here[/bold]" * (likely.cluster == found.cluster)
        of = f"{likely.member_count} members"
        line(f"{likely.probability:7.1%}  {escape(likely.title)} ({of}){here}")
        dimmed(f"       {last_part(likely.cluster)}")
    line(f"{found.alone_probability:7.1%}  no cluster")
    if found.cluster not in {"", *(likely.cluster for likely in found.clusters)}:
        put = ", where a person put it" if found.locked else ""
        line(f"it is in {last_part(found.cluster)}{put}")


def parts_of(hero: Hero) -> str:
    """What a hero's score is made of."""
    return ", ".join(f"{part.id} {part.value:.2f}" for part in hero.parts)


def show_digest(digest: ClusterDigest) -> None:
    """What was written about a cluster in the background."""
    state, source = (
        word(ClusterDigest.State, digest.state),
        word(ClusterDigest.Source, digest.source),
    )
    if digest.summary:
        line(f"  {escape(digest.summary)} [dim]({source}, {state})[/dim]")
    if digest.issue_title:
        where = f" in {escape(digest.repository)}" if digest.repository else ""
        line(f"  issue{where}: {escape(digest.issue_title)}")
        indented(digest.issue_body)


def _more(count: int) -> None:
    if count > _ITEMS_SHOWN:
        line(f"    and {count - _ITEMS_SHOWN} more")
