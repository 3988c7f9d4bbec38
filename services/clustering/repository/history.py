"""The history of clusters in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import ClusterState
from services.clustering.domain.history import Change, Version
from services.clustering.ports.history import Flow, ScopeSummary
from services.clustering.repository.clusters import in_version
from services.clustering.repository.versions import TAKE_TIME, to_version
from services.clustering.tables import cluster_versions, clusters, members, versions


class HistoryRepository:
    """See ports.History."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, scope: str, page: PageRequest) -> Page[Version]:
        statement = (
            select(versions)
            .where(versions.c.scope == scope)
            .order_by(versions.c.version.desc())
            .limit(page.size + 1)
        )
        if page.after:
            statement = statement.where(versions.c.version < int(page.after[0]))
        found = [to_version(row) for row in await self._connection.execute(statement)]
        if len(found) <= page.size:
            return Page(found)
        return Page(found[: page.size], (found[page.size - 1].version,))

    async def flows(self, scope: str, base: int, version: int) -> list[Flow]:
        before, now = _places(scope, base).subquery("before"), _places(scope, version).subquery("n")
        found = await self._connection.execute(
            select(before.c.cluster_id.label("before"), now.c.cluster_id.label("now"), func.count())
            .select_from(before.outerjoin(now, before.c.item == now.c.item, full=True))
            .group_by(before.c.cluster_id, now.c.cluster_id)
        )
        return [Flow(*row) for row in found]

    async def shown(self, scope: str, version: int) -> list[str]:
        found = await self._connection.execute(
            select(clusters.c.id)
            .join_from(clusters, cluster_versions)
            .where(clusters.c.scope == scope)
            .where(in_version(cluster_versions, version))
            .where(cluster_versions.c.state != ClusterState.RETIRED)
            .order_by(clusters.c.id)
        )
        return list(found.scalars())

    async def differences(self, scope: str, version: int) -> Sequence[Change]:
        await self._connection.execute(TAKE_TIME)
        found = await self._connection.execute(_DIFFERENCES, {"scope": scope, "version": version})
        return [Change(*row) for row in found]

    async def scopes(self, page: PageRequest) -> Page[ScopeSummary]:
        after = str(page.after[0]) if page.after else ""
        found = await self._connection.execute(_SCOPES, {"after": after, "limit": page.size + 1})
        rows = [ScopeSummary(*row) for row in found]
        if len(rows) <= page.size:
            return Page(rows)
        return Page(rows[: page.size], (rows[page.size - 1].scope,))


def _places(scope: str, version: int) -> Select[Any]:
    return select(members.c.item, members.c.cluster_id).where(
        members.c.scope == literal(scope), in_version(members, version)
    )


_DIFFERENCES = text(
    """
    SELECT coalesce(former.item, latter.item) AS item,
        CAST(former.cluster_id AS text) AS cluster_id, former.similarity,
        coalesce(former.duplicate_of, '') AS duplicate_of, coalesce(former.locked, false) AS locked
    FROM (
        SELECT * FROM clustering.members
        WHERE scope = :scope AND since <= :version AND coalesce(until, 2147483647) > :version
    ) AS former
    FULL JOIN (
        SELECT * FROM clustering.members WHERE scope = :scope AND until IS NULL
    ) AS latter USING (item)
    WHERE (former.cluster_id, former.similarity, former.duplicate_of, former.locked)
        IS DISTINCT FROM
        (latter.cluster_id, latter.similarity, latter.duplicate_of, latter.locked)
    ORDER BY 1
    """
)

_SCOPES = text(
    """
    SELECT named.scope, coalesce(known.version, 0) AS version, counted.items, counted.waiting,
        coalesce(newest.clusters, 0) AS clusters
    FROM (
        SELECT scope FROM (
            SELECT DISTINCT scope FROM clustering.items WHERE scope > :after
            UNION
            SELECT scope FROM clustering.scopes WHERE scope > :after
        ) AS every ORDER BY scope LIMIT :limit
    ) AS named
    LEFT JOIN clustering.scopes AS known USING (scope)
    LEFT JOIN clustering.versions AS newest
        ON newest.scope = named.scope AND newest.version = known.version
    CROSS JOIN LATERAL (
        SELECT count(*) AS items, count(*) FILTER (WHERE EXISTS (
            SELECT FROM clustering.item_vectors AS v
            JOIN clustering.collections AS c ON c.name = v.collection AND c.state = 'active'
            WHERE v.item = i.name AND v.state = 'ready' AND NOT v.grouped
        )) AS waiting
        FROM clustering.items AS i WHERE i.scope = named.scope AND i.state = 'live'
    ) AS counted
    ORDER BY named.scope
    """
)
