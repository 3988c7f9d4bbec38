"""Clusters, their versions and members, in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    Hero,
    HeroPart,
    Member,
    Origin,
    ScopeState,
)
from services.clustering.domain.generation import GenerationState
from services.clustering.domain.item import ItemState
from services.clustering.repository.arrays import among
from services.clustering.tables import (
    cluster_pillars,
    cluster_versions,
    clusters,
    collections,
    item_vectors,
    members,
    scopes,
)

SHOWN = (
    *clusters.c,
    cluster_versions.c.version,
    cluster_versions.c.member_count,
    cluster_versions.c.cohesion,
    cluster_versions.c.hero_item,
    cluster_versions.c.hero_score,
    cluster_versions.c.hero_parts,
)


class ClusterRepository:
    """See ports.Clusters."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, scope: str, cluster_id: str) -> Cluster | None:
        found = await self._connection.execute(
            select(*SHOWN)
            .outerjoin_from(clusters, cluster_versions)
            .where(clusters.c.id == cluster_id, clusters.c.scope == scope)
            .order_by(cluster_versions.c.version.desc())
            .limit(1)
        )
        row = found.one_or_none()
        return to_cluster(row) if row else None

    async def list(
        self, scope: str, version: int, page: PageRequest, conditions: Sequence[Condition] = ()
    ) -> Page[Cluster]:
        place = tuple_(-cluster_versions.c.member_count, cluster_versions.c.cluster_id)
        statement = (
            select(*SHOWN)
            .join_from(clusters, cluster_versions)
            .where(cluster_versions.c.scope == scope, cluster_versions.c.version == version)
            # Retired ones too: a later version may retire some between two pages of this one.
            .where(~clusters.c.merge_pinned, *map(_where, conditions))
            .order_by(cluster_versions.c.member_count.desc(), cluster_versions.c.cluster_id)
            .limit(page.size + 1)
        )
        if not any(condition.field == "state" for condition in conditions):
            statement = statement.where(clusters.c.state != ClusterState.ARCHIVED)
        if page.after:
            count, cluster_id = page.after
            after = tuple_(-int(count), literal(cluster_id, clusters.c.id.type))
            statement = statement.where(place > after)
        found = [to_cluster(row) for row in await self._connection.execute(statement)]
        if len(found) <= page.size:
            return Page(found)
        last = found[page.size - 1]
        return Page(found[: page.size], (last.member_count, last.id))

    async def members(self, cluster_id: str, version: int, page: PageRequest) -> Page[Member]:
        statement = _members_of(cluster_id, version).limit(page.size + 1)
        if page.after:
            position, item = page.after
            after = tuple_(int(position), str(item))
            statement = statement.where(tuple_(members.c.position, members.c.item) > after)
        found = [to_member(row) for row in await self._connection.execute(statement)]
        if len(found) <= page.size:
            return Page(found)
        last = found[page.size - 1]
        return Page(found[: page.size], (last.position, last.item))

    async def all_members(self, cluster_id: str, version: int) -> Sequence[Member]:
        found = await self._connection.execute(_members_of(cluster_id, version))
        return [to_member(row) for row in found]

    async def scope(self, scope: str) -> ScopeState:
        found = await self._connection.execute(select(scopes).where(scopes.c.scope == scope))
        row = found.one_or_none()
        return to_scope(row) if row else ScopeState(scope)

    async def by_keys(self, scope: str, keys: Sequence[str]) -> dict[str, Cluster]:
        found = await self._connection.execute(
            select(*SHOWN)
            .outerjoin_from(clusters, cluster_versions)
            .where(clusters.c.scope == scope, among(clusters.c.key, keys))
            .ext(distinct_on(clusters.c.id))
            .order_by(clusters.c.id, cluster_versions.c.version.desc())
        )
        return {row.key: to_cluster(row) for row in found}

    async def member_sets(self, scope: str, version: int) -> dict[str, tuple[str, ...]]:
        found = await self._connection.execute(
            select(clusters.c.key, func.array_agg(members.c.item).label("names"))
            .join_from(members, clusters)
            .where(members.c.scope == scope, members.c.version == version)
            .where(clusters.c.origin == Origin.FOUND)
            .group_by(clusters.c.key)
        )
        return {row.key: tuple(row.names) for row in found}

    async def totals(self, scope: str, version: int) -> tuple[int, int]:
        shown = (
            select(func.count())
            .select_from(cluster_versions)
            .join(clusters)
            .where(cluster_versions.c.scope == scope, cluster_versions.c.version == version)
            .where(~clusters.c.merge_pinned)
        )
        placed = (
            select(func.count())
            .select_from(members)
            .join(item_vectors, item_vectors.c.item == members.c.item)
            .join(collections, collections.c.name == item_vectors.c.collection)
            .where(members.c.scope == scope, members.c.version == version)
            .where(item_vectors.c.state == ItemState.READY)
            .where(collections.c.state == GenerationState.ACTIVE)
        )
        found = await self._connection.execute(
            select(shown.scalar_subquery().label("shown"), placed.scalar_subquery().label("placed"))
        )
        row = found.one()
        return row.shown, row.placed


def _where(condition: Condition) -> ColumnElement[bool]:
    if condition.field == "pillar":
        assigned: ColumnElement[bool] = exists().where(
            cluster_pillars.c.cluster_id == clusters.c.id,
            cluster_pillars.c.pillar == condition.value,
        )
        return assigned if condition.op == "=" else ~assigned
    column = clusters.c[condition.field]
    return column == condition.value if condition.op == "=" else column != condition.value


def _members_of(cluster_id: str, version: int) -> Select[Any]:
    return (
        select(members)
        .where(members.c.cluster_id == cluster_id, members.c.version == version)
        .order_by(members.c.position, members.c.item)
    )


def to_scope(row: Row[Any]) -> ScopeState:
    """What is remembered of a scope, from its row."""
    return ScopeState(row.scope, row.version, row.state_key, row.next_key, row.collection)


def to_cluster(row: Row[Any]) -> Cluster:
    """A cluster from its row, with its version where the row has one."""
    cluster = Cluster(
        id=row.id,
        scope=row.scope,
        key=row.key,
        title=row.title,
        create_time=row.create_time,
        update_time=row.update_time,
        summary=row.summary,
        prompt_hint=row.prompt_hint,
        title_pinned=row.title_pinned,
        state=ClusterState(row.state),
        origin=Origin(row.origin),
        merged_into=row.merged_into,
        merge_pinned=row.merge_pinned,
        pinned_hero=row.pinned_hero,
        row_version=row.row_version,
    )
    if getattr(row, "version", None) is None:
        return cluster
    parts = tuple(HeroPart(**part) for part in row.hero_parts)
    pinned = row.hero_item == row.pinned_hero
    return replace(
        cluster,
        version=row.version,
        member_count=row.member_count,
        cohesion=row.cohesion,
        hero=Hero(row.hero_item, row.hero_score, parts, pinned) if row.hero_item else None,
    )


def to_member(row: Row[Any]) -> Member:
    """A member from its row."""
    return Member(row.item, row.similarity, row.position, row.duplicate_of, row.locked)
