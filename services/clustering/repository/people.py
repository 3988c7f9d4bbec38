"""What people decide about clusters, in PostgreSQL."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.cluster import Cluster, ClusterState, Member, Origin
from services.clustering.domain.curation import Curation
from services.clustering.domain.edit import Refusal, RefusalKind
from services.clustering.repository.arrays import among, rows_of
from services.clustering.repository.clusters import SHOWN, to_cluster, to_member
from services.clustering.tables import cluster_versions, clusters, members, refusals

_REFUSAL = (refusals.c.cluster_id, refusals.c.item, refusals.c.kind)


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
            members.c.version == version,
            members.c.locked,
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

    async def add(self, cluster: Cluster) -> None:
        await self._connection.execute(insert(clusters).values(_row(cluster)))

    async def save(self, cluster: Cluster) -> None:
        await self._connection.execute(
            update(clusters)
            .where(clusters.c.id == cluster.id)
            .values(**_row(cluster), row_version=clusters.c.row_version + 1)
        )

    async def delete(self, cluster: Cluster) -> None:
        await self._connection.execute(
            update(clusters)
            .where(clusters.c.scope == cluster.scope, clusters.c.merged_into == cluster.id)
            .values(merged_into="", merge_pinned=False)
        )
        await self._connection.execute(delete(clusters).where(clusters.c.id == cluster.id))

    async def touch(self, cluster_ids: Sequence[str], now: datetime) -> None:
        await self._connection.execute(
            update(clusters)
            .where(among(clusters.c.id, cluster_ids))
            .values(update_time=now, row_version=clusters.c.row_version + 1)
        )

    async def titled(self, scope: str, title: str, besides: str) -> str | None:
        found = await self._connection.execute(
            select(clusters.c.id)
            .where(clusters.c.scope == scope, func.lower(clusters.c.title) == func.lower(title))
            .where(clusters.c.state != ClusterState.RETIRED, clusters.c.id != besides)
            .limit(1)
        )
        id: str | None = found.scalar_one_or_none()
        return id

    async def by_ids(self, scope: str, cluster_ids: Sequence[str]) -> dict[str, Cluster]:
        found = await self._connection.execute(
            select(*SHOWN)
            .outerjoin_from(clusters, cluster_versions)
            .where(clusters.c.scope == scope, among(clusters.c.id, cluster_ids))
            .ext(distinct_on(clusters.c.id))
            .order_by(clusters.c.id, cluster_versions.c.version.desc())
        )
        return {row.id: to_cluster(row) for row in found}

    async def vetoed(self, cluster_id: str) -> frozenset[str]:
        found = await self._connection.execute(
            select(refusals.c.item).where(
                refusals.c.cluster_id == cluster_id, refusals.c.kind == RefusalKind.HERO
            )
        )
        return frozenset(row.item for row in found)

    async def refuse(self, wanted: Sequence[Refusal]) -> list[Refusal]:
        if not wanted:
            return []
        statement = insert(refusals).on_conflict_do_nothing().returning(*_REFUSAL)
        given = rows_of("given", _REFUSAL, map(_values, wanted))
        names = [column.name for column in _REFUSAL]
        new = await self._connection.execute(statement.from_select(names, select(*given.c)))
        return [Refusal(row.cluster_id, row.item, RefusalKind(row.kind)) for row in new]

    async def accept(self, wanted: Sequence[Refusal]) -> list[Refusal]:
        if not wanted:
            return []
        given = rows_of("given", _REFUSAL, map(_values, wanted))
        gone = await self._connection.execute(
            delete(refusals).where(tuple_(*_REFUSAL).in_(select(*given.c))).returning(*_REFUSAL)
        )
        return [Refusal(row.cluster_id, row.item, RefusalKind(row.kind)) for row in gone]

    async def forget(self, item: str) -> None:
        await self._connection.execute(delete(refusals).where(refusals.c.item == item))
        await self._connection.execute(
            update(clusters).where(clusters.c.pinned_hero == item).values(pinned_hero="")
        )

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
            .where(members.c.scope == scope, members.c.version == version, members.c.locked)
            .order_by(members.c.cluster_id, members.c.position, members.c.item)
        )
        locked: dict[str, list[Member]] = defaultdict(list)
        for row in found:
            locked[row.cluster_id].append(to_member(row))
        return {id: tuple(those) for id, those in locked.items()}

    async def _kept(self, scope: str, ids: Sequence[str]) -> dict[str, Cluster]:
        """The curated clusters in use, and those of these ids, in an order that stays."""
        curated = and_(
            clusters.c.origin == Origin.CURATED, clusters.c.state != ClusterState.RETIRED
        )
        found = await self._connection.execute(
            select(*SHOWN)
            .outerjoin_from(clusters, cluster_versions)
            .where(clusters.c.scope == scope, or_(curated, among(clusters.c.id, ids)))
            .ext(distinct_on(clusters.c.id))
            .order_by(clusters.c.id, cluster_versions.c.version.desc())
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


def _row(cluster: Cluster) -> dict[str, Any]:
    return {
        "id": cluster.id,
        "scope": cluster.scope,
        "key": cluster.key,
        "title": cluster.title,
        "title_pinned": cluster.title_pinned,
        "summary": cluster.summary,
        "prompt_hint": cluster.prompt_hint,
        "state": cluster.state,
        "origin": cluster.origin,
        "merged_into": cluster.merged_into,
        "merge_pinned": cluster.merge_pinned,
        "pinned_hero": cluster.pinned_hero,
        "create_time": cluster.create_time,
        "update_time": cluster.update_time,
    }


def _values(refusal: Refusal) -> tuple[str, str, str]:
    return refusal.cluster_id, refusal.item, refusal.kind.value
