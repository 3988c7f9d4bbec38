"""What people decide about clusters, in PostgreSQL."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    Member,
    Origin,
    ScopeState,
)
from services.clustering.domain.curation import Curation
from services.clustering.domain.edit import Place, Refusal, RefusalKind
from services.clustering.domain.scene import Scene
from services.clustering.repository.arrays import among
from services.clustering.repository.clusters import (
    PLACE,
    in_version,
    newest_rows,
    to_cluster,
    to_member,
)
from services.clustering.repository.scene_statements import SCENE
from services.clustering.tables import clusters, members, refusals


class PeopleRepository:
    """See ports.People."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def curation(self, scope: str, version: int) -> Curation:
        merged = await self._merged(scope)
        locked = await self._locked(scope, version)
        kept = await self._kept(scope, [*locked, *merged.values()])
        refused = await self._refusals(scope)
        return Curation(
            clusters=kept,
            merged=merged,
            locked=locked,
            refused=refused[RefusalKind.MEMBER],
            vetoed=refused[RefusalKind.HERO],
            titles=await self._titles(scope),
        )

    async def pinned_keys(self, scope: str, version: int) -> frozenset[str]:
        locked = exists().where(
            members.c.cluster_id == clusters.c.id,
            members.c.scope == scope,
            members.c.locked,
            in_version(members, version),
        )
        pinned = or_(
            clusters.c.title_pinned, clusters.c.merge_pinned, clusters.c.pinned_hero != "", locked
        )
        found = await self._connection.execute(
            select(clusters.c.key).where(
                clusters.c.scope == scope, clusters.c.origin == Origin.FOUND, pinned
            )
        )
        return frozenset(row.key for row in found)

    async def scene(
        self,
        scope: str,
        cluster_ids: Sequence[str],
        items: Sequence[str] = (),
        within: Sequence[str] = (),
        title: str = "",
    ) -> Scene:
        asked = {
            "scope": scope,
            "clusters": list(cluster_ids),
            "items": list(items),
            "within": list(within),
            "title": title,
        }
        found: dict[str, list[Any]] = defaultdict(list)
        for row in await self._connection.execute(SCENE, asked):
            found[row.kind].append(row.data)
        state = ScopeState(**found["scope"][0]) if found["scope"] else ScopeState(scope)
        return Scene(
            state=state,
            clusters={data["id"]: _cluster(data, state.version) for data in found["cluster"]},
            places={data["item"]: Place.from_json(data) for data in found["place"]},
            live=frozenset(found["live"]),
            refusals=frozenset(Refusal.from_json(data) for data in found["refusal"]),
            titled=frozenset((data["title"], data["id"]) for data in found["titled"]),
        )

    async def by_ids(self, scope: str, cluster_ids: Sequence[str]) -> dict[str, Cluster]:
        found = await self._connection.execute(
            newest_rows().where(clusters.c.scope == scope, among(clusters.c.id, cluster_ids))
        )
        return {row.id: to_cluster(row) for row in found}

    async def vetoed(self, cluster_id: str) -> frozenset[str]:
        found = await self._connection.execute(
            select(refusals.c.item).where(
                refusals.c.cluster_id == cluster_id, refusals.c.kind == RefusalKind.HERO
            )
        )
        return frozenset(row.item for row in found)

    async def _merged(self, scope: str) -> dict[str, str]:
        found = await self._connection.execute(
            select(clusters.c.id, clusters.c.merged_into).where(
                clusters.c.scope == scope, clusters.c.merge_pinned
            )
        )
        return {row.id: row.merged_into for row in found}

    async def _titles(self, scope: str) -> frozenset[str]:
        found = await self._connection.execute(
            select(clusters.c.title).where(
                clusters.c.scope == scope,
                clusters.c.title_pinned,
                clusters.c.state != ClusterState.RETIRED,
            )
        )
        return frozenset(row.title for row in found)

    async def _locked(self, scope: str, version: int) -> dict[str, tuple[Member, ...]]:
        found = await self._connection.execute(
            select(members)
            .where(members.c.scope == scope, members.c.locked, in_version(members, version))
            .order_by(members.c.cluster_id, PLACE, members.c.item)
        )
        locked: dict[str, list[Member]] = defaultdict(list)
        for row in found:
            locked[row.cluster_id].append(to_member(row, len(locked[row.cluster_id]) + 1))
        return {id: tuple(those) for id, those in locked.items()}

    async def _kept(self, scope: str, ids: Sequence[str]) -> dict[str, Cluster]:
        """The curated clusters in use, and those of these ids, in an order that stays."""
        curated = and_(
            clusters.c.origin == Origin.CURATED, clusters.c.state != ClusterState.RETIRED
        )
        found = await self._connection.execute(
            newest_rows()
            .where(clusters.c.scope == scope, or_(curated, among(clusters.c.id, ids)))
            .order_by(clusters.c.id)
        )
        return {row.id: to_cluster(row) for row in found}

    async def _refusals(self, scope: str) -> Mapping[str, Mapping[str, frozenset[str]]]:
        """The refused items by kind and cluster."""
        found = await self._connection.execute(
            select(refusals).join_from(refusals, clusters).where(clusters.c.scope == scope)
        )
        refused: dict[str, dict[str, set[str]]] = {kind: {} for kind in RefusalKind}
        for row in found:
            refused[row.kind].setdefault(row.cluster_id, set()).add(row.item)
        return {
            kind: {id: frozenset(items) for id, items in those.items()}
            for kind, those in refused.items()
        }


def _cluster(data: Mapping[str, Any], newest: int) -> Cluster:
    times = {name: datetime.fromisoformat(data[name]) for name in ("create_time", "update_time")}
    return to_cluster(SimpleNamespace(**{**data, **times}, newest=newest))
