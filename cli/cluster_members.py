"""``colonnade clusters add``, ``remove``, ``lock`` and ``unlock``."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Protocol

import typer
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.cluster_pb2 import ClusterMemberResult
from rich.markup import escape

from cli.connection import Suite
from cli.output import JsonOption, err, last_part, line, print_json
from cli.run import FAILED, with_suite

ClusterArgument = Annotated[str, typer.Argument(help="Its name, personas/…/clusters/…")]
ItemsArgument = Annotated[list[str], typer.Argument(help="Photos or texts, by name or id.")]

_AT_ONCE = 200


class _Answer(Protocol):
    @property
    def results(self) -> Sequence[ClusterMemberResult]: ...


def add(cluster: ClusterArgument, items: ItemsArgument, json: JsonOption = False) -> None:
    """Puts items into a cluster and keeps them there. They leave the one that they were in."""
    _change(
        lambda suite, some: suite.clustering.AddClusterMembers(
            clustering.AddClusterMembersRequest(name=cluster, items=some)
        ),
        _names(cluster, items),
        "added",
        json,
    )


def remove(cluster: ClusterArgument, items: ItemsArgument, json: JsonOption = False) -> None:
    """Takes items out of a cluster; no run puts them back."""
    _change(
        lambda suite, some: suite.clustering.RemoveClusterMembers(
            clustering.RemoveClusterMembersRequest(name=cluster, items=some)
        ),
        _names(cluster, items),
        "removed",
        json,
    )


def lock(cluster: ClusterArgument, items: ItemsArgument, json: JsonOption = False) -> None:
    """Has no run move members out of the cluster that they are in."""
    _change(
        lambda suite, some: suite.clustering.LockClusterMembers(
            clustering.LockClusterMembersRequest(name=cluster, items=some)
        ),
        _names(cluster, items),
        "locked",
        json,
    )


def unlock(cluster: ClusterArgument, items: ItemsArgument, json: JsonOption = False) -> None:
    """Gives members back to the runs, which move them when they find a better place."""
    _change(
        lambda suite, some: suite.clustering.UnlockClusterMembers(
            clustering.UnlockClusterMembersRequest(name=cluster, items=some)
        ),
        _names(cluster, items),
        "unlocked",
        json,
    )


def item_name(cluster: str, text: str) -> str:
    """The name of an item of the cluster's scope from its id, or from itself."""
    if text.startswith(("personas/", "projects/")):
        return text
    scope = "/".join(cluster.split("/")[:2])
    return f"{scope}/{'items' if scope.startswith('projects/') else 'photos'}/{text}"


def _names(cluster: str, items: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(item_name(cluster, item) for item in items))


def _change(
    work: Callable[[Suite, Sequence[str]], Awaitable[_Answer]],
    names: Sequence[str],
    done: str,
    json: bool,
) -> None:
    """Changes as many at a time as one request takes. Fails if any was not changed."""

    async def change(suite: Suite) -> list[ClusterMemberResult]:
        results: list[ClusterMemberResult] = []
        for start in range(0, len(names), _AT_ONCE):
            results.extend((await work(suite, names[start : start + _AT_ONCE])).results)
        return results

    results = with_suite(change)
    failed = [result for result in results if result.status.code]
    if json:
        print_json(results)
    else:
        line(f"{done} {len(results) - len(failed)} of {len(results)}")
        for result in failed:
            err.print(
                f"[red]{escape(last_part(result.item))}[/red]: {escape(result.status.message)}"
            )
    if failed:
        raise typer.Exit(FAILED)
