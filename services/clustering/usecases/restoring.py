"""Versions of clusters: looking at them, comparing them, going back to them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from libs.clock import Clock
from libs.errors import FailedPrecondition, NotFound
from libs.names import pattern
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.clustering.algorithms.identity import compare_flows
from services.clustering.domain.cluster import Cluster, ClusterState
from services.clustering.domain.curation import MAX_TITLE
from services.clustering.domain.edit import Refusal, RefusalKind
from services.clustering.domain.history import (
    Decision,
    Diff,
    NewVersion,
    Version,
    VersionKind,
)
from services.clustering.ports import Store, Transaction
from services.clustering.ports.history import Flow, ScopeSummary
from services.clustering.usecases.history import add_version

LATEST = "latest"
_PAGE = 1000


def version_name(scope: str, version: int) -> str:
    """The resource name of a version."""
    return f"{scope}/clusterVersions/{version}"


def split_version_name(name: str) -> tuple[str, str]:
    """Scope and last part of a version's name: a number, or ``latest``."""
    kind, owner, version = pattern("{kind}/{owner}/clusterVersions/{version}").parse(name)
    return f"{kind}/{owner}", version


@dataclass(frozen=True, slots=True)
class Kept:
    """A version, None for the latest of a scope in which nothing ever happened, and how many
    deletions took items out of the scope's versions."""

    scope: str
    version: Version | None
    erasures: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of clusters from one version to another, and of how many items."""

    diff: Diff
    joined: int
    left: int
    moved: int
    stayed: int


async def get_version(store: Store, name: str) -> Kept:
    """A version by its name. Raises NotFound, FailedPrecondition (VERSION_PRUNED)."""
    scope, asked = split_version_name(name)
    async with store.read() as tx:
        state = await tx.clusters.scope(scope)
        if asked == LATEST:
            newest = await tx.versions.get(scope, state.version) if state.version else None
            return Kept(scope, newest, state.erasures)
        return Kept(scope, await kept_version(tx, scope, int(asked)), state.erasures)


async def list_versions(store: Store, scope: str, page: PageRequest) -> Page[Version]:
    """The versions of a scope that are kept, newest first."""
    async with store.read() as tx:
        return await tx.history.page(scope, page)


async def list_scopes(store: Store, page: PageRequest) -> Page[ScopeSummary]:
    """The scopes that have items or versions, by name."""
    async with store.read() as tx:
        return await tx.history.scopes(page)


async def diff_versions(store: Store, name: str, base: int) -> Comparison:
    """How a version differs from ``base``, 0 for the one before it.

    Raises NotFound, FailedPrecondition (VERSION_PRUNED).
    """
    scope, asked = split_version_name(name)
    number = int(asked)
    async with store.read() as tx:
        await kept_version(tx, scope, number)
        base = base or number - 1
        if base:
            await kept_version(tx, scope, base)
        return await compared(tx, scope, base, number)


async def compared(tx: Transaction, scope: str, base: int, version: int) -> Comparison:
    """How two versions that are kept differ."""
    flows = await tx.history.flows(scope, base, version)
    before = await tx.history.shown(scope, base)
    after = await tx.history.shown(scope, version)

    def items(of: Sequence[Flow]) -> int:
        return sum(flow.items for flow in of)

    return Comparison(
        diff=_diff(flows, before, after),
        joined=items([f for f in flows if f.before is None]),
        left=items([f for f in flows if f.now is None]),
        moved=items([f for f in flows if f.before and f.now and f.before != f.now]),
        stayed=items([f for f in flows if f.before and f.before == f.now]),
    )


async def restore_version(store: Store, clock: Clock, name: str, request: RequestKey) -> Kept:
    """Makes the clusters what they were in a version; answers the version that does so.

    Clusters that people made since are put away, empty; found ones retire. Raises NotFound,
    FailedPrecondition (VERSION_PRUNED).
    """
    scope, asked = split_version_name(name)
    number = int(asked)
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        await tx.items.lock([scope])
        if known is not None:
            first = await kept_version(tx, scope, int(split_version_name(known)[1]))
            return Kept(scope, first, (await tx.clusters.scope(scope)).erasures)
        await kept_version(tx, scope, number)
        state = await tx.clusters.scope(scope)
        made = state.version
        if number != state.version:
            made = state.version + 1
            await add_version(tx, await _restored(tx, clock, scope, number))
        await tx.requests.record(request.id, version_name(scope, made))
        version = await tx.versions.get(scope, made)
        await tx.commit()
    return Kept(scope, version, state.erasures)


async def pin_version(store: Store, name: str, request: RequestKey, *, pinned: bool) -> Kept:
    """Keeps a version whatever its age, or lets it go. Raises NotFound, FailedPrecondition."""
    scope, asked = split_version_name(name)
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        await tx.items.lock([scope])
        version = await kept_version(tx, scope, int(asked))
        if known is None:
            await tx.versions.pin(scope, version.version, pinned=pinned)
            await tx.requests.record(request.id, name)
            await tx.commit()
        erasures = (await tx.clusters.scope(scope)).erasures
    return Kept(scope, replace(version, pinned=pinned), erasures)


async def kept_version(tx: Transaction, scope: str, number: int) -> Version:
    """A version by its number. Raises NotFound, FailedPrecondition (VERSION_PRUNED)."""
    found = await tx.versions.get(scope, number)
    if found is not None:
        return found
    name = version_name(scope, number)
    newest = (await tx.clusters.scope(scope)).version
    if number > newest:
        raise NotFound("cluster version", name)
    raise FailedPrecondition(
        f"{name} is not kept any more; the newest one is {newest}",
        reason="VERSION_PRUNED",
        metadata={"version": name, "newest": str(newest)},
    )


async def _restored(tx: Transaction, clock: Clock, scope: str, number: int) -> NewVersion:
    state, now = await tx.clusters.scope(scope), clock.now()
    # First, as it lets the statements that follow take their time.
    changes = await tx.history.differences(scope, number)
    then = {c.id: c for c in await _all(tx, scope, number)}
    present = {c.id: c for c in await _all(tx, scope, state.version)}
    since = [cluster for id, cluster in present.items() if id not in then]
    changed = [c for id, c in then.items() if id not in present or _differs(c, present[id])]
    put_away = _put_away([c for c in since if c.curated], then.values())
    # Titles may go round: each is free before anybody gets one.
    await tx.versions.free_titles([c.id for c in (*changed, *put_away)])
    flows = await tx.history.flows(scope, state.version, number)
    return NewVersion(
        state=replace(state, version=state.version + 1),
        kind=VersionKind.ROLLBACK,
        cause=version_name(scope, number),
        time=now,
        changes=changes,
        clusters=[*changed, *put_away],
        retired=[cluster.id for cluster in since if not cluster.curated],
        diff=_diff(flows, [*present], [*then, *(c.id for c in put_away)]),
        # Nobody took out what is put back.
        decision=Decision(
            accepted=[
                Refusal(change.cluster_id, change.item, RefusalKind.MEMBER)
                for change in changes
                if change.cluster_id
            ]
        ),
    )


def _put_away(clusters: Iterable[Cluster], restored: Iterable[Cluster]) -> list[Cluster]:
    """Clusters that people made since, archived, under titles that no restored one has."""
    taken = {cluster.title.casefold() for cluster in restored}
    archived = []
    for cluster in clusters:
        title, number = cluster.title, 1
        while title.casefold() in taken:
            number += 1
            ending = f" ({number})"
            title = cluster.title[: MAX_TITLE - len(ending)] + ending
        taken.add(title.casefold())
        archived.append(replace(cluster, title=title, state=ClusterState.ARCHIVED, hero=None))
    return archived


async def _all(tx: Transaction, scope: str, version: int) -> list[Cluster]:
    """Every cluster that a version shows, archived ones too."""
    found: list[Cluster] = []
    in_use = [Condition("state", "!=", ClusterState.RETIRED)]
    page = PageRequest(_PAGE)
    while True:
        part = await tx.clusters.list(scope, version, page, in_use)
        found += part.rows
        if part.next_key is None:
            return found
        page = PageRequest(_PAGE, part.next_key)


def _differs(one: Cluster, other: Cluster) -> bool:
    def said(cluster: Cluster) -> tuple[object, ...]:
        return (
            cluster.title,
            cluster.title_pinned,
            cluster.summary,
            cluster.prompt_hint,
            cluster.state,
            cluster.merged_into,
            cluster.merge_pinned,
            cluster.pinned_hero,
            cluster.hero,
        )

    return said(one) != said(other)


def _diff(flows: Sequence[Flow], before: Sequence[str], after: Sequence[str]) -> Diff:
    sizes = dict.fromkeys(before, 0)
    went: dict[str, dict[str, int]] = defaultdict(dict)
    for flow in flows:
        if flow.before in sizes:
            sizes[flow.before] += flow.items
            if flow.now:
                went[flow.before][flow.now] = flow.items
    told = compare_flows(sizes, after, went)
    return Diff(told.born, told.split, told.merged, told.retired)
