"""Assigning curated clusters to pillars."""

from libs.clock import Clock
from libs.errors import AlreadyExists, NotFound
from libs.names import pattern
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.clustering.domain.curation import not_curated, require_in_use
from services.clustering.domain.pillars import Assignment, require_same_persona
from services.clustering.ports import Store, Transaction
from services.clustering.usecases.clusters import existing_cluster, split_cluster_name

_ALL = "-"


async def assign_pillar(
    store: Store,
    clock: Clock,
    name: str,
    pillar: str,
    request: RequestKey,
    *,
    primary: bool,
    notes: str,
) -> Assignment:
    """Assigns a curated cluster to a pillar, or changes notes and primary of that.

    Raises NotFound, InvalidArgument for a pillar of another persona, AlreadyExists (PRIMARY_TAKEN),
    FailedPrecondition (NOT_CURATED, CLUSTER_RETIRED).
    """
    scope, cluster_id = split_cluster_name(name)
    require_same_persona(scope, pillar)
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            return await _existing(tx, name, pillar)
        await tx.items.lock([scope])
        cluster = await existing_cluster(tx, name)
        require_in_use(cluster)
        if not cluster.curated:
            raise not_curated(cluster, "split off a cluster of your own, and assign that")
        first = await tx.pillars.primary(cluster.id)
        if primary and first is not None and first.pillar != pillar:
            raise AlreadyExists(
                "primary pillar",
                first.pillar,
                f"{first.pillar} is the primary pillar of {name} already",
                reason="PRIMARY_TAKEN",
                metadata={"pillar": first.pillar},
            )
        assignment = await tx.pillars.put(
            Assignment(cluster_id, scope, pillar, primary, notes.strip(), clock.now())
        )
        await tx.requests.record(request.id, name)
        await tx.commit()
        return assignment


async def unassign_pillar(store: Store, name: str, pillar: str, request: RequestKey) -> None:
    """Takes an assignment back.

    Raises NotFound, InvalidArgument for a pillar of another persona.
    """
    scope, cluster_id = split_cluster_name(name)
    require_same_persona(scope, pillar)
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return
        await tx.items.lock([scope])
        await existing_cluster(tx, name)
        if not await tx.pillars.delete(cluster_id, pillar):
            raise _not_assigned(name, pillar)
        await tx.requests.record(request.id, name)
        await tx.commit()


async def list_pillars(
    store: Store, parent: str, pillar: str, page: PageRequest
) -> Page[Assignment]:
    """The assignments of a cluster, or with ``-`` for its id of all of a persona; of one pillar if
    given. Raises NotFound."""
    kind, owner, cluster_id = pattern("{kind}/{owner}/clusters/{cluster}").parse(parent, "parent")
    async with store.read() as tx:
        if cluster_id == _ALL:
            return await tx.pillars.list(f"{kind}/{owner}", "", pillar, page)
        cluster = await existing_cluster(tx, parent, "parent")
        return await tx.pillars.list(cluster.scope, cluster.id, pillar, page)


async def _existing(tx: Transaction, name: str, pillar: str) -> Assignment:
    assignment = await tx.pillars.get(split_cluster_name(name)[1], pillar)
    if assignment is None:
        raise _not_assigned(name, pillar)
    return assignment


def _not_assigned(name: str, pillar: str) -> NotFound:
    return NotFound("assignment", pillar, f"{name} is not assigned to {pillar}")
