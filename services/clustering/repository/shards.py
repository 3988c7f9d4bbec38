"""Shards of large runs, and where their items ended, in PostgreSQL.

Points and places go in and out in binary: a run of a million items makes no million objects.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import numpy as np
import psycopg
from sqlalchemy import exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.lease import acquire, free, held, release, renew
from libs.lease import Lease, LeaseLost
from services.clustering.algorithms.linkage import Doubles, Indices
from services.clustering.algorithms.shards import Ids, ids_in
from services.clustering.domain.carrying import Overlap, Standing
from services.clustering.domain.run import ACTIVE
from services.clustering.domain.shard import Placed, Progress, Shard, ShardState, Spot
from services.clustering.tables import fitted_texts, placements, runs, shards

_LEAST_ID = "00000000-0000-0000-0000-000000000000"
# Statements over a whole scope take longer than those of a request may.
_PATIENTLY = text("SET LOCAL statement_timeout = '600s'")

# One look for each item: without statistics, as after a large import, a join may go wrong badly.
_IDS = text(
    """
    SELECT string_agg(uuid_send(point_id), ''::bytea ORDER BY point_id) AS ids
    FROM (
        SELECT items.point_id
        FROM clustering.items
        CROSS JOIN LATERAL (
            SELECT state
            FROM clustering.item_vectors
            WHERE item = items.name AND collection = :collection
            LIMIT 1
        ) AS standing
        WHERE items.scope = :scope AND items.state = 'live' AND standing.state = 'ready'
          AND items.point_id >= CAST(:first AS uuid)
          AND (:last = '' OR items.point_id < CAST(nullif(:last, '') AS uuid))
          AND NOT EXISTS (
              SELECT FROM clustering.placements
              WHERE run_id = CAST(:run_id AS uuid) AND point_id = items.point_id
                AND copy_of IS NOT NULL
          )
        ORDER BY items.point_id
        LIMIT CAST(:limit AS bigint)
    ) AS points
    """
)
_NOTE_COPIES = text(
    """
    INSERT INTO clustering.placements (run_id, point_id, copy_of)
    SELECT DISTINCT ON (later) CAST(:run_id AS uuid), later, earlier
    FROM (
        SELECT greatest(one.point_id, other.point_id) AS later,
               least(one.point_id, other.point_id) AS earlier
        FROM clustering.near_pairs AS near
        JOIN clustering.items AS one ON one.name = near.first AND one.state = 'live'
        JOIN clustering.items AS other ON other.name = near.second AND other.state = 'live'
        WHERE near.collection = :collection AND near.scope = :scope AND near.score >= :cosine
    ) AS pairs
    ORDER BY later, earlier
    """
)
# Without a look at whether they are ready: what is replaced between this and the look at the points
# has another text in the end.
_NOTE_TEXTS = text(
    """
    INSERT INTO clustering.fitted_texts (run_id, item, text_hash)
    SELECT CAST(:run_id AS uuid), items.name, standing.text_hash
    FROM clustering.items
    CROSS JOIN LATERAL (
        SELECT text_hash
        FROM clustering.item_vectors
        WHERE item = items.name AND collection = :collection
        LIMIT 1
    ) AS standing
    WHERE items.scope = :scope AND items.state = 'live'
      AND items.point_id >= CAST(:first AS uuid)
      AND (:last = '' OR items.point_id < CAST(nullif(:last, '') AS uuid))
    -- Looked at once more, a shard may have the vectors of the first look.
    ON CONFLICT DO NOTHING
    """
)
# What runs were told of, does not count as grouped any more; what waits and does, has its vector.
_NOTE_CHANGES = text(
    """
    UPDATE clustering.fitted_texts AS fitted
    SET changed = NOT now.steady
    FROM (
        SELECT noted.item, coalesce(
            standing.text_hash = noted.text_hash
            AND (standing.state = 'ready' OR standing.grouped), false
        ) AS steady
        FROM clustering.fitted_texts AS noted
        LEFT JOIN clustering.item_vectors AS standing
          ON standing.item = noted.item AND standing.collection = :collection
        WHERE noted.run_id = CAST(:run_id AS uuid)
    ) AS now
    WHERE fitted.run_id = CAST(:run_id AS uuid) AND fitted.item = now.item
      AND fitted.changed = now.steady
    """
)
# The items whose places hold: what is gone has none, and what is another text by now waits for one.
_THERE = """(
        SELECT name, point_id FROM clustering.items
        WHERE state = 'live' AND NOT EXISTS (
            SELECT FROM clustering.fitted_texts
            WHERE run_id = CAST(:run_id AS uuid) AND item = items.name AND changed
        )
    )"""
# Each round halves the length of the chains from copy to copy.
_SHORTEN = text(
    """
    UPDATE clustering.placements AS copy
    SET copy_of = next.copy_of
    FROM clustering.placements AS next
    WHERE copy.run_id = CAST(:run_id AS uuid) AND next.run_id = copy.run_id
      AND copy.copy_of = next.point_id AND next.copy_of IS NOT NULL
    """
)
_FOLLOW = text(
    """
    UPDATE clustering.placements AS copy
    SET label = leader.label, similarity = leader.similarity
    FROM clustering.placements AS leader
    WHERE copy.run_id = CAST(:run_id AS uuid) AND leader.run_id = copy.run_id
      AND copy.copy_of = leader.point_id
    """
)
_OVERLAPS = text(
    """
    SELECT placements.label, clusters.id, count(*) AS common
    FROM clustering.placements
    JOIN clustering.items USING (point_id)
    JOIN clustering.members
      ON members.scope = :scope AND members.item = items.name AND members.until IS NULL
    JOIN clustering.clusters
      ON clusters.id = members.cluster_id AND clusters.origin = 'found'
    WHERE placements.run_id = CAST(:run_id AS uuid) AND placements.label >= 0
    GROUP BY placements.label, clusters.id
    ORDER BY placements.label, clusters.id
    """
)
_STANDING = text(
    """
    SELECT clusters.id, clusters.key, count(*) AS size
    FROM clustering.members
    JOIN clustering.clusters ON clusters.id = members.cluster_id AND clusters.origin = 'found'
    WHERE members.scope = :scope AND members.until IS NULL
    GROUP BY clusters.id
    """
)
_CENTRAL = text(
    f"""
    SELECT label, name, similarity
    FROM (
        SELECT placements.label, items.name, placements.similarity,
               row_number() OVER (
                   PARTITION BY placements.label ORDER BY placements.similarity DESC, items.name
               ) AS place
        FROM clustering.placements
        JOIN {_THERE} AS items USING (point_id)
        WHERE placements.run_id = CAST(:run_id AS uuid) AND placements.label >= 0
          AND placements.copy_of IS NULL
    ) AS ranked
    WHERE place <= :limit
    ORDER BY label, place
    """
)
_OF_ITEMS = text(
    f"""
    SELECT placements.label, items.name, placements.similarity
    FROM clustering.placements
    JOIN {_THERE} AS items USING (point_id)
    WHERE placements.run_id = CAST(:run_id AS uuid) AND placements.label >= 0
      AND items.name = ANY(CAST(:names AS text[]))
    """
)
_SPOTS = text(
    f"""
    SELECT CAST(placements.point_id AS text) AS point_id, coalesce(items.name, '') AS item,
           placements.label, copy_of IS NOT NULL AS copy,
           copy_of IS NOT NULL AND leaders.name IS NULL AS freed
    FROM clustering.placements
    LEFT JOIN {_THERE} AS items ON items.point_id = placements.point_id
    LEFT JOIN {_THERE} AS leaders ON leaders.point_id = placements.copy_of
    WHERE placements.run_id = CAST(:run_id AS uuid)
      AND (items.name IS NULL OR items.name = ANY(CAST(:names AS text[]))
           OR (copy_of IS NOT NULL AND leaders.name IS NULL))
    ORDER BY placements.point_id
    """
)
_STAGE = f"""
    INSERT INTO clustering.staged_members
        (run_id, item, cluster_id, similarity, duplicate_of, locked)
    SELECT placements.run_id, items.name, given.id,
           CASE WHEN given.id IS NOT NULL THEN placements.similarity END,
           coalesce(leaders.name, ''), false
    FROM clustering.placements
    JOIN {_THERE} AS items ON items.point_id = placements.point_id
    LEFT JOIN {_THERE} AS leaders ON leaders.point_id = placements.copy_of
    LEFT JOIN unnest(CAST(:labels AS integer[]), CAST(:ids AS uuid[])) AS given (label, id)
      ON given.label = placements.label
    WHERE placements.run_id = CAST(:run_id AS uuid)
"""

# How COPY takes rows in binary: a header, rows of fields that each have their length, an end.
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("run_length", ">i4"),
        ("run_id", "V16"),
        ("id_length", ">i4"),
        ("id", "V16"),
        ("label_length", ">i4"),
        ("label", ">i4"),
        ("similarity_length", ">i4"),
        ("similarity", ">f4"),
    ]
)
_COPY = (
    "COPY clustering.placements (run_id, point_id, label, similarity) FROM STDIN (FORMAT BINARY)"
)


_OF_RUNS = (shards, placements, fitted_texts)


class ShardRepository:
    """See ports.Shards."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def ids(
        self, run_id: str, scope: str, collection: str, first: str, last: str, limit: int | None
    ) -> Ids:
        await self._connection.execute(_PATIENTLY)
        found = await self._connection.execute(
            _IDS.bindparams(
                run_id=run_id,
                scope=scope,
                collection=collection,
                first=first or _LEAST_ID,
                last=last,
                limit=limit,
            )
        )
        return ids_in(found.scalar_one() or b"")

    async def add(self, new: Sequence[Shard], fence: int) -> None:
        await self._connection.execute(shards.delete().where(shards.c.run_id == new[0].run_id))
        # Leases of an earlier attempt have lower tokens, so none of them covers these.
        await self._connection.execute(
            insert(shards), [_row(shard) | {"lease_token": fence << 20} for shard in new]
        )

    async def tell(self, run_id: str, recipes: Sequence[str], outcome: str) -> None:
        await self._connection.execute(
            update(shards)
            .where(shards.c.run_id == run_id)
            .values(recipes=list(recipes), outcome=outcome, state=ShardState.WAITING, attempt=0)
        )

    async def redo(self, run_id: str, number: int) -> None:
        await self._connection.execute(
            update(shards)
            .where(shards.c.run_id == run_id, shards.c.number == number)
            .values(state=ShardState.WAITING, result="")
        )

    async def take(self, run_id: str, owner: str, max_attempts: int) -> tuple[Shard, Lease] | None:
        waits = (shards.c.run_id == run_id) & (shards.c.state == ShardState.WAITING)
        next_ = (
            select(shards.c.number)
            .where(waits, free(shards), shards.c.attempt < max_attempts)
            .order_by(shards.c.number)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        number = (await self._connection.execute(next_)).scalar_one_or_none()
        if number is None:
            return None
        row = waits & (shards.c.number == number)
        lease = await acquire(self._connection, shards, row, owner, attempt=shards.c.attempt + 1)
        if lease is None:
            return None
        found = await self._connection.execute(select(shards).where(row))
        return _shard(found.one()), lease

    async def renew(self, shard: Shard, lease: Lease) -> None:
        await renew(self._connection, shards, _this(shard), lease)

    async def end(self, shard: Shard, lease: Lease, result: str) -> None:
        await release(
            self._connection, shards, _this(shard), lease, state=ShardState.DONE, result=result
        )

    async def put_back(self, shard: Shard, lease: Lease, delay: timedelta) -> None:
        # An expiry without an owner: nobody takes it before that.
        done = await self._connection.execute(
            update(shards)
            .where(_this(shard), held(shards, lease))
            .values(lease_owner=None, lease_expire_time=func.clock_timestamp() + delay)
        )
        if done.rowcount == 0:
            raise LeaseLost(f"{lease.owner} lost its lease {lease.token}")

    async def of_run(self, run_id: str) -> list[Shard]:
        found = await self._connection.execute(
            select(shards).where(shards.c.run_id == run_id).order_by(shards.c.number)
        )
        return [_shard(row) for row in found]

    async def progress(self, run_id: str) -> Progress:
        done = shards.c.state == ShardState.DONE
        # Who is at work on its last attempt may still succeed.
        stuck = (shards.c.state == ShardState.WAITING) & free(shards)
        found = await self._connection.execute(
            select(
                func.count().filter(done).label("done"),
                func.count().label("total"),
                func.coalesce(func.sum(shards.c["items"]).filter(done), 0).label("items"),
                func.coalesce(func.max(shards.c.attempt).filter(stuck), 0).label("attempts"),
            ).where(shards.c.run_id == run_id)
        )
        row = found.one()
        return Progress(row.done, row.total, row.items, row.attempts)

    async def waiting(self) -> list[str]:
        found = await self._connection.execute(
            select(shards.c.run_id)
            .join_from(shards, runs, runs.c.id == shards.c.run_id)
            .where(shards.c.state == ShardState.WAITING, free(shards), runs.c.state.in_(ACTIVE))
            .distinct()
        )
        return [row.run_id for row in found]

    async def left(self) -> list[tuple[str, str]]:
        there = [exists().where(table.c.run_id == runs.c.id) for table in _OF_RUNS]
        found = await self._connection.execute(
            select(runs.c.scope, runs.c.id).where(runs.c.state.not_in(ACTIVE), or_(*there))
        )
        return [(row.scope, row.id) for row in found]

    async def forget(self, run_id: str) -> None:
        await self._connection.execute(_PATIENTLY)
        for table in _OF_RUNS:
            await self._connection.execute(table.delete().where(table.c.run_id == run_id))


class PlacementRepository:
    """See ports.Placements; ``whole`` is the connection that the transaction has of SQLAlchemy."""

    def __init__(self, connection: AsyncConnection, whole: Callable[[], AsyncConnection]) -> None:
        self._connection = connection
        self._whole = whole

    async def clear(self, run_id: str) -> None:
        await self._connection.execute(_PATIENTLY)
        for table in (placements, fitted_texts):
            await self._connection.execute(table.delete().where(table.c.run_id == run_id))

    async def note_texts(
        self, run_id: str, scope: str, collection: str, first: str, last: str
    ) -> None:
        await self._connection.execute(_PATIENTLY)
        await self._connection.execute(
            _NOTE_TEXTS.bindparams(
                run_id=run_id,
                scope=scope,
                collection=collection,
                first=first or _LEAST_ID,
                last=last,
            )
        )

    async def note_changes(self, run_id: str, collection: str) -> None:
        await self._connection.execute(_PATIENTLY)
        await self._connection.execute(
            _NOTE_CHANGES.bindparams(run_id=run_id, collection=collection)
        )

    async def note_copies(self, run_id: str, scope: str, collection: str, cosine: float) -> int:
        await self._connection.execute(_PATIENTLY)
        noted = await self._connection.execute(
            _NOTE_COPIES.bindparams(
                run_id=run_id, scope=scope, collection=collection, cosine=cosine
            )
        )
        return int(noted.rowcount)

    async def add(self, run_id: str, ids: Ids, labels: Indices, similarities: Doubles) -> None:
        rows = np.empty(len(ids), dtype=_ROW)
        rows["fields"] = 4
        rows["run_length"] = rows["id_length"] = 16
        rows["run_id"] = np.void(UUID(run_id).bytes)
        rows["id"] = np.frombuffer(ids.tobytes(), dtype="V16")
        rows["label_length"] = rows["similarity_length"] = 4
        rows["label"], rows["similarity"] = labels, similarities
        raw = await self._whole().get_raw_connection()
        driver = cast("psycopg.AsyncConnection[Any]", raw.driver_connection)
        async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            await copy.write(_HEADER)
            await copy.write(rows.tobytes())
            await copy.write(_END)

    async def follow_copies(self, run_id: str) -> None:
        await self._connection.execute(_PATIENTLY)
        await self._connection.execute(text("ANALYZE clustering.placements"))
        while (await self._connection.execute(_SHORTEN.bindparams(run_id=run_id))).rowcount:
            pass
        await self._connection.execute(_FOLLOW.bindparams(run_id=run_id))

    async def sizes(self, run_id: str) -> dict[int, int]:
        await self._connection.execute(_PATIENTLY)
        found = await self._connection.execute(
            select(placements.c.label, func.count().label("items"))
            .where(placements.c.run_id == run_id)
            .group_by(placements.c.label)
        )
        return {row.label: row.items for row in found}

    async def closeness(self, run_id: str) -> dict[int, tuple[int, float]]:
        found = await self._connection.execute(
            select(
                placements.c.label,
                func.count().label("items"),
                func.avg(placements.c.similarity).label("mean"),
            )
            .where(placements.c.run_id == run_id, placements.c.label >= 0)
            .group_by(placements.c.label)
        )
        return {row.label: (row[1], row.mean) for row in found}

    async def overlaps(self, run_id: str, scope: str) -> list[Overlap]:
        await self._connection.execute(_PATIENTLY)
        found = await self._connection.execute(_OVERLAPS.bindparams(run_id=run_id, scope=scope))
        return [Overlap(row.label, str(row.id), row.common) for row in found]

    async def standing(self, scope: str) -> list[Standing]:
        await self._connection.execute(_PATIENTLY)
        found = await self._connection.execute(_STANDING.bindparams(scope=scope))
        return [Standing(str(row.id), row.key, row.size) for row in found]

    async def central(self, run_id: str, limit: int) -> list[Placed]:
        await self._connection.execute(_PATIENTLY)
        found = await self._connection.execute(_CENTRAL.bindparams(run_id=run_id, limit=limit))
        return [Placed(row.label, row.name, row.similarity) for row in found]

    async def of_items(self, run_id: str, names: Collection[str]) -> list[Placed]:
        found = await self._connection.execute(
            _OF_ITEMS.bindparams(run_id=run_id, names=sorted(names))
        )
        return [Placed(row.label, row.name, row.similarity) for row in found]

    async def spots(self, run_id: str, names: Collection[str]) -> list[Spot]:
        await self._connection.execute(_PATIENTLY)
        found = await self._connection.execute(
            _SPOTS.bindparams(run_id=run_id, names=sorted(names))
        )
        return [Spot(row.point_id, row.item, row.label, row.copy, row.freed) for row in found]

    async def stage(self, run_id: str, groups: Mapping[int, str]) -> None:
        await self._connection.execute(_PATIENTLY)
        labels = list(groups)
        await self._connection.execute(
            text(_STAGE).bindparams(run_id=run_id, labels=labels, ids=list(groups.values()))
        )


def _this(shard: Shard) -> Any:
    return (shards.c.run_id == shard.run_id) & (shards.c.number == shard.number)


def _row(shard: Shard) -> dict[str, Any]:
    return {
        "run_id": shard.run_id,
        "number": shard.number,
        "scope": shard.scope,
        "collection": shard.collection,
        "first": shard.first,
        "last": shard.last,
        "items": shard.items,
        "recipes": list(shard.recipes),
        "outcome": shard.outcome,
        "result": shard.result,
        "state": shard.state,
    }


def _shard(row: Any) -> Shard:
    return Shard(
        run_id=row.run_id,
        number=row.number,
        scope=row.scope,
        collection=row.collection,
        first=row.first,
        last=row.last,
        items=row.items,
        recipes=tuple(row.recipes),
        outcome=row.outcome,
        result=row.result,
        state=ShardState(row.state),
        attempt=row.attempt,
    )
