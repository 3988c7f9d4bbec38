"""Looking at clusters."""

from collections.abc import Sequence
from typing import TypeVar

from libs.errors import NotFound
from libs.names import pattern
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster, Member
from services.clustering.ports import Store, Transaction

T = TypeVar("T")


def cluster_name(scope: str, cluster_id: str) -> str:
    """The resource name of a cluster."""
    return f"{scope}/clusters/{cluster_id}"


def split_cluster_name(name: str, field: str = "name") -> tuple[str, str]:
    """Scope and id of a cluster's name."""
    kind, owner, cluster_id = pattern("{kind}/{owner}/clusters/{cluster}").parse(name, field)
    return f"{kind}/{owner}", cluster_id


async def get_cluster(store: Store, name: str) -> Cluster:
    """The cluster of that name, as its newest version shows it. Raises NotFound."""
    async with store.read() as tx:
        return await existing_cluster(tx, name)


async def list_clusters(
    store: Store, scope: str, page: PageRequest, conditions: Sequence[Condition] = ()
) -> tuple[int, Page[Cluster]]:
    """The newest version of a scope and its clusters that meet the conditions, largest first.

    Before the first run, that is version 0 with what people made. A page token holds the version it
    began with, so that pages of one list fit together.
    """
    async with store.read() as tx:
        newest = (await tx.clusters.scope(scope)).version
        version, page = _continued(page, newest)
        found = await tx.clusters.list(scope, version, page, conditions)
        return version, _of_version(version, found)


async def list_members(store: Store, name: str, page: PageRequest) -> Page[Member]:
    """The members of a cluster, most central first. Raises NotFound.

    As with clusters, all pages of one list show one version.
    """
    async with store.read() as tx:
        cluster = await existing_cluster(tx, name, "parent")
        version, page = _continued(page, cluster.version)
        found = await tx.clusters.members(cluster.id, version, page)
        return _of_version(version, found)


def _continued(page: PageRequest, newest: int) -> tuple[int, PageRequest]:
    """The version that a list shows, and the page within it."""
    if not page.after:
        return newest, page
    version, *after = page.after
    return int(version), PageRequest(page.size, tuple(after))


def _of_version(version: int, page: Page[T]) -> Page[T]:
    return Page(page.rows, (version, *page.next_key) if page.next_key else None)


async def existing_cluster(tx: Transaction, name: str, field: str = "name") -> Cluster:
    """The cluster of that name, as its newest version shows it. Raises NotFound."""
    scope, cluster_id = split_cluster_name(name, field)
    cluster = await tx.clusters.get(scope, cluster_id)
    if cluster is None:
        raise NotFound("cluster", name)
    return cluster
