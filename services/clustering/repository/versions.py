"""Writing and correcting the versions of clusters in PostgreSQL. Nothing else changes them."""

import json
from collections.abc import Collection, Mapping, Sequence
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
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.cluster import Cluster, Hero
from services.clustering.domain.edit import Before, Edit
from services.clustering.domain.history import (
    Change,
    Diff,
    Moved,
    NewVersion,
    Pruned,
    Version,
    VersionKind,
)
from services.clustering.domain.run import ACTIVE
from services.clustering.repository.arrays import among, rows_of
from services.clustering.repository.clusters import SHOWN, is_closed, to_cluster
from services.clustering.repository.erasing_statements import (
    ERASE,
    FREE_COPIES,
    RECOUNT,
    REPLACE_HEROES,
)
from services.clustering.repository.scene_statements import MOVED
from services.clustering.repository.version_statements import (
    LEFT_STAGED,
    STAGE,
    UNSTAGE,
    WRITE,
    WRITE_STAGED,
)
from services.clustering.tables import (
    cluster_versions,
    clusters,
    members,
    runs,
    scopes,
    staged_members,
    versions,
)

# A whole library at once takes longer than other statements are allowed to.
TAKE_TIME = text("SET LOCAL statement_timeout = '20min'")
# Changes that may be too many for the time that statements have.
_MANY = 5_000


class VersionRepository:
    """See ports.Versions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def write(self, version: NewVersion) -> dict[str, Cluster]:
        statement = WRITE_STAGED if version.staged else WRITE
        if version.staged or len(version.changes) > _MANY:
            await self._connection.execute(TAKE_TIME)
        shown = await self._connection.execute(statement, _parameters(version))
        return {row.id: to_cluster(row) for row in shown}

    async def stage(self, run_id: str, changes: Sequence[Change]) -> None:
        await self._connection.execute(STAGE, {"run": run_id, **_columns(changes)})

    async def unstage(self, run_id: str) -> None:
        await self._connection.execute(TAKE_TIME)
        await self._connection.execute(UNSTAGE, {"run": run_id})

    async def moved(self, scope: str, after: int) -> list[Moved]:
        found = await self._connection.execute(MOVED, {"scope": scope, "after": after})
        return [Moved(row.item, row.before, row.now) for row in found]

    async def drop(self, scope: str, items: Sequence[str]) -> list[Cluster]:
        gone = {"scope": scope, "items": list(items)}
        touched: dict[str, int] = {}
        for row in await self._connection.execute(ERASE, gone):
            touched[row.cluster_id] = min(row.since, touched.get(row.cluster_id, row.since))
        await self._connection.execute(FREE_COPIES, {**gone, "clusters": [*touched]})
        if not touched:
            return []
        ids = {"clusters": [*touched], "items": list(items)}
        await self._connection.execute(RECOUNT, {**ids, "since": [*touched.values()]})
        await self._connection.execute(REPLACE_HEROES, ids)
        lost = await self._connection.execute(
            select(*SHOWN)
            .join_from(clusters, cluster_versions)
            .join(scopes, scopes.c.scope == clusters.c.scope)
            .where(cluster_versions.c.until.is_(None), among(clusters.c.id, touched))
            .where(among(cluster_versions.c.hero_item, items))
        )
        return [to_cluster(row) for row in lost]

    async def outdate(self, scopes_: Collection[str]) -> None:
        first = insert(scopes).values(
            [{"scope": scope, "erasures": 1} for scope in sorted(scopes_)]
        )
        await self._connection.execute(
            first.on_conflict_do_update(
                index_elements=["scope"], set_={"erasures": scopes.c.erasures + 1}
            )
        )

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

    async def free_titles(self, cluster_ids: Sequence[str]) -> None:
        await self._connection.execute(
            update(clusters).where(among(clusters.c.id, cluster_ids)).values(title_pinned=False)
        )

    async def left_staged(self) -> list[str]:
        found = await self._connection.execute(LEFT_STAGED, {"active": [*ACTIVE]})
        return [row.run_id for row in found]

    async def unstage_some(self, run_id: str, limit: int) -> int:
        own = staged_members.c.run_id == run_id
        some = select(staged_members.c.item).where(own).limit(limit)
        done = await self._connection.execute(
            delete(staged_members).where(own, staged_members.c.item.in_(some))
        )
        return done.rowcount

    async def old_memories(self, scope: str, limit: int) -> list[str]:
        statement = (
            select(versions.c.state_key)
            .join(scopes, scopes.c.scope == versions.c.scope)
            .where(versions.c.state_key != "", versions.c.state_key != scopes.c.state_key)
            .limit(limit)
        )
        if scope:
            statement = statement.where(versions.c.scope == scope)
        return list((await self._connection.execute(statement)).scalars())

    async def forget_memories(self, keys: Sequence[str]) -> None:
        await self._connection.execute(
            update(versions)
            .where(versions.c.state_key != "", among(versions.c.state_key, keys))
            .values(state_key="")
        )

    async def unclaimed(self, blobs: Mapping[str, str]) -> list[str]:
        given = rows_of("given", (versions.c.state_key, runs.c.id), blobs.items())
        working = exists().where(runs.c.id == given.c.id, runs.c.state.in_(ACTIVE))
        shown = exists().where(versions.c.state_key == given.c.state_key)
        newest = exists().where(scopes.c.state_key == given.c.state_key)
        found = await self._connection.execute(
            select(given.c.state_key).where(~working, ~shown, ~newest)
        )
        return list(found.scalars())

    async def outdated(self, before: datetime) -> Pruned:
        await self._connection.execute(TAKE_TIME)
        old = _old(before).cte("old")
        unseen = [
            select(func.count())
            .select_from(table)
            .where(_unseen(table, select(old.c.scope, old.c.version)))
            .scalar_subquery()
            for table in (members, cluster_versions)
        ]
        found = await self._connection.execute(select(func.count(), *unseen).select_from(old))
        return Pruned(*found.one())

    async def prunable(self, before: datetime, after: str, limit: int) -> list[str]:
        await self._connection.execute(TAKE_TIME)
        old = _old(before).where(versions.c.scope == scopes.c.scope).correlate(scopes)
        unseen = [
            exists().where(table.c.scope == scopes.c.scope, _unseen(table))
            for table in (members, cluster_versions)
        ]
        found = await self._connection.execute(
            select(scopes.c.scope)
            .where(scopes.c.scope > after, or_(old.exists(), *unseen))
            .order_by(scopes.c.scope)
            .limit(limit)
        )
        return list(found.scalars())

    async def prune(self, scope: str, before: datetime, limit: int) -> Pruned:
        await self._connection.execute(TAKE_TIME)
        old = _old(before).where(versions.c.scope == scope).limit(limit).subquery()
        gone = await self._connection.execute(
            delete(versions)
            .where(versions.c.scope == scope, versions.c.version.in_(select(old.c.version)))
            # One whose memory is still there is what leads to that.
            .where(~versions.c.pinned, versions.c.state_key == "")
        )
        places, heads = [
            await self._prune(table, scope, limit) for table in (members, cluster_versions)
        ]
        return Pruned(gone.rowcount, places, heads)

    async def _prune(self, table: Table, scope: str, limit: int) -> int:
        key = list(table.primary_key)
        unseen = select(*key).where(table.c.scope == scope, _unseen(table)).limit(limit)
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
    known = scopes.alias("known")
    # The next run asks what moved since the version that the memory knows, however old that is.
    needed = exists().where(
        known.c.scope == versions.c.scope,
        or_(known.c.version == versions.c.version, known.c.memory_version == versions.c.version),
    )
    return (
        select(versions.c.scope, versions.c.version)
        .where(versions.c.create_time < before, ~versions.c.pinned, ~needed)
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
    return is_closed(table) & ~seen
