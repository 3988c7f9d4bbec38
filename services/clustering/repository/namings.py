"""How clusters were named, in PostgreSQL."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.algorithms.titles import Background, Named
from services.clustering.domain.cluster import ClusterState
from services.clustering.ports.naming import Naming
from services.clustering.repository.arrays import among, rows_of
from services.clustering.repository.items import LIVE
from services.clustering.tables import cluster_terms, clusters, items, namings

_NAMING = (namings.c.cluster_id, namings.c.scope, namings.c.size, namings.c.words)
_TERM = (
    cluster_terms.c.cluster_id,
    cluster_terms.c.scope,
    cluster_terms.c.term,
    cluster_terms.c.weight,
)


class NamingRepository:
    """See ports.naming.Namings."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of(self, cluster_ids: Collection[str]) -> dict[str, Naming]:
        found = await self._connection.execute(
            select(namings).where(among(namings.c.cluster_id, cluster_ids))
        )
        return {row.cluster_id: Naming(row.size, row.changed) for row in found}

    async def titles(self, scope: str, besides: Collection[str]) -> list[str]:
        found = await self._connection.execute(
            select(clusters.c.title).where(
                clusters.c.scope == scope,
                clusters.c.state != ClusterState.RETIRED,
                ~clusters.c.merge_pinned,
                _but(clusters.c.id, besides),
            )
        )
        return list(found.scalars())

    async def words(self, wanted: Collection[str]) -> dict[str, tuple[str, ...]]:
        found = await self._connection.execute(
            select(items.c.name, items.c.words).where(among(items.c.name, wanted), LIVE)
        )
        return {row.name: tuple(row.words) for row in found}

    async def background(
        self, scope: str, terms: Collection[str], besides: Collection[str]
    ) -> Background:
        totals = await self._connection.execute(
            select(func.count().label("classes"), func.coalesce(func.sum(namings.c.words), 0.0))
            .where(namings.c.scope == scope)
            .where(_but(namings.c.cluster_id, besides))
        )
        classes, words = totals.one()
        if not classes:
            return Background()
        found = await self._connection.execute(
            select(cluster_terms.c.term, func.sum(cluster_terms.c.weight).label("weight"))
            .where(cluster_terms.c.scope == scope, among(cluster_terms.c.term, terms))
            .where(_but(cluster_terms.c.cluster_id, besides))
            .group_by(cluster_terms.c.term)
        )
        return Background(classes, words, {row.term: row.weight for row in found})

    async def put(self, scope: str, named: Mapping[str, Named]) -> None:
        await self.forget(named)
        rows = ((id, scope, each.size, each.words) for id, each in named.items())
        await self._add(namings, _NAMING, rows)
        terms = (
            (id, scope, term, weight)
            for id, each in named.items()
            for term, weight in each.terms.items()
        )
        await self._add(cluster_terms, _TERM, terms)

    async def add_changes(self, changed: Mapping[str, int]) -> None:
        columns = (namings.c.cluster_id, namings.c.changed)
        given = rows_of("given", columns, changed.items())
        await self._connection.execute(
            update(namings)
            .where(namings.c.cluster_id == given.c.cluster_id)
            .values(changed=namings.c.changed + given.c.changed)
        )

    async def forget(self, cluster_ids: Collection[str]) -> None:
        for table in (cluster_terms, namings):
            await self._connection.execute(
                delete(table).where(among(table.c.cluster_id, cluster_ids))
            )

    async def _add(self, table: Any, columns: tuple[Column[Any], ...], rows: Any) -> None:
        given = rows_of("given", columns, rows)
        names = [column.name for column in columns]
        await self._connection.execute(insert(table).from_select(names, select(*given.c)))


def _but(column: Column[Any], ids: Collection[str]) -> ColumnElement[bool]:
    return ~among(column, ids)
