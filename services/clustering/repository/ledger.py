"""The row of the run that a worker works on, and the version that it writes."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.lease import Lease, acquire, free, held, release, renew
from services.clustering.domain.cluster import ClusterState, FoundCluster, ScopeState
from services.clustering.domain.run import Run, RunState
from services.clustering.repository.runs import stats_row, to_run
from services.clustering.repository.store import PostgresStore
from services.clustering.tables import cluster_versions, clusters, members, runs, scopes

_IN_WORK = (RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING)


class PostgresLedger:
    """See ports.RunLedger."""

    def __init__(self, store: PostgresStore, *, keep_versions: int) -> None:
        self._store = store
        self._keep_versions = keep_versions

    async def take(self, run_id: str, owner: str) -> tuple[Run, Lease] | None:
        async with self._store.begin() as tx:
            row = (runs.c.id == run_id) & runs.c.state.in_(_IN_WORK)
            lease = await acquire(
                tx.connection,
                runs,
                row,
                owner,
                state=_running(),
                attempt=runs.c.attempt + 1,
                start_time=func.coalesce(runs.c.start_time, func.now()),
            )
            if lease is None:
                return None
            run = await _read(tx.connection, run_id)
            await tx.commit()
            return run, lease

    async def heartbeat(self, run_id: str, lease: Lease, done: int, total: int, phase: str) -> Run:
        async with self._store.begin() as tx:
            row = runs.c.id == run_id
            await renew(tx.connection, runs, row, lease, done=done, total=total, phase=phase)
            run = await _read(tx.connection, run_id)
            await tx.commit()
            return run

    async def finish(
        self, run: Run, lease: Lease, found: Sequence[FoundCluster], state: ScopeState | None
    ) -> Run:
        async with self._store.begin() as tx:
            run = await self._as_asked(tx.connection, run, lease)
            await release(
                tx.connection,
                runs,
                runs.c.id == run.id,
                lease,
                state=run.state,
                stats=stats_row(run.stats),
                version=run.version,
                done=run.done,
                total=run.total,
                phase=run.phase,
                error_reason=run.error_reason,
                error_message=run.error_message,
                end_time=func.now(),
            )
            if state is not None and run.state is RunState.SUCCEEDED:
                await self._write_version(tx.connection, found, state)
                tx.announce.clusters_updated(run.scope, state.version)
            ended = await _read(tx.connection, run.id)
            await tx.commit()
            return ended

    async def waiting(self, max_attempts: int) -> list[str]:
        async with self._store.begin() as tx:
            stuck = free(runs) & runs.c.state.in_(_IN_WORK)
            await tx.connection.execute(
                update(runs)
                .where(stuck, runs.c.attempt >= max_attempts)
                .values(
                    state=RunState.FAILED,
                    error_reason="WORKER_LOST",
                    error_message=f"its worker was lost {max_attempts} times",
                    end_time=func.now(),
                )
            )
            found = await tx.connection.execute(
                select(runs.c.id).where(stuck).order_by(runs.c.create_time).limit(100)
            )
            waiting = [row.id for row in found]
            await tx.commit()
            return waiting

    async def _as_asked(self, connection: AsyncConnection, run: Run, lease: Lease) -> Run:
        """The run as it is to end: cancelled, if somebody asked for that before the very end."""
        found = await connection.execute(
            select(runs.c.state).where(runs.c.id == run.id, held(runs, lease)).with_for_update()
        )
        if found.scalar_one_or_none() == RunState.CANCELLING:
            return replace(run, state=RunState.CANCELLED, version=0)
        return run

    async def _write_version(
        self, connection: AsyncConnection, found: Sequence[FoundCluster], state: ScopeState
    ) -> None:
        await _write_clusters(connection, found, state)
        await _write_members(connection, found, state)
        values = asdict(state)
        upsert = insert(scopes).values(values)
        await connection.execute(
            upsert.on_conflict_do_update(index_elements=["scope"], set_=values)
        )
        oldest = state.version - self._keep_versions
        for table in (members, cluster_versions):
            await connection.execute(
                delete(table).where(table.c.scope == state.scope, table.c.version <= oldest)
            )


def _running() -> Any:
    """Running, unless it is to be cancelled: then the worker finds that out at its first step."""
    asked = runs.c.state == RunState.CANCELLING
    return case((asked, RunState.CANCELLING.value), else_=RunState.RUNNING.value)


async def _read(connection: AsyncConnection, run_id: str) -> Run:
    found = await connection.execute(select(runs).where(runs.c.id == run_id))
    return to_run(found.one())


async def _write_clusters(
    connection: AsyncConnection, found: Sequence[FoundCluster], state: ScopeState
) -> None:
    rows = [_cluster_row(entry) for entry in found]
    if rows:
        statement = insert(clusters)
        new = statement.excluded
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"],
                set_={
                    "title": new.title,
                    "state": new.state,
                    "update_time": new.update_time,
                    "row_version": clusters.c.row_version + 1,
                },
                where=(clusters.c.title != new.title) | (clusters.c.state != new.state),
            ),
            rows,
        )
        await connection.execute(
            insert(cluster_versions), [_version_row(entry, state.version) for entry in found]
        )
    # Clusters that are no longer found. What people made stays, found or not.
    await connection.execute(
        update(clusters)
        .where(clusters.c.scope == state.scope, clusters.c.state == ClusterState.ACTIVE)
        .where(clusters.c.origin == "found", clusters.c.id.not_in([row["id"] for row in rows]))
        .values(
            state=ClusterState.RETIRED,
            update_time=func.now(),
            row_version=clusters.c.row_version + 1,
        )
    )


async def _write_members(
    connection: AsyncConnection, found: Sequence[FoundCluster], state: ScopeState
) -> None:
    rows = [
        {
            "scope": state.scope,
            "version": state.version,
            "cluster_id": entry.cluster.id,
            **asdict(member),
        }
        for entry in found
        for member in entry.members
    ]
    if rows:
        await connection.execute(insert(members), rows)


def _cluster_row(entry: FoundCluster) -> dict[str, Any]:
    cluster = entry.cluster
    return {
        "id": cluster.id,
        "scope": cluster.scope,
        "key": cluster.key,
        "title": cluster.title,
        "state": cluster.state,
        "create_time": cluster.create_time,
        "update_time": cluster.update_time,
    }


def _version_row(entry: FoundCluster, version: int) -> dict[str, Any]:
    cluster, hero = entry.cluster, entry.cluster.hero
    return {
        "scope": cluster.scope,
        "version": version,
        "cluster_id": cluster.id,
        "member_count": cluster.member_count,
        "cohesion": cluster.cohesion,
        "hero_item": hero.item if hero else "",
        "hero_score": hero.score if hero else 0.0,
        "hero_parts": [asdict(part) for part in hero.parts] if hero else [],
    }
