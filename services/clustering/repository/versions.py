"""Writing and correcting the versions of clusters in PostgreSQL. Nothing else changes them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Table,
    delete,
    exists,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.cluster import Cluster, Hero
from services.clustering.domain.edit import Before, Edit, Place
from services.clustering.domain.history import (
    Change,
    Diff,
    Moved,
    NewVersion,
    Pruned,
    Version,
    VersionKind,
)
from services.clustering.repository.arrays import among
from services.clustering.repository.clusters import SHOWN, to_cluster
from services.clustering.repository.version_statements import (
    ERASE,
    FREE_COPIES,
    MOVED,
    RECOUNT,
    REPLACE_HEROES,
    STAGE,
    UNSTAGE,
    WRITE,
    WRITE_STAGED,
)
from services.clustering.tables import cluster_versions, clusters, members, scopes, versions

# A whole library at once takes longer than other statements are allowed to.
_TAKE_TIME = text("SET LOCAL statement_timeout = '20min'")


class VersionRepository:
    """See ports.Versions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def write(self, version: NewVersion) -> dict[str, Cluster]:
        statement = WRITE
        if version.staged:
            await self._connection.execute(_TAKE_TIME)
            statement = WRITE_STAGED
        shown = await self._connection.execute(statement, _parameters(version))
        return {row.id: to_cluster(row) for row in shown}

    async def stage(self, run_id: str, changes: Sequence[Change]) -> None:
        await self._connection.execute(STAGE, {"run": run_id, **_columns(changes)})

    async def unstage(self, run_id: str) -> None:
        await self._connection.execute(_TAKE_TIME)
        await self._connection.execute(UNSTAGE, {"run": run_id})

    async def moved(self, scope: str, after: int) -> list[Moved]:
        found = await self._connection.execute(MOVED, {"scope": scope, "after": after})
        return [Moved(row.item, row.before, row.now) for row in found]

    async def drop(self, scope: str, items: Sequence[str]) -> tuple[list[Place], list[Cluster]]:
        gone = {"scope": scope, "items": list(items)}
        rows = [*await self._connection.execute(ERASE, gone)]
        if not rows:
            return [], []
        touched: dict[str, int] = {}
        for row in rows:
            touched[row.cluster_id] = min(row.since, touched.get(row.cluster_id, row.since))
        ids = {"clusters": [*touched], "items": list(items)}
        await self._connection.execute(RECOUNT, {**ids, "since": [*touched.values()]})
        await self._connection.execute(FREE_COPIES, ids)
        await self._connection.execute(REPLACE_HEROES, ids)
        lost = await self._connection.execute(
            select(*SHOWN)
            .join_from(clusters, cluster_versions)
            .join(scopes, scopes.c.scope == clusters.c.scope)
            .where(cluster_versions.c.until.is_(None), among(clusters.c.id, touched))
            .where(among(cluster_versions.c.hero_item, items))
        )
        places = [
            Place(row.item, row.cluster_id, row.similarity, row.duplicate_of, row.locked)
            for row in rows
            if row.until is None
        ]
        return places, [to_cluster(row) for row in lost]

    async def set_hero(self, cluster_id: str, hero: Hero | None) -> None:
        await self._connection.execute(
            update(cluster_versions)
            .where(cluster_versions.c.cluster_id == cluster_id)
            .where(cluster_versions.c.until.is_(None))
            .values(**_hero_row(hero))
        )

    async def get(self, scope: str, version: int) -> Version | None:
        found = await self._connection.execute(
            select(versions).where(versions.c.scope == scope, versions.c.version == version)
        )
        row = found.one_or_none()
        return to_version(row) if row else None

    async def newest(self, scope: str) -> Version | None:
        found = await self._connection.execute(
            select(versions)
            .where(versions.c.scope == scope)
            .order_by(versions.c.version.desc())
            .limit(1)
        )
        row = found.one_or_none()
        return to_version(row) if row else None

    async def pin(self, scope: str, version: int, *, pinned: bool) -> None:
        await self._connection.execute(
            update(versions)
            .where(versions.c.scope == scope, versions.c.version == version)
            .values(pinned=pinned)
        )

    async def outdated(self, before: datetime) -> Pruned:
        await self._connection.execute(_TAKE_TIME)
        old = _old(before).cte("old")
        unseen = [
            select(func.count())
            .select_from(table)
            .where(_unseen(table, select(old.c.scope, old.c.version)))
            .scalar_subquery()
            for table in (members, cluster_versions)
        ]
        found = await self._connection.execute(
            select(func.count(), func.array_agg(old.c.state_key), *unseen).select_from(old)
        )
        count, states, places, heads = found.one()
        return Pruned(count, places, heads, _keys(states))

    async def prune(self, before: datetime, limit: int) -> Pruned:
        await self._connection.execute(_TAKE_TIME)
        old = _old(before).limit(limit).subquery()
        key = tuple_(versions.c.scope, versions.c.version)
        gone = await self._connection.execute(
            delete(versions)
            .where(key.in_(select(old.c.scope, old.c.version)))
            .returning(versions.c.state_key)
        )
        states = [row.state_key for row in gone]
        places, heads = [await self._prune(table, limit) for table in (members, cluster_versions)]
        return Pruned(len(states), places, heads, _keys(states))

    async def _prune(self, table: Table, limit: int) -> int:
        key = list(table.primary_key)
        unseen = select(*key).where(_unseen(table)).limit(limit)
        done = await self._connection.execute(delete(table).where(tuple_(*key).in_(unseen)))
        return done.rowcount


def _parameters(version: NewVersion) -> dict[str, Any]:
    state, decision = version.state, version.decision
    return {
        **_columns(version.changes),
        "staged": version.staged or None,
        "scope": state.scope,
        "version": state.version,
        "state_key": state.state_key,
        "version_state_key": state.state_key if state.memory_version == state.version else "",
        "next_key": state.next_key,
        "collection": state.collection,
        "memory_version": state.memory_version,
        "kind": version.kind.value,
        "cause": version.cause,
        "now": version.time,
        "heads": json.dumps([_head(cluster) for cluster in version.clusters]),
        "retired": list(version.retired),
        "deleted": list(version.deleted),
        "merged": json.dumps(dict(version.merged)),
        "diff": json.dumps(asdict(version.diff)),
        "looked_at": version.items,
        "duplicates": version.duplicates,
        "measured": version.kind is not VersionKind.RUN,
        "settled": list(version.settled),
        "departed": list(version.departed),
        "edits": json.dumps([_edit(decision.edit, decision.before)] if decision.edit else []),
        "undone": decision.undone or None,
        "refused": json.dumps([asdict(refusal) for refusal in decision.refused]),
        "accepted": json.dumps([asdict(refusal) for refusal in decision.accepted]),
    }


def _columns(changes: Sequence[Change]) -> dict[str, list[Any]]:
    return {
        "items": [change.item for change in changes],
        "homes": [change.cluster_id for change in changes],
        "similarities": [change.similarity for change in changes],
        "originals": [change.duplicate_of for change in changes],
        "locks": [change.locked for change in changes],
    }


def _edit(edit: Edit, before: Before) -> dict[str, Any]:
    return {
        "id": edit.id,
        "kind": edit.kind,
        "clusters": edit.clusters,
        "item_count": edit.item_count,
        "before": before.to_json(),
    }


def _head(cluster: Cluster) -> dict[str, Any]:
    return {
        "id": cluster.id,
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
        "create_time": cluster.create_time.isoformat(),
        "cohesion": cluster.cohesion,
        **_hero_row(cluster.hero),
    }


def _hero_row(hero: Hero | None) -> dict[str, Any]:
    return {
        "hero_item": hero.item if hero else "",
        "hero_score": hero.score if hero else 0.0,
        "hero_parts": [asdict(part) for part in hero.parts] if hero else [],
    }


def to_version(row: Row[Any]) -> Version:
    """A version from its row."""
    diff = row.diff
    return Version(
        scope=row.scope,
        version=row.version,
        kind=VersionKind(row.kind),
        cause=row.cause,
        create_time=row.create_time,
        pinned=row.pinned,
        items=row.items,
        clustered=row.clustered,
        clusters=row.clusters,
        duplicates=row.duplicates,
        diff=Diff(
            born=tuple(diff.get("born", ())),
            split={id: tuple(parts) for id, parts in diff.get("split", {}).items()},
            merged=diff.get("merged", {}),
            retired=tuple(diff.get("retired", ())),
        ),
        state_key=row.state_key,
    )


def _old(before: datetime) -> Any:
    """The versions that need not be kept: older than that, neither pinned nor the newest one."""
    newest = exists().where(
        scopes.c.scope == versions.c.scope, scopes.c.version == versions.c.version
    )
    later = versions.alias("later")
    remembered = exists().where(
        later.c.scope == versions.c.scope,
        later.c.version > versions.c.version,
        later.c.state_key != "",
    )
    # The next run goes on from the newest memory, however old it is.
    needed = (versions.c.state_key != "") & ~remembered
    return (
        select(versions.c.scope, versions.c.version, versions.c.state_key)
        .where(versions.c.create_time < before, ~versions.c.pinned, ~newest, ~needed)
        .order_by(versions.c.create_time, versions.c.scope, versions.c.version)
    )


def _unseen(table: Table, besides: Any = None) -> ColumnElement[bool]:
    """Whether no kept version shows a row, not counting those ``besides``."""
    seen = exists().where(
        versions.c.scope == table.c.scope,
        versions.c.version >= table.c.since,
        versions.c.version < table.c.until,
    )
    if besides is not None:
        seen = seen.where(tuple_(versions.c.scope, versions.c.version).not_in(besides))
    return table.c.until.is_not(None) & ~seen


def _keys(states: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(sorted({key for key in states or () if key}))
