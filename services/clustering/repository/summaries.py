"""What was written about clusters, in PostgreSQL."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.lease import acquire, free, held, release, renew
from libs.lease import Lease, LeaseLost
from services.clustering.domain.cluster import ClusterState
from services.clustering.domain.digest import Digest, DigestSource, DigestState, Text
from services.clustering.ports.naming import DueSummary
from services.clustering.repository.arrays import among, inserted, rows_of
from services.clustering.tables import (
    cluster_versions,
    clusters,
    digest_counts,
    scopes,
    summaries,
    summarised,
)


class SummaryRepository:
    """See ports.naming.Summaries."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def notice(self, now: datetime) -> int:
        found = await self._connection.execute(
            select(scopes.c.scope, scopes.c.version, func.coalesce(summarised.c.version, 0))
            .outerjoin_from(scopes, summarised, summarised.c.scope == scopes.c.scope)
            .where(scopes.c.version > func.coalesce(summarised.c.version, 0))
        )
        # Read once, so that a version that comes in between is noticed the next time.
        news = [tuple(row) for row in found]
        if not news:
            return 0
        count = await self._have_looked_at(news, now)
        await self._count([scope for scope, _, _ in news])
        given = rows_of("given", summarised.c, ((scope, version) for scope, version, _ in news))
        upsert = insert(summarised).from_select(["scope", "version"], select(*given.c))
        await self._connection.execute(
            upsert.on_conflict_do_update(
                index_elements=["scope"], set_={"version": upsert.excluded.version}
            )
        )
        return count

    async def _have_looked_at(self, news: list[tuple[Any, ...]], now: datetime) -> int:
        columns = (summarised.c.scope, summarised.c.version, cluster_versions.c.since)
        given = rows_of("given", columns, news)
        moment = literal(now, summaries.c.due_time.type)
        changed = (
            select(clusters.c.id, clusters.c.scope, moment, moment)
            .join(cluster_versions, cluster_versions.c.cluster_id == clusters.c.id)
            .join(given, given.c.scope == clusters.c.scope)
            .where(clusters.c.state != ClusterState.RETIRED)
            .where(cluster_versions.c.until.is_(None), cluster_versions.c.since > given.c.since)
            .where(cluster_versions.c.since <= given.c.version)
        )
        columns_set = ["cluster_id", "scope", "due_time", "update_time"]
        upsert = insert(summaries).from_select(columns_set, changed)
        done = await self._connection.execute(
            upsert.on_conflict_do_update(
                index_elements=["cluster_id"],
                set_={
                    "due_time": upsert.excluded.due_time,
                    "state": DigestState.PENDING.value,
                    "failures": 0,
                },
            )
        )
        return done.rowcount

    async def due(self, now: datetime, limit: int) -> list[str]:
        found = await self._connection.execute(
            select(summaries.c.cluster_id)
            .where(summaries.c.due_time <= now, free(summaries))
            .order_by(summaries.c.due_time, summaries.c.cluster_id)
            .limit(limit)
        )
        return list(found.scalars())

    async def take(
        self, cluster_id: str, owner: str, now: datetime
    ) -> tuple[DueSummary, Lease] | None:
        row = (summaries.c.cluster_id == cluster_id) & (summaries.c.due_time <= now)
        lease = await acquire(self._connection, summaries, row, owner)
        if lease is None:
            return None
        found = await self._connection.execute(
            select(summaries).where(summaries.c.cluster_id == cluster_id)
        )
        taken = found.one()
        due = DueSummary(cluster_id, taken.scope, taken.due_time, to_digest(taken), taken.failures)
        return due, lease

    async def renew(self, cluster_id: str, lease: Lease) -> None:
        await renew(self._connection, summaries, summaries.c.cluster_id == cluster_id, lease)

    async def put(
        self, due: DueSummary, lease: Lease, digest: Digest, again: datetime | None
    ) -> None:
        unchanged = summaries.c.due_time == due.time
        await release(
            self._connection,
            summaries,
            summaries.c.cluster_id == due.cluster_id,
            lease,
            state=case(
                (unchanged, literal(digest.state.value)), else_=literal(DigestState.PENDING.value)
            ),
            source=digest.source,
            title=digest.text.title,
            summary=digest.text.summary,
            issue_title=digest.text.issue_title,
            issue_body=digest.text.issue_body,
            repository=digest.repository,
            representatives=list(digest.representatives),
            model=digest.model,
            error_message=digest.error_message,
            hash=digest.hash,
            failures=due.failures,
            update_time=digest.update_time,
            due_time=case(
                (unchanged, literal(again, summaries.c.due_time.type)),
                else_=summaries.c.due_time,
            ),
        )
        await self._count([due.scope])

    async def drop(self, due: DueSummary, lease: Lease) -> None:
        row = summaries.c.cluster_id == due.cluster_id
        done = await self._connection.execute(delete(summaries).where(row, held(summaries, lease)))
        if done.rowcount == 0:
            raise LeaseLost(f"{lease.owner} lost its lease {lease.token}")
        await self._count([due.scope])

    async def give_back(self, due: DueSummary, lease: Lease, again: datetime | None = None) -> None:
        row, pause = summaries.c.cluster_id == due.cluster_id, dict[str, Any]()
        if again is not None:
            moment = literal(again, summaries.c.due_time.type)
            changed = (summaries.c.due_time != due.time, summaries.c.due_time)
            pause = {"failures": due.failures, "due_time": case(changed, else_=moment)}
        await release(self._connection, summaries, row, lease, **pause)

    async def of(self, cluster_ids: Collection[str]) -> dict[str, Digest]:
        found = await self._connection.execute(
            select(summaries).where(among(summaries.c.cluster_id, cluster_ids))
        )
        return {row.cluster_id: to_digest(row) for row in found}

    async def changes(self, scope: str) -> int:
        found = await self._connection.execute(
            select(digest_counts.c.count).where(digest_counts.c.scope == scope)
        )
        return int(found.scalar_one_or_none() or 0)

    async def _count(self, scopes: Collection[str]) -> None:
        first = inserted(digest_counts, [{"scope": it, "count": 1} for it in sorted(scopes)], {})
        await self._connection.execute(
            first.on_conflict_do_update(
                index_elements=["scope"], set_={"count": digest_counts.c.count + 1}
            )
        )


def to_digest(row: Row[Any]) -> Digest:
    """What was written about a cluster, from its row."""
    return Digest(
        text=Text(row.title, row.summary, row.issue_title, row.issue_body),
        state=DigestState(row.state),
        source=DigestSource(row.source),
        repository=row.repository,
        representatives=tuple(row.representatives),
        model=row.model,
        error_message=row.error_message,
        hash=row.hash,
        update_time=row.update_time,
    )
