"""What all changes that people make to clusters have in common."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import AlreadyExists, NotFound
from libs.ids import uuid7
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster, ClusterState, Hero
from services.clustering.domain.curation import require_in_use
from services.clustering.domain.edit import Before, Edit, EditKind
from services.clustering.domain.version import choose_hero
from services.clustering.ports import Transaction
from services.clustering.usecases.clusters import cluster_name, existing_cluster


@dataclass(frozen=True, slots=True)
class Done:
    """What a change came to: the cluster after it, the edit for undoing it (None if nothing
    changed), and items of the request that are not there."""

    cluster: Cluster
    edit: Edit | None = None
    missing: frozenset[str] = frozenset()


class Change:
    """A change under way. Until its transaction ends, nothing else changes clusters of its scope.

    ``version`` is the newest one, which people's changes go into at once; each run takes them over
    into the version that it writes.
    """

    def __init__(self, tx: Transaction, scope: str, version: int, now: datetime) -> None:
        self.tx = tx
        self.scope = scope
        self.version = version
        self.now = now
        self._heroes: dict[str, Hero | None] = {}

    @classmethod
    async def begin(cls, tx: Transaction, scope: str, clock: Clock) -> "Change":
        """Locks the scope."""
        await tx.items.lock([scope])
        return cls(tx, scope, (await tx.clusters.scope(scope)).version, clock.now())

    async def in_use(self, name: str, field: str = "name") -> Cluster:
        """The cluster of that name. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
        cluster = await existing_cluster(self.tx, name, field)
        require_in_use(cluster)
        return cluster

    async def require_free(self, title: str, besides: str) -> None:
        """Raises AlreadyExists if a cluster in use has the title, other than that of id
        ``besides``."""
        taken = await self.tx.people.titled(self.scope, title, besides)
        if taken is not None:
            name = cluster_name(self.scope, taken)
            raise AlreadyExists("cluster", name, f"the title {title!r} is that of {name}")

    async def settle(self, clusters: Collection[str], again: Collection[str] = ()) -> None:
        """Counts the members of these clusters anew, finds a hero for those whose hero is no member
        any more, chooses anew in those ``again``, and changes their etags."""
        ids = sorted(clusters)
        await self.tx.places.recount(self.scope, self.version, ids)
        found = await self.tx.people.by_ids(self.scope, ids)
        heroes = [cluster.hero.item for cluster in found.values() if cluster.hero]
        sitting = await self.tx.places.of(self.scope, self.version, heroes)
        where = {place.item: place.cluster_id for place in sitting}
        for id, cluster in found.items():
            if id in again or _lacks_hero(cluster, where):
                await self._choose(cluster, anew=id in again)
        await self.tx.people.touch(ids, self.now)

    async def record(self, kind: EditKind, clusters: Collection[str], before: Before) -> Edit:
        """Remembers the change."""
        before = replace(before, heroes=self._heroes)
        count = len(before.items)
        edit = Edit(uuid7(), self.scope, kind, tuple(sorted(clusters)), count, self.now)
        await self.tx.edits.add(edit, before)
        return edit

    async def _choose(self, cluster: Cluster, *, anew: bool) -> None:
        members = await self.tx.clusters.all_members(cluster.id, self.version)
        items = await self.tx.items.many(member.item for member in members)
        vetoed = await self.tx.people.vetoed(cluster.id)
        sitting = None if anew else cluster.hero
        hero = choose_hero(members, items, sitting, self.now, cluster.pinned_hero, vetoed)
        if hero != cluster.hero:
            self._heroes[cluster.id] = cluster.hero
            await self.tx.versions.set_hero(cluster.id, self.version, hero)


def _lacks_hero(cluster: Cluster, places: Mapping[str, str]) -> bool:
    """Whether a cluster in use needs another hero; ``places`` are the clusters of items."""
    if cluster.state is ClusterState.RETIRED:
        return False
    if cluster.hero is None:
        return cluster.member_count > 0
    return places.get(cluster.hero.item) != cluster.id


async def answered(tx: Transaction, scope: str, request: RequestKey) -> Done | None:
    """What an equal request came to before; None if this one is to be served.

    Raises AlreadyExists if the id was used for another request, NotFound if the cluster is gone.
    """
    known = await tx.requests.claim(request.id, request.method, request.fingerprint)
    if known is None:
        return None
    result = json.loads(known)
    cluster = await existing_cluster(tx, cluster_name(scope, result["cluster"]))
    edit = await tx.edits.get(scope, result["edit"]) if result["edit"] else None
    return Done(cluster, edit, frozenset(result["missing"]))


async def finish(
    tx: Transaction,
    cluster: Cluster,
    request: RequestKey,
    edit: Edit | None = None,
    missing: Iterable[str] = (),
) -> Done:
    """Commits, together with the result for whoever sends the request again."""
    result = {"cluster": cluster.id, "edit": edit.id if edit else "", "missing": [*missing]}
    await tx.requests.record(request.id, json.dumps(result))
    after = await tx.clusters.get(cluster.scope, cluster.id)
    if after is None:
        raise NotFound("cluster", cluster_name(cluster.scope, cluster.id))
    await tx.commit()
    return Done(after, edit, frozenset(result["missing"]))
