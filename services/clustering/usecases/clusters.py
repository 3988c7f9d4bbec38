"""Looking at clusters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from libs.errors import NotFound
from libs.names import pattern
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster, Order
from services.clustering.ports import Store, Transaction
from services.clustering.ports.clusters import MemberPage

T = TypeVar("T")


def cluster_name(scope: str, cluster_id: str) -> str:
    """The resource name of a cluster."""
    return f"{scope}/clusters/{cluster_id}"


def split_cluster_name(name: str, field: str = "name") -> tuple[str, str]:
    """Scope and id of a cluster's name."""
    kind, owner, cluster_id = pattern("{kind}/{owner}/clusters/{cluster}").parse(name, field)
    return f"{kind}/{owner}", cluster_id


async def get_cluster(store: Store, name: str, version: int | None = None) -> Cluster:
    """The cluster of that name, as a version shows it, the newest one that has it for None.

    Raises NotFound.
    """
    async with store.read() as tx:
        return await existing_cluster(tx, name, version=version)


async def list_clusters(
    store: Store,
    scope: str,
    page: PageRequest,
    conditions: Sequence[Condition] = (),
    order: Order = Order.SIZE,
    version: int | None = None,
) -> tuple[int, Page[Cluster]]:
    """A version of a scope, the newest one for None, and its clusters that meet the conditions.

    A page token holds the version it began with, so that pages of one list fit together.
    """
    async with store.read() as tx:
        version, page = _continued(page, version)
        if version is None:
            version = (await tx.clusters.scope(scope)).version
        found = await tx.clusters.list(scope, version, page, conditions, order)
        return version, _of_version(version, found)


async def stamp_of(store: Store, scope: str, page: PageRequest, version: int | None) -> str:
    """Changes when what a page of ``list_clusters`` shows does: with another version, when items of
    it are deleted, and when something is written about a cluster of the scope."""
    async with store.read() as tx:
        state = await tx.clusters.scope(scope)
        digests = await tx.summaries.changes(scope)
    version, _ = _continued(page, version)
    shown = state.version if version is None else version
    # A new version may retire, delete or assign clusters that an older one shows as they are now.
    return f"{shown}.{state.version}.{state.erasures}.{digests}"


async def list_members(
    store: Store, name: str, page: PageRequest, version: int | None = None
) -> MemberPage:
    """The members of a cluster in a version, the newest one that has it for None, most central
    first. Raises NotFound.

    As with clusters, all pages of one list show one version.
    """
    async with store.read() as tx:
        version, page = _continued(page, version)
        cluster = await existing_cluster(tx, name, "parent", version)
        found = await tx.clusters.members(cluster.id, cluster.version, page)
        return replace(found, next_key=_of_version(cluster.version, found).next_key)


def _continued(page: PageRequest, version: int | None) -> tuple[int | None, PageRequest]:
    """The version that a list shows, and the page within it."""
    if not page.after:
        return version, page
    begun, *after = page.after
    return int(begun), PageRequest(page.size, tuple(after))


def _of_version(version: int, page: Page[T]) -> Page[T]:
    return Page(page.rows, (version, *page.next_key) if page.next_key else None)


async def existing_cluster(
    tx: Transaction, name: str, field: str = "name", version: int | None = None
) -> Cluster:
    """The cluster of that name, as a version shows it, the newest one that has it for None.

    Raises NotFound.
    """
    scope, cluster_id = split_cluster_name(name, field)
    cluster = await tx.clusters.get(scope, cluster_id, version)
    if cluster is None:
        raise NotFound("cluster", name)
    return cluster
