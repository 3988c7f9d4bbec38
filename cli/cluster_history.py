"""``colonnade clusters history``, ``diff``, ``restore``, ``pin``, ``unpin`` and ``scopes``."""

from collections.abc import Mapping
from typing import Annotated

import typer
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1 import version_service_pb2 as api
from colonnade.clustering.v1.cluster_version_pb2 import ClusterDiff, ClusterScope, ClusterVersion

from cli.connection import Suite
from cli.names import scope_name
from cli.output import JsonOption, indented, last_part, line, print_json, table, when, word
from cli.run import with_suite

ScopeArgument = Annotated[str, typer.Argument(help="A persona, or projects/….")]
VersionArgument = Annotated[int, typer.Argument(help="The number of the version.", min=1)]
Titles = Mapping[str, str]

_PAGE = 200


def history(
    scope: ScopeArgument,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 20,
    json: JsonOption = False,
) -> None:
    """Lists the versions of a scope's clusters, newest first."""
    request = api.ListClusterVersionsRequest(parent=scope_name(scope), page_size=limit)
    answer = with_suite(lambda suite: suite.versions.ListClusterVersions(request))
    found = list(answer.cluster_versions)
    if json:
        return print_json(found)
    table(
        "Versions",
        ("#version", "when", "by", "#clusters", "#items", "what changed"),
        [
            (
                v.version,
                when(v.create_time),
                word(ClusterVersion.Kind, v.kind) + ", kept" * v.pinned,
                v.cluster_count,
                v.clustered_count,
                _changes(v.diff) or "-",
            )
            for v in found
        ],
        whole="when",
    )
    return None


def diff(
    scope: ScopeArgument,
    version: VersionArgument,
    base: Annotated[
        int, typer.Option(help="Compare with this one, not the one before.", show_default=False)
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Compares a version with the one before it, or with any other."""
    parent = scope_name(scope)
    before = base or version - 1
    request = api.DiffClusterVersionsRequest(name=_name(parent, version), base_version=base)

    async def read(suite: Suite) -> tuple[api.DiffClusterVersionsResponse, Titles]:
        found = await suite.versions.DiffClusterVersions(request)
        if json:
            return found, {}
        then = await _titles(suite, parent, before) if before else {}
        return found, {**then, **await _titles(suite, parent, version)}

    found, titles = with_suite(read)
    print_json(found) if json else _show_diff(found, titles, before, version)


def restore(scope: ScopeArgument, version: VersionArgument, json: JsonOption = False) -> None:
    """Makes the clusters what they were in a version, by a new one."""
    request = api.RestoreClusterVersionRequest(name=_name(scope_name(scope), version))
    answer = with_suite(lambda suite: suite.versions.RestoreClusterVersion(request))
    made = answer.cluster_version
    if json:
        return print_json(made)
    line(
        f"as in version {version}: {made.cluster_count} clusters of {made.clustered_count} items; "
        f"this is version [bold]{made.version}[/bold]"
    )
    return None


def pin(scope: ScopeArgument, version: VersionArgument, json: JsonOption = False) -> None:
    """Keeps a version whatever its age."""
    request = api.PinClusterVersionRequest(name=_name(scope_name(scope), version))
    answer = with_suite(lambda suite: suite.versions.PinClusterVersion(request))
    made = answer.cluster_version
    print_json(made) if json else line(f"version {made.version} is kept for good")


def unpin(scope: ScopeArgument, version: VersionArgument, json: JsonOption = False) -> None:
    """Lets a version go when its time comes."""
    request = api.UnpinClusterVersionRequest(name=_name(scope_name(scope), version))
    answer = with_suite(lambda suite: suite.versions.UnpinClusterVersion(request))
    made = answer.cluster_version
    print_json(made) if json else line(f"version {made.version} goes when its time comes")


def scopes(json: JsonOption = False) -> None:
    """Lists the scopes that have items or clusters."""
    found = with_suite(all_scopes)
    if json:
        return print_json(found)
    rows = [(s.scope, s.version, s.item_count, s.cluster_count, s.waiting_count) for s in found]
    table("Scopes", ("scope", "#version", "#items", "#clusters", "#waiting"), rows, whole="scope")
    return None


async def all_scopes(suite: Suite) -> list[ClusterScope]:
    """Every scope that has items or clusters, by name."""
    found: list[ClusterScope] = []
    request = api.ListClusterScopesRequest(page_size=_PAGE)
    while True:
        page = await suite.versions.ListClusterScopes(request)
        found.extend(page.cluster_scopes)
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


def _name(scope: str, version: int) -> str:
    return f"{scope}/clusterVersions/{version}"


async def _titles(suite: Suite, scope: str, version: int) -> Titles:
    """What the clusters of a version are called, by name."""
    found: dict[str, str] = {}
    request = clustering.ListClustersRequest(parent=scope, version=version, page_size=_PAGE)
    while True:
        page = await suite.clustering.ListClusters(request)
        found.update((cluster.name, cluster.title) for cluster in page.clusters)
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


def _changes(diff: ClusterDiff) -> str:
    """Such as ``2 new, 1 merged``; empty where no cluster came or went."""
    counts = {
        "new": len(diff.born),
        "split": len(diff.splits),
        "merged": len(diff.merges),
        "gone": len(diff.retired),
    }
    return ", ".join(f"{count} {change}" for change, count in counts.items() if count)


def _show_diff(
    found: api.DiffClusterVersionsResponse, titles: Titles, before: int, version: int
) -> None:
    def named(name: str) -> str:
        return titles.get(name) or last_part(name)

    told = _changes(found.diff) or "no cluster came or went"
    line(f"From version {before} to version {version}: {told}")
    line(
        f"{found.stayed_count} items stayed, {found.moved_count} are in another cluster, "
        f"{found.joined_count} joined one, {found.left_count} left"
    )
    groups = {
        "new": [named(each) for each in found.diff.born],
        "split": [
            f"{named(each.cluster)} into {', '.join(map(named, each.parts))}"
            for each in found.diff.splits
        ],
        "merged": [f"{named(each.cluster)} into {named(each.into)}" for each in found.diff.merges],
        "gone": [named(each) for each in found.diff.retired],
    }
    for change, clusters in groups.items():
        if clusters:
            line(f"{change}:")
        for cluster in clusters:
            indented(cluster)
