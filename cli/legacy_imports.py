"""Takes a dump of the older library's Redis in: feedback as items, groups as curated clusters."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.cluster_pb2 import Cluster
from google.rpc import code_pb2
from rich.markup import escape

from cli.connection import Suite
from cli.documents import read_json
from cli.item_imports import ItemReport, send_items
from cli.legacy_dump import LegacyDump, LegacyGroup, read_dump
from cli.output import err, line
from libs.errors import InvalidArgument

_MOST_MEMBERS = 200
_SHOWN = 10


@dataclass(slots=True)
class LegacyReport:
    """What became of a dump. ``placed`` counts memberships that were taken over."""

    dump: LegacyDump
    items: ItemReport = field(default_factory=ItemReport)
    groups_made: int = 0
    groups_known: int = 0
    placed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "items": self.items.as_dict(),
            "groups": {"made": self.groups_made, "known": self.groups_known},
            "placed": self.placed,
            "missing": self.dump.missing,
            "derived": self.dump.derived,
            "leftOut": self.dump.left_out,
            "unknown": self.dump.unknown,
            "broken": [{"key": key, "why": why} for key, why in self.dump.broken],
        }

    def show(self) -> None:
        """The report for people."""
        items = self.items
        line(
            f"{len(self.dump.items)} items: {items.created} new, {items.updated} updated, "
            f"{items.duplicates} known, {len(items.refused)} refused"
        )
        line(
            f"{len(self.dump.groups)} groups: {self.groups_made} new, {self.groups_known} known, "
            f"with {self.placed} items"
        )
        _list("refused", [f"{place}: {why}" for place, why in items.refused])
        _list("cannot be read", [f"{key}: {why}" for key, why in self.dump.broken])
        _list("are in groups, but not in the dump", self.dump.missing)
        _list("have no place here", self.dump.left_out)
        _list("are unknown keys", self.dump.unknown)


async def import_dump(suite: Suite, parent: str, file: Path, *, quiet: bool) -> LegacyReport:
    """Takes in what a dump holds. Safe to repeat. Raises InvalidArgument for what is no dump."""
    document = read_json(file)
    if not isinstance(document, dict):
        raise InvalidArgument.of(file.name, "must be an object of keys and values")
    report = LegacyReport(read_dump(document))
    await send_items(suite, parent, report.dump.items.items(), report.items, quiet=quiet)
    known = await _titles(suite, parent)
    for group in report.dump.groups:
        await _take_group(suite, parent, group, known, report)
    return report


async def _titles(suite: Suite, parent: str) -> dict[str, str]:
    """The names of the clusters that people made, by title."""
    found: dict[str, str] = {}
    token = ""
    while True:
        page = await suite.clustering.ListClusters(
            clustering.ListClustersRequest(
                parent=parent, page_size=200, page_token=token, filter='origin = "CURATED"'
            )
        )
        found |= {cluster.title.casefold(): cluster.name for cluster in page.clusters}
        token = page.next_page_token
        if not token:
            return found


async def _take_group(
    suite: Suite, parent: str, group: LegacyGroup, known: dict[str, str], report: LegacyReport
) -> None:
    name = known.get(group.title.casefold())
    if name is None:
        cluster = Cluster(title=group.title, summary=group.summary)
        request = clustering.CreateClusterRequest(parent=parent, cluster=cluster)
        name = (await suite.clustering.CreateCluster(request)).name
        known[group.title.casefold()] = name
        report.groups_made += 1
    else:
        report.groups_known += 1
    names = [report.items.names[id] for id in group.members if id in report.items.names]
    for start in range(0, len(names), _MOST_MEMBERS):
        answer = await suite.clustering.AddClusterMembers(
            clustering.AddClusterMembersRequest(
                name=name, items=names[start : start + _MOST_MEMBERS]
            )
        )
        report.placed += sum(result.status.code == code_pb2.OK for result in answer.results)


def _list(what: str, found: list[str]) -> None:
    if found:
        err.print(f"[yellow]{len(found)} {what}[/yellow]")
        for each in found[:_SHOWN]:
            err.print(f"  {escape(each)}")
        if len(found) > _SHOWN:
            err.print(f"  and {len(found) - _SHOWN} more; --json lists all")
