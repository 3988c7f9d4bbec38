"""Reading for looking closely at clusters, from PostgreSQL."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.cluster import ClusterState, Origin
from services.clustering.domain.generation import GenerationState
from services.clustering.domain.item import ItemState, modality_of
from services.clustering.ports.insights import Face, Placed, Whereabouts
from services.clustering.repository.arrays import among, rows_of
from services.clustering.repository.clusters import in_version
from services.clustering.repository.items import LIVE
from services.clustering.tables import (
    cluster_versions,
    clusters,
    collections,
    item_vectors,
    items,
    members,
    scopes,
)

# So many places in time, with some neighbours each.
_PLACES = 16


class InsightRepository:
    """See ports.insights.Insights."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def central(
        self, scope: str, cluster_id: str, most: int, besides: Collection[str] = ()
    ) -> list[Placed]:
        ranked = _ranked([cluster_id]).subquery()
        chosen = or_(ranked.c.place <= most, ranked.c.item == any_(_texts(besides)))
        return await self._placed(scope, ranked, chosen)

    async def spread(self, scope: str, cluster_ids: Collection[str], most: int) -> list[Placed]:
        ranked = _ranked(cluster_ids).subquery()
        # Each step of ``count / most`` places has one of them.
        step = func.greatest(ranked.c.members, most)
        chosen = ((ranked.c.place - 1) * most) % step < most
        return await self._placed(scope, ranked, chosen)

    async def _placed(self, scope: str, ranked: Any, chosen: Any) -> list[Placed]:
        found = await self._connection.execute(
            select(
                ranked.c.cluster_id,
                ranked.c.item,
                ranked.c.members,
                ranked.c.similarity,
                ranked.c.duplicate_of,
                items.c.point_id,
                items.c.quality,
                items.c.sharpness,
                items.c.exposure,
                items.c.pixels,
                items.c.create_time,
                collections.c.name.label("collection"),
                collections.c.scene_threshold.label("scene"),
            )
            .join_from(ranked, items, and_(items.c.name == ranked.c.item, LIVE))
            .join(item_vectors, item_vectors.c.item == items.c.name)
            .join(collections, collections.c.name == item_vectors.c.collection)
            .where(item_vectors.c.state == ItemState.READY)
            .where(collections.c.state == GenerationState.ACTIVE)
            .where(collections.c.modality == modality_of(scope).value)
            .where(chosen)
            .order_by(ranked.c.cluster_id, ranked.c.place)
        )
        return [Placed(**row._mapping) for row in found]

    async def faces(self, scope: str, besides: str, most: int) -> list[Face]:
        found = await self._connection.execute(
            select(clusters.c.id, clusters.c.title, items.c.point_id)
            .join_from(clusters, cluster_versions)
            .join(items, items.c.name == cluster_versions.c.hero_item)
            .where(clusters.c.scope == scope, clusters.c.id != besides)
            .where(clusters.c.state != ClusterState.RETIRED, ~clusters.c.merge_pinned)
            .where(cluster_versions.c.until.is_(None))
            .order_by(cluster_versions.c.member_count.desc(), clusters.c.id)
            .limit(most)
        )
        return [Face(row.id, row.title, row.point_id) for row in found]

    async def sample(self, scope: str, most: int) -> list[str]:
        here = and_(items.c.scope == scope, LIVE)
        found = await self._connection.execute(
            select(
                func.min(items.c.name).label("first"), func.max(items.c.name).label("last")
            ).where(here)
        )
        ends = found.one()
        if ends.first is None:
            return []
        pivots = rows_of("pivots", [items.c.name], ((n,) for n in _between(ends.first, ends.last)))
        near = (
            select(items.c.point_id)
            .where(here, items.c.name >= pivots.c.name)
            .order_by(items.c.name)
            .limit(max(most // _PLACES, 1))
            .lateral()
        )
        sampled = await self._connection.execute(
            select(near.c.point_id).distinct().join_from(pivots, near, literal(True))
        )
        return sorted(sampled.scalars())

    async def whereabouts(self, item: str) -> Whereabouts | None:
        now, then = members.alias("now"), members.alias("then")
        home = clusters.alias("home")
        here = and_(now.c.item == items.c.name, now.c.scope == items.c.scope)
        counted = and_(then.c.item == items.c.name, then.c.scope == items.c.scope)
        known = in_version(then, scopes.c.memory_version)
        found = await self._connection.execute(
            select(
                items.c.point_id,
                func.coalesce(scopes.c.version, 0).label("version"),
                func.coalesce(scopes.c.state_key, "").label("state_key"),
                func.coalesce(scopes.c.collection, "").label("collection"),
                now.c.cluster_id,
                func.coalesce(now.c.locked, False).label("locked"),
                func.coalesce(home.c.key, "").label("counted_in"),
            )
            .select_from(items)
            .outerjoin(scopes, scopes.c.scope == items.c.scope)
            .outerjoin(now, and_(here, now.c.until.is_(None)))
            .outerjoin(then, and_(counted, known, then.c.duplicate_of == ""))
            .outerjoin(home, and_(home.c.id == then.c.cluster_id, home.c.origin == Origin.FOUND))
            .where(items.c.name == item, LIVE)
        )
        row = found.one_or_none()
        return Whereabouts(**row._mapping) if row else None


def _between(first: str, last: str) -> list[str]:
    """Names of photos at even distances; their ids grow with time."""
    head = first.rpartition("/")[0]
    start, end = (UUID(name.rpartition("/")[2]).int for name in (first, last))
    step = (end - start) // _PLACES
    return [f"{head}/{UUID(int=start + number * step)}" for number in range(_PLACES)]


def _ranked(cluster_ids: Collection[str]) -> Any:
    """The members of clusters with their places and how many there are."""
    own = members.c.cluster_id
    order = (members.c.similarity.desc().nulls_last(), members.c.item)
    return select(
        members.c.cluster_id,
        members.c.item,
        members.c.similarity,
        members.c.duplicate_of,
        func.row_number().over(partition_by=own, order_by=order).label("place"),
        func.count().over(partition_by=own).label("members"),
    ).where(among(members.c.cluster_id, cluster_ids), members.c.until.is_(None))


def _texts(values: Collection[str]) -> Any:
    return literal(list(values), ARRAY(Text))
