"""Looking at clusters."""

from libs.errors import NotFound
from libs.names import pattern
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster, Member
from services.clustering.ports import Store, Transaction


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
        return await _existing(tx, name)


async def list_clusters(store: Store, scope: str, page: PageRequest) -> tuple[int, Page[Cluster]]:
    """The newest version of a scope and its clusters, largest first; 0 and none before the first.

    A page token holds the version it began with, so that pages of one list fit together.
    """
    async with store.read() as tx:
        if page.after:
            version = int(page.after[0])
            page = PageRequest(page.size, page.after[1:])
        else:
            version = (await tx.clusters.scope(scope)).version
        found = await tx.clusters.list(scope, version, page)
        key = (version, *found.next_key) if found.next_key else None
        return version, Page(found.rows, key)


async def list_members(store: Store, name: str, page: PageRequest) -> Page[Member]:
    """The members of a cluster, most central first. Raises NotFound."""
    async with store.read() as tx:
        return await tx.clusters.members(await _existing(tx, name, "parent"), page)


async def _existing(tx: Transaction, name: str, field: str = "name") -> Cluster:
    scope, cluster_id = split_cluster_name(name, field)
    cluster = await tx.clusters.get(scope, cluster_id)
    if cluster is None:
        raise NotFound("cluster", name)
    return cluster
