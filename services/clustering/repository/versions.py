"""Writing and correcting the versions of clusters in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    Hero,
    Origin,
    ScopeState,
    VersionedCluster,
)
from services.clustering.domain.version import NewVersion
from services.clustering.repository.arrays import among, rows_of
from services.clustering.repository.clusters import SHOWN, to_cluster
from services.clustering.tables import cluster_versions, clusters, members, scopes

_MEMBER_COLUMNS = [
    members.c.cluster_id,
    members.c.item,
    members.c.similarity,
    members.c.position,
    members.c.duplicate_of,
    members.c.locked,
]


class VersionRepository:
    """See ports.Versions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def write(self, version: NewVersion, keep: int) -> None:
        state = version.state
        if version.found:
            await self._write_clusters(version.found, state.version)
            await self._write_members(version.found, state)
        await self._retire(version)
        await self._remember(state)
        for table in (members, cluster_versions):
            await self._prune(table, state, keep)

    async def drop(self, items: Sequence[str]) -> list[Cluster]:
        gone = await self._connection.execute(
            delete(members)
            .where(among(members.c.item, items))
            .returning(members.c.cluster_id, members.c.version)
        )
        touched = sorted({(row.cluster_id, row.version) for row in gone})
        if not touched:
            return []
        await self._recount(touched)
        await self._forget_originals(items, touched)
        lost = await self._connection.execute(
            select(*SHOWN)
            .join_from(clusters, cluster_versions)
            .where(_one_of(touched), among(cluster_versions.c.hero_item, items))
        )
        return [to_cluster(row) for row in lost]

    async def set_hero(self, cluster_id: str, version: int, hero: Hero | None) -> None:
        await self._connection.execute(
            update(cluster_versions)
            .where(cluster_versions.c.cluster_id == cluster_id)
            .where(cluster_versions.c.version == version)
            .values(**_hero_row(hero))
        )

    async def _write_clusters(self, found: Sequence[VersionedCluster], version: int) -> None:
        statement = insert(clusters)
        new = statement.excluded
        upsert = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "title": new.title,
                "title_pinned": new.title_pinned,
                "state": new.state,
                "update_time": new.update_time,
                "row_version": clusters.c.row_version + 1,
            },
            where=(clusters.c.title != new.title) | (clusters.c.state != new.state),
        )
        await self._connection.execute(upsert, [_cluster_row(entry.cluster) for entry in found])
        rows = [_version_row(entry.cluster, version) for entry in found]
        await self._connection.execute(insert(cluster_versions), rows)

    async def _write_members(self, found: Sequence[VersionedCluster], state: ScopeState) -> None:
        rows = (
            (e.cluster.id, m.item, m.similarity, m.position, m.duplicate_of, m.locked)
            for e in found
            for m in e.members
        )
        given = rows_of("given", _MEMBER_COLUMNS, rows)
        names = ["scope", "version", *(column.name for column in _MEMBER_COLUMNS)]
        place = (literal(state.scope), literal(state.version))
        await self._connection.execute(insert(members).from_select(names, select(*place, *given.c)))

    async def _retire(self, version: NewVersion) -> None:
        """Clusters that are no longer found. What people made stays, found or not."""
        state = version.state
        found = exists().where(
            cluster_versions.c.cluster_id == clusters.c.id,
            cluster_versions.c.version == state.version,
        )
        await self._connection.execute(
            update(clusters)
            .where(clusters.c.scope == state.scope, clusters.c.state == ClusterState.ACTIVE)
            .where(clusters.c.origin == Origin.FOUND, ~found)
            .values(
                state=ClusterState.RETIRED,
                update_time=func.now(),
                row_version=clusters.c.row_version + 1,
            )
        )
        if version.merged:
            await self._name_heirs(state.scope, version.merged)

    async def _name_heirs(self, scope: str, merged: Mapping[str, str]) -> None:
        given = rows_of("given", (clusters.c.key, clusters.c.merged_into), merged.items())
        heir = clusters.alias("heir")
        await self._connection.execute(
            update(clusters)
            .where(clusters.c.scope == scope, clusters.c.key == given.c.key)
            .where(~clusters.c.merge_pinned)
            .where(heir.c.scope == scope, heir.c.key == given.c.merged_into)
            .values(merged_into=cast(heir.c.id, Text))
        )

    async def _remember(self, state: ScopeState) -> None:
        values = asdict(state)
        upsert = insert(scopes).values(values)
        await self._connection.execute(
            upsert.on_conflict_do_update(index_elements=["scope"], set_=values)
        )

    async def _prune(self, table: Table, state: ScopeState, keep: int) -> None:
        oldest = state.version - keep
        await self._connection.execute(
            delete(table).where(table.c.scope == state.scope, table.c.version <= oldest)
        )

    async def _recount(self, touched: Sequence[tuple[str, int]]) -> None:
        here = and_(
            members.c.cluster_id == cluster_versions.c.cluster_id,
            members.c.version == cluster_versions.c.version,
        )
        count = select(func.count()).where(here).scalar_subquery()
        mean = select(func.coalesce(func.avg(members.c.similarity), 0.0)).where(here)
        await self._connection.execute(
            update(cluster_versions)
            .where(_one_of(touched))
            .values(member_count=count, cohesion=func.greatest(0.0, mean.scalar_subquery()))
        )

    async def _forget_originals(
        self, items: Sequence[str], touched: Sequence[tuple[str, int]]
    ) -> None:
        """Copies of what is gone are copies no more."""
        chosen = {cluster_id for cluster_id, _ in touched}
        await self._connection.execute(
            update(members)
            .where(among(members.c.cluster_id, sorted(chosen)))
            .where(among(members.c.duplicate_of, items))
            .values(duplicate_of="")
        )


def _one_of(touched: Sequence[tuple[str, int]]) -> Any:
    columns = (cluster_versions.c.cluster_id, cluster_versions.c.version)
    given = rows_of("touched", columns, touched)
    return tuple_(*columns).in_(select(*given.c))


def _cluster_row(cluster: Cluster) -> dict[str, Any]:
    return {
        "id": cluster.id,
        "scope": cluster.scope,
        "key": cluster.key,
        "title": cluster.title,
        "title_pinned": cluster.title_pinned,
        "state": cluster.state,
        "create_time": cluster.create_time,
        "update_time": cluster.update_time,
    }


def _version_row(cluster: Cluster, version: int) -> dict[str, Any]:
    return {
        "scope": cluster.scope,
        "version": version,
        "cluster_id": cluster.id,
        "member_count": cluster.member_count,
        "cohesion": cluster.cohesion,
        **_hero_row(cluster.hero),
    }


def _hero_row(hero: Hero | None) -> dict[str, Any]:
    return {
        "hero_item": hero.item if hero else "",
        "hero_score": hero.score if hero else 0.0,
        "hero_parts": [asdict(part) for part in hero.parts] if hero else [],
    }
