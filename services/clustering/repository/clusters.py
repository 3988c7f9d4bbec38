"""Clusters, their versions and members, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    ScalarSelect,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.algorithms.hero import SAMPLE
from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    Excerpt,
    Hero,
    HeroPart,
    Member,
    Order,
    Origin,
    ScopeState,
)
from services.clustering.domain.edit import RefusalKind
from services.clustering.domain.generation import GenerationState
from services.clustering.domain.item import ItemState
from services.clustering.domain.scene import Candidate
from services.clustering.ports.clusters import MemberPage
from services.clustering.repository.arrays import among, rows_of
from services.clustering.repository.items import LIVE, standing, to_item
from services.clustering.tables import (
    cluster_pillars,
    cluster_versions,
    clusters,
    collections,
    item_vectors,
    items,
    members,
    refusals,
    scopes,
    texts,
)

_COUNTED = (
    cluster_versions.c.since,
    cluster_versions.c.until,
    cluster_versions.c.member_count,
    cluster_versions.c.cohesion,
    cluster_versions.c.hero_item,
    cluster_versions.c.hero_score,
    cluster_versions.c.hero_parts,
)

SHOWN = (
    *(column for column in clusters.c if column is not clusters.c.delete_time),
    *_COUNTED,
    scopes.c.version.label("newest"),
)
"""A cluster as it is now. What is joined to it is the newest of its rows, and its scope."""

_SHOWN_THEN = (
    *(
        cluster_versions.c.get(column.name, column)
        for column in clusters.c
        if column is not clusters.c.delete_time
    ),
    *_COUNTED,
)
"""As it was."""

# Of a text, for lists.
_EXCERPT = 200
_LAST = 2147483647


class ClusterRepository:
    """See ports.Clusters."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, scope: str, cluster_id: str, version: int | None = None) -> Cluster | None:
        if version is None:
            found = await self._connection.execute(
                newest_rows().where(clusters.c.id == cluster_id, clusters.c.scope == scope).limit(1)
            )
        else:
            found = await self._connection.execute(
                _shown_in(scope, version).where(clusters.c.id == cluster_id)
            )
        row = found.one_or_none()
        return to_cluster(row) if row else None

    async def list(
        self,
        scope: str,
        version: int,
        page: PageRequest,
        conditions: Sequence[Condition] = (),
        order: Order = Order.SIZE,
    ) -> Page[Cluster]:
        statement = (
            _shown_in(scope, version)
            .where(*map(_where, conditions))
            .order_by(*_PLACES[order])
            .limit(page.size + 1)
        )
        if not any(condition.field == "state" for condition in conditions):
            statement = statement.where(cluster_versions.c.state != ClusterState.ARCHIVED)
        if page.after:
            statement = statement.where(tuple_(*_PLACES[order]) > _after(order, page.after))
        found = [to_cluster(row) for row in await self._connection.execute(statement)]
        if len(found) <= page.size:
            return Page(found)
        return Page(found[: page.size], _place_of(order, found[page.size - 1]))

    async def members(self, cluster_id: str, version: int, page: PageRequest) -> MemberPage:
        statement = _written_in(_members_of(cluster_id, version)).limit(page.size + 1)
        if not page.after:
            statement = statement.add_columns(_sources(cluster_id, version).label("sources"))
        position = 0
        if page.after:
            position, place, item = int(page.after[0]), float(page.after[1]), str(page.after[2])
            statement = statement.where(tuple_(PLACE, members.c.item) > tuple_(place, item))
        rows = (await self._connection.execute(statement)).all()
        found = [_with_text(row, number) for number, row in enumerate(rows, position + 1)]
        sources = rows[0].sources or {} if rows and not page.after else {}
        if len(found) <= page.size:
            return MemberPage(found, sources=sources)
        last = found[page.size - 1]
        place = 2.0 if last.similarity is None else -last.similarity
        return MemberPage(found[: page.size], (last.position, place, last.item), sources)

    async def all_members(self, cluster_id: str, version: int) -> Sequence[Member]:
        found = await self._connection.execute(_members_of(cluster_id, version))
        return [to_member(row, number) for number, row in enumerate(found, 1)]

    async def candidates(
        self, cluster_ids: Sequence[str], names: Sequence[str] = ()
    ) -> Sequence[Candidate]:
        open_here = members.c.until.is_(None)
        given = rows_of("given", [members.c.cluster_id], ((id,) for id in cluster_ids))
        central = (
            select(members.c.item)
            .where(members.c.cluster_id == given.c.cluster_id, open_here)
            .order_by(PLACE, members.c.item)
            # As many would be left if each of the others were taken out.
            .limit(SAMPLE + len(names))
            .lateral("central")
        )
        asked = union(
            select(central.c.item).select_from(given.join(central, true())),
            select(func.unnest(literal(list(names), ARRAY(Text)))),
        ).subquery()
        vetoes = (
            select(func.array_agg(cast(refusals.c.cluster_id, Text)))
            .where(refusals.c.item == items.c.name, refusals.c.kind == RefusalKind.HERO)
            .scalar_subquery()
        )
        place = and_(members.c.item == items.c.name, members.c.scope == items.c.scope, open_here)
        statement = (
            standing(None)
            .join(asked, asked.c.item == items.c.name)
            .outerjoin(members, place)
            .add_columns(
                members.c.cluster_id,
                members.c.similarity,
                members.c.duplicate_of,
                members.c.locked,
                vetoes.label("vetoes"),
            )
            .where(LIVE)
            .order_by(PLACE, items.c.name)
        )
        return [
            Candidate(
                to_item(row),
                Member(row.name, row.similarity, 0, row.duplicate_of or "", bool(row.locked)),
                row.cluster_id,
                frozenset(row.vetoes or ()),
            )
            for row in await self._connection.execute(statement)
        ]

    async def scope(self, scope: str) -> ScopeState:
        found = await self._connection.execute(select(scopes).where(scopes.c.scope == scope))
        row = found.one_or_none()
        return to_scope(row) if row else ScopeState(scope)

    async def by_keys(self, scope: str, keys: Sequence[str]) -> dict[str, Cluster]:
        found = await self._connection.execute(
            newest_rows().where(clusters.c.scope == scope, among(clusters.c.key, keys))
        )
        return {row.key: to_cluster(row) for row in found}

    async def member_sets(self, scope: str, version: int) -> dict[str, tuple[str, ...]]:
        found = await self._connection.execute(
            select(clusters.c.key, func.array_agg(members.c.item).label("names"))
            .join_from(members, clusters)
            .where(members.c.scope == scope, in_version(members, version))
            .where(clusters.c.origin == Origin.FOUND)
            .group_by(clusters.c.key)
        )
        return {row.key: tuple(row.names) for row in found}

    async def totals(self, scope: str, version: int) -> tuple[int, int]:
        shown = (
            select(func.count())
            .select_from(cluster_versions)
            .where(cluster_versions.c.scope == scope, in_version(cluster_versions, version))
            .where(cluster_versions.c.state != ClusterState.RETIRED)
        )
        placed = (
            select(func.count())
            .select_from(members)
            .join(item_vectors, item_vectors.c.item == members.c.item)
            .join(collections, collections.c.name == item_vectors.c.collection)
            .where(members.c.scope == scope, in_version(members, version))
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
    table = clusters if condition.field == "origin" else cluster_versions
    column = table.c[condition.field]
    return column == condition.value if condition.op == "=" else column != condition.value


PLACE: ColumnElement[float] = -func.coalesce(members.c.similarity, literal_column("-2"))
"""The order of members: most central first, then those that were never compared."""

_PLACES: Mapping[Order, tuple[ColumnElement[Any], ...]] = {
    Order.SIZE: (-cluster_versions.c.member_count, cluster_versions.c.cluster_id),
    Order.RECENT: (
        -func.extract("epoch", cluster_versions.c.update_time),
        cluster_versions.c.cluster_id,
    ),
}


def _place_of(order: Order, cluster: Cluster) -> tuple[int | str, ...]:
    if order is Order.SIZE:
        return -cluster.member_count, cluster.id
    return cluster.update_time.isoformat(), cluster.id


def _after(order: Order, key: Sequence[Any]) -> Any:
    first, cluster_id = key
    id = literal(cluster_id, clusters.c.id.type)
    if order is Order.SIZE:
        return tuple_(int(first), id)
    moment = literal(datetime.fromisoformat(str(first)))
    return tuple_(-func.extract("epoch", moment), id)


def in_version(table: FromClause, version: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a version shows a row."""
    until = func.coalesce(table.c.until, literal_column(str(_LAST)))
    return (table.c.since <= version) & (until > version)


def is_closed(table: FromClause) -> ColumnElement[bool]:
    """Whether the newest version shows a row no more, as the indexes have it."""
    last: ColumnElement[int] = literal_column(str(_LAST))
    return func.coalesce(table.c.until, last) < last


def newest_rows() -> Select[Any]:
    """The clusters that were not deleted, each with the newest of its rows."""
    rows = (
        select(cluster_versions)
        .where(cluster_versions.c.cluster_id == clusters.c.id)
        .order_by(cluster_versions.c.since.desc())
        .limit(1)
        .correlate(clusters)
        .lateral("newest_rows")
    )
    shown = (
        rows.c[column.name] if column.table is cluster_versions else column for column in SHOWN[:-1]
    )
    return (
        select(*shown, SHOWN[-1])
        .select_from(clusters)
        .outerjoin(rows, true())
        .outerjoin(scopes, scopes.c.scope == clusters.c.scope)
        .where(clusters.c.delete_time.is_(None))
    )


def _shown_in(scope: str, version: int) -> Select[Any]:
    """The clusters that a version shows, as it does."""
    return (
        select(*_SHOWN_THEN, literal(version).label("newest"))
        .join_from(clusters, cluster_versions)
        .where(cluster_versions.c.scope == scope, in_version(cluster_versions, version))
        .where(cluster_versions.c.state != ClusterState.RETIRED)
    )


def _members_of(cluster_id: str, version: int) -> Select[Any]:
    return (
        select(members)
        .where(members.c.cluster_id == cluster_id, in_version(members, version))
        .order_by(PLACE, members.c.item)
    )


def _written_in(members_: Select[Any]) -> Select[Any]:
    """Members with what is written in them, if they are texts, and whether they are still there."""
    return (
        members_.outerjoin(texts, texts.c.item == members.c.item)
        .outerjoin(items, items.c.name == members.c.item)
        .add_columns(
            texts.c.title,
            func.left(texts.c.body, _EXCERPT).label("beginning"),
            texts.c.source,
            (items.c.name.is_not(None) & ~LIVE).label("gone"),
        )
    )


def _sources(cluster_id: str, version: int) -> ScalarSelect[Any]:
    """How many texts of a cluster come from which source, as one JSON object."""
    here = members.alias("all_members")
    counted = (
        select(texts.c.source, func.count().label("texts"))
        .join(here, here.c.item == texts.c.item)
        .join(items, items.c.name == here.c.item)
        .where(here.c.cluster_id == cluster_id, in_version(here, version), LIVE)
        .group_by(texts.c.source)
        .subquery("counted")
    )
    return select(func.jsonb_object_agg(counted.c.source, counted.c.texts)).scalar_subquery()


def _with_text(row: Row[Any], position: int) -> Member:
    member = replace(to_member(row, position), gone=row.gone)
    if row.source is None:
        return member
    return replace(member, excerpt=Excerpt(row.title, row.beginning, row.source))


def to_scope(row: Row[Any]) -> ScopeState:
    """What is remembered of a scope, from its row."""
    return ScopeState(**row._mapping)


def to_cluster(row: Any) -> Cluster:
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
    if row.since is None:
        return cluster
    parts = tuple(HeroPart(**part) for part in row.hero_parts)
    pinned = row.hero_item == row.pinned_hero
    return replace(
        cluster,
        version=row.newest if row.until is None else min(row.newest, row.until - 1),
        since=row.since,
        member_count=row.member_count,
        cohesion=row.cohesion,
        hero=Hero(row.hero_item, row.hero_score, parts, pinned) if row.hero_item else None,
    )


def to_member(row: Row[Any], position: int) -> Member:
    """A member from its row and its place."""
    return Member(row.item, row.similarity, position, row.duplicate_of, row.locked)
