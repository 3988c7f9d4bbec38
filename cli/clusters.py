"""``colonnade clusters``."""

from collections.abc import Mapping
from textwrap import fill
from typing import Annotated

import typer
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.cluster_edit_pb2 import ClusterEdit
from colonnade.clustering.v1.cluster_pb2 import Cluster, ClusterMember
from rich.markup import escape

from cli import (
    cluster_backfill,
    cluster_history,
    cluster_insight,
    cluster_members,
    cluster_runs,
    cluster_sheet,
)
from cli.cluster_members import ClusterArgument, ItemsArgument, item_name
from cli.connection import Suite
from cli.names import below, scope_name
from cli.output import JsonOption, last_part, line, print_json, table, when, word
from cli.run import with_suite

app = typer.Typer(help="Groups of similar items.", no_args_is_help=True)

_ID_WIDTH = 36
app.command()(cluster_runs.run)
app.command()(cluster_runs.runs)
app.command()(cluster_runs.cancel)
app.command()(cluster_insight.analyze)
app.command()(cluster_insight.heroes)
app.command()(cluster_insight.of)
for working in (
    cluster_members.add,
    cluster_members.remove,
    cluster_members.lock,
    cluster_members.unlock,
    cluster_history.history,
    cluster_history.diff,
    cluster_history.restore,
    cluster_history.pin,
    cluster_history.unpin,
    cluster_history.scopes,
    cluster_backfill.backfill,
    cluster_sheet.sheet,
):
    app.command()(working)


@app.command("list")
def list_clusters(
    scope: str,
    filter: Annotated[str, typer.Option(help='Such as state = "DRAFT".')] = "",
    version: Annotated[
        int, typer.Option(help="As they were in this version.", min=0, show_default=False)
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Lists the clusters of a scope, largest first; archived ones only if the filter asks."""
    clusters = with_suite(lambda suite: all_clusters(suite, scope_name(scope), filter, version))
    print_json(clusters) if json else show_clusters(clusters)


def show_clusters(clusters: list[Cluster]) -> None:
    """The clusters as a table."""
    table(
        "Clusters",
        ("cluster", "#members", "#cohesion", "kind"),
        [
            (
                f"{fill(c.title, _ID_WIDTH)}\n{last_part(c.name)}",
                c.member_count,
                f"{c.cohesion:.2f}",
                kind_of(c),
            )
            for c in clusters
        ],
        whole="cluster",
    )


def kind_of(cluster: Cluster) -> str:
    """``curated``, ``found, archived`` and so on."""
    origin = word(Cluster.Origin, cluster.origin)
    active = cluster.state == Cluster.STATE_ACTIVE
    return origin if active else f"{origin}, {word(Cluster.State, cluster.state)}"


async def all_clusters(
    suite: Suite, scope: str, filter: str = "", version: int = 0
) -> list[Cluster]:
    """Every cluster of a scope that the filter lets through; 0 is the newest version."""
    found: list[Cluster] = []
    token = ""
    while True:
        page = await suite.clustering.ListClusters(
            clustering.ListClustersRequest(
                parent=scope, page_size=200, page_token=token, filter=filter, version=version
            )
        )
        found.extend(page.clusters)
        token = page.next_page_token
        if not token:
            return found


@app.command()
def show(cluster: ClusterArgument, json: JsonOption = False) -> None:
    """Shows a cluster and its first 200 members."""

    async def read(suite: Suite) -> tuple[Cluster, list[ClusterMember]]:
        found = await suite.clustering.GetCluster(clustering.GetClusterRequest(name=cluster))
        request = clustering.ListClusterMembersRequest(parent=cluster, page_size=200)
        page = await suite.clustering.ListClusterMembers(request)
        return found, list(page.members)

    found, members = with_suite(read)
    if json:
        return print_json([found, *members])
    show_cluster(found)
    places = {m.item: m.position for m in members}
    rows = [
        (m.position, f"{m.similarity:.3f}", last_part(m.item), _note(m, places)) for m in members
    ]
    table("Members", ("#place", "#cosine", "item", "note"), rows, whole="item")
    return None


def _note(member: ClusterMember, places: Mapping[str, int]) -> str:
    """What is special about a member; ``places`` are those of the others that are shown."""
    notes = ["locked"] if member.locked else []
    if member.duplicate_of:
        place = places.get(member.duplicate_of)
        notes.append(f"copy of {place}" if place else "copy")
    return ", ".join(notes)


def show_cluster(cluster: Cluster) -> None:
    """A cluster in a few lines."""
    line(f"[bold]{escape(cluster.title)}[/bold] ({kind_of(cluster)})")
    line(f"  {cluster.name}")
    line(f"  {cluster.member_count} members")
    if cluster.HasField("digest"):
        cluster_insight.show_digest(cluster.digest)
    elif cluster.summary:
        line(f"  {escape(cluster.summary)}")
    if cluster.HasField("hero"):
        parts = cluster_insight.parts_of(cluster.hero)
        pinned = "pinned, " if cluster.hero.pinned else ""
        line(f"  hero {last_part(cluster.hero.item)}: {pinned}{cluster.hero.score:.2f} ({parts})")


@app.command()
def create(
    scope: str,
    title: str,
    summary: Annotated[str, typer.Option(help="What its members have in common.")] = "",
    prompt: Annotated[str, typer.Option(help="What to ask an image backend for.")] = "",
    draft: Annotated[bool, typer.Option("--draft", help="Not in use yet.")] = False,
    json: JsonOption = False,
) -> None:
    """Creates a curated cluster, which no run changes."""
    state = Cluster.STATE_DRAFT if draft else Cluster.STATE_ACTIVE
    cluster = Cluster(title=title, summary=summary, prompt_hint=prompt, state=state)
    request = clustering.CreateClusterRequest(parent=scope_name(scope), cluster=cluster)
    _answer(with_suite(lambda suite: suite.clustering.CreateCluster(request)), json)


@app.command()
def rename(cluster: ClusterArgument, title: str, json: JsonOption = False) -> None:
    """Gives a cluster a title that every run keeps."""
    request = clustering.UpdateClusterRequest(cluster=Cluster(name=cluster, title=title))
    request.update_mask.paths.append("title")
    _answer(with_suite(lambda suite: suite.clustering.UpdateCluster(request)), json)


@app.command()
def update(
    cluster: ClusterArgument,
    title: Annotated[str | None, typer.Option(help="A title that every run keeps.")] = None,
    summary: Annotated[str | None, typer.Option(help="What its members have in common.")] = None,
    prompt: Annotated[str | None, typer.Option(help="What to ask an image backend for.")] = None,
    draft: Annotated[
        bool | None, typer.Option("--draft/--active", help="Whether it is not in use yet.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Changes what people say about a cluster, or takes a draft into use."""
    changed = Cluster(name=cluster)
    given = {"title": title, "summary": summary, "prompt_hint": prompt}
    paths = [name for name, value in given.items() if value is not None]
    for path in paths:
        setattr(changed, path, given[path])
    if draft is not None:
        changed.state = Cluster.STATE_DRAFT if draft else Cluster.STATE_ACTIVE
        paths.append("state")
    if not paths:
        raise typer.BadParameter(
            "give what to change: --title, --summary, --prompt, --draft, --active"
        )
    request = clustering.UpdateClusterRequest(cluster=changed)
    request.update_mask.paths.extend(paths)
    _answer(with_suite(lambda suite: suite.clustering.UpdateCluster(request)), json)


@app.command()
def archive(cluster: ClusterArgument, json: JsonOption = False) -> None:
    """Puts a cluster away, with its members."""
    request = clustering.ArchiveClusterRequest(name=cluster)
    _answer(with_suite(lambda suite: suite.clustering.ArchiveCluster(request)).cluster, json)


@app.command()
def unarchive(cluster: ClusterArgument, json: JsonOption = False) -> None:
    """Takes a cluster into use again."""
    request = clustering.UnarchiveClusterRequest(name=cluster)
    _answer(with_suite(lambda suite: suite.clustering.UnarchiveCluster(request)).cluster, json)


@app.command()
def delete(cluster: ClusterArgument) -> None:
    """Deletes a curated cluster that has no members."""
    request = clustering.DeleteClusterRequest(name=cluster)
    with_suite(lambda suite: suite.clustering.DeleteCluster(request))
    line(f"deleted [bold]{cluster}[/bold]")


@app.command()
def merge(
    cluster: ClusterArgument,
    sources: Annotated[list[str], typer.Argument(help="Clusters that become part of it.")],
    json: JsonOption = False,
) -> None:
    """Makes clusters part of another one, for later runs too."""
    request = clustering.MergeClustersRequest(name=cluster, sources=sources)
    done = with_suite(lambda suite: suite.clustering.MergeClusters(request))
    _answer(done.cluster, json, done.edit)


@app.command()
def split(
    cluster: ClusterArgument,
    title: Annotated[str, typer.Argument(help="The title of the new cluster.")],
    items: ItemsArgument,
    json: JsonOption = False,
) -> None:
    """Makes a curated cluster of some members of a cluster."""
    names = [item_name(cluster, item) for item in items]
    request = clustering.SplitClusterRequest(name=cluster, title=title, items=names)
    done = with_suite(lambda suite: suite.clustering.SplitCluster(request))
    _answer(done.cluster, json, done.edit)


@app.command("pin-hero")
def pin_hero(
    cluster: ClusterArgument,
    item: Annotated[str, typer.Argument(help="A member; none lets the service choose.")] = "",
    json: JsonOption = False,
) -> None:
    """Chooses the photo that stands for a cluster."""
    name = item_name(cluster, item) if item else ""
    request = clustering.SetClusterHeroRequest(name=cluster, item=name)
    done = with_suite(lambda suite: suite.clustering.SetClusterHero(request))
    _answer(done.cluster, json, done.edit)


@app.command("veto-hero")
def veto_hero(
    cluster: ClusterArgument,
    item: Annotated[str, typer.Argument(help="A member.")],
    allow: Annotated[bool, typer.Option("--allow", help="It may be the hero again.")] = False,
    json: JsonOption = False,
) -> None:
    """Says that a photo must not stand for a cluster."""
    request = clustering.VetoClusterHeroRequest(
        name=cluster, item=item_name(cluster, item), allow=allow
    )
    done = with_suite(lambda suite: suite.clustering.VetoClusterHero(request))
    _answer(done.cluster, json, done.edit)


@app.command()
def assign(
    cluster: ClusterArgument,
    pillar: Annotated[str, typer.Argument(help="A pillar of the same persona.")],
    primary: Annotated[bool, typer.Option("--primary", help="Its first pillar.")] = False,
    notes: Annotated[str, typer.Option(help="What to remember about it.")] = "",
    json: JsonOption = False,
) -> None:
    """Assigns a curated cluster to a pillar."""
    request = clustering.AssignClusterToPillarRequest(
        name=cluster, pillar=_pillar(cluster, pillar), primary=primary, notes=notes
    )
    done = with_suite(lambda suite: suite.clustering.AssignClusterToPillar(request)).cluster_pillar
    first = ", its first one" if done.primary else ""
    print_json(done) if json else line(f"assigned to [bold]{done.pillar}[/bold]{first}")


@app.command()
def unassign(cluster: ClusterArgument, pillar: str) -> None:
    """Takes back that a cluster is assigned to a pillar."""
    request = clustering.UnassignClusterFromPillarRequest(
        name=cluster, pillar=_pillar(cluster, pillar)
    )
    with_suite(lambda suite: suite.clustering.UnassignClusterFromPillar(request))
    line(f"no longer assigned to [bold]{request.pillar}[/bold]")


@app.command()
def pillars(cluster: ClusterArgument, json: JsonOption = False) -> None:
    """Lists the pillars that a cluster is assigned to."""
    request = clustering.ListClusterPillarsRequest(parent=cluster, page_size=200)
    answer = with_suite(lambda suite: suite.clustering.ListClusterPillars(request))
    found = list(answer.cluster_pillars)
    if json:
        return print_json(found)
    rows = [(last_part(p.pillar), "yes" if p.primary else "", p.notes) for p in found]
    table("Pillars", ("pillar", "first", "notes"), rows)
    return None


@app.command()
def edits(
    scope: str,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 20,
    json: JsonOption = False,
) -> None:
    """Lists what people changed about the clusters of a scope, newest first."""
    request = clustering.ListClusterEditsRequest(parent=scope_name(scope), page_size=limit)
    answer = with_suite(lambda suite: suite.clustering.ListClusterEdits(request))
    found = list(answer.cluster_edits)
    if json:
        return print_json(found)
    table(
        "Edits",
        ("edit", "when", "change", "#items", "undone"),
        [
            (
                last_part(e.name),
                when(e.create_time),
                word(ClusterEdit.Kind, e.kind),
                e.item_count,
                when(e.undo_time) if e.HasField("undo_time") else "",
            )
            for e in found
        ],
        whole="edit",
    )
    return None


@app.command()
def undo(
    edit: Annotated[str, typer.Argument(help="Its name, personas/…/clusterEdits/…")],
    json: JsonOption = False,
) -> None:
    """Undoes an edit of the last 24 hours."""
    request = clustering.UndoClusterEditRequest(name=edit)
    done = with_suite(lambda suite: suite.clustering.UndoClusterEdit(request)).edit
    print_json(done) if json else line(f"undone: {word(ClusterEdit.Kind, done.kind)}")


def _answer(cluster: Cluster, json: bool, edit: ClusterEdit | None = None) -> None:
    """The cluster after a change, and how to take that back."""
    if json:
        return print_json(cluster)
    show_cluster(cluster)
    if edit is not None and edit.name:
        line(f"Undo it with [bold]colonnade clusters undo {edit.name}[/bold]")
    return None


def _pillar(cluster: str, text: str) -> str:
    """The name of a pillar of the cluster's persona from its id, or from itself."""
    return below(_scope_of(cluster), "pillars", text)


def _scope_of(cluster: str) -> str:
    return "/".join(cluster.split("/")[:2])
