"""What all changes that people make to clusters have in common."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import AlreadyExists, NotFound
from libs.ids import uuid7
from libs.names import pattern
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster, ClusterState, Hero
from services.clustering.domain.curation import require_in_use
from services.clustering.domain.edit import (
    Before,
    Edit,
    EditKind,
    Place,
    Refusal,
    RefusalKind,
)
from services.clustering.domain.history import Change, Decision, Diff, NewVersion, VersionKind
from services.clustering.domain.scene import Candidate, Scene
from services.clustering.domain.version import choose_hero
from services.clustering.ports import Transaction
from services.clustering.usecases.clusters import (
    cluster_name,
    existing_cluster,
    split_cluster_name,
)
from services.clustering.usecases.history import add_version


def edit_name(scope: str, edit_id: str) -> str:
    """The resource name of an edit."""
    return f"{scope}/clusterEdits/{edit_id}"


def split_edit_name(name: str) -> tuple[str, str]:
    """Scope and id of an edit's name."""
    kind, owner, edit_id = pattern("{kind}/{owner}/clusterEdits/{edit}").parse(name)
    return f"{kind}/{owner}", edit_id


@dataclass(frozen=True, slots=True)
class Done:
    """What a change came to: the cluster after it, the edit for undoing it (None if nothing
    changed), and items of the request that are not there."""

    cluster: Cluster
    edit: Edit | None = None
    missing: frozenset[str] = frozenset()


class Editing:
    """A change under way. Until its transaction ends, nothing else changes clusters of its scope.

    What is asked of it gathers here; ``store`` makes the next version of it.
    """

    def __init__(self, tx: Transaction, scope: str, scene: Scene, now: datetime) -> None:
        self.tx = tx
        self.scope = scope
        self.scene = scene
        self.now = now
        self.clusters = dict(scene.clusters)
        self._changed: set[str] = set()
        self._moves: dict[str, Change] = {}
        self._refused: list[Refusal] = []
        self._accepted: list[Refusal] = []
        self._deleted: list[str] = []
        self._heroes: dict[str, Hero | None] = {}

    @classmethod
    async def begin(
        cls,
        tx: Transaction,
        scope: str,
        clock: Clock,
        clusters: Iterable[str] = (),
        *,
        items: Sequence[str] = (),
        within: Iterable[str] = (),
        title: str = "",
    ) -> "Editing":
        """Locks the scope and looks at clusters (their ids), items, all members of the clusters
        ``within``, and who has a title."""
        await tx.items.lock([scope])
        scene = await tx.people.scene(scope, [*clusters], items, [*within], title)
        return cls(tx, scope, scene, clock.now())

    def existing(self, name: str, field: str = "name") -> Cluster:
        """The cluster of that name. Raises NotFound."""
        cluster = self.clusters.get(split_cluster_name(name, field)[1])
        if cluster is None:
            raise NotFound("cluster", name)
        return cluster

    def in_use(self, name: str, field: str = "name") -> Cluster:
        """The cluster of that name. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
        cluster = self.existing(name, field)
        require_in_use(cluster)
        return cluster

    def require_free(self, title: str, besides: str) -> None:
        """Raises AlreadyExists if a cluster in use, other than that of id ``besides``, has a title
        that was looked for."""
        for asked, taken in sorted(self.scene.titled):
            if asked == title and taken != besides:
                name = cluster_name(self.scope, taken)
                raise AlreadyExists("cluster", name, f"the title {title!r} is that of {name}")

    def is_in(self, cluster: Cluster, item: str) -> bool:
        """Whether an item is a member of a cluster."""
        place = self.scene.places.get(item)
        return place is not None and place.cluster_id == cluster.id

    def home_of(self, item: str) -> str | None:
        """The id of the cluster that an item is in by now, of those that were looked at."""
        if item in self._moves:
            return self._moves[item].cluster_id
        place = self.scene.places.get(item)
        return place.cluster_id if place else None

    def save(self, cluster: Cluster) -> None:
        """Has the cluster be like this."""
        self.clusters[cluster.id] = cluster
        self._changed.add(cluster.id)

    def delete(self, cluster: Cluster) -> None:
        """Has the cluster be seen in earlier versions alone."""
        del self.clusters[cluster.id]
        self._changed.discard(cluster.id)
        self._deleted.append(cluster.id)

    def move(self, change: Change) -> None:
        """Has an item be there."""
        self._moves[change.item] = change

    def take_out(self, item: str) -> None:
        """Has an item be in no cluster."""
        self.move(Change(item, None))

    def refuse(self, wanted: Iterable[Refusal]) -> tuple[Refusal, ...]:
        """Has items refused; answers those that were not before."""
        new = tuple(refusal for refusal in wanted if refusal not in self.scene.refusals)
        self._refused += new
        return new

    def accept(self, wanted: Iterable[Refusal]) -> tuple[Refusal, ...]:
        """Takes refusals back; answers those that there were."""
        there = tuple(refusal for refusal in wanted if refusal in self.scene.refusals)
        self._accepted += there
        return there

    @property
    def touched(self) -> frozenset[str]:
        """The ids of the clusters that lose or get members, or are other than before."""
        places = self.scene.places
        left = {places[item].cluster_id for item in self._moves if item in places}
        joined = {move.cluster_id for move in self._moves.values() if move.cluster_id}
        return frozenset({*self._changed, *left, *joined})

    async def settle(self, again: Collection[str] = ()) -> None:
        """Finds a hero for the clusters whose hero is no member any more, and chooses anew in those
        ``again``."""
        lacking = [id for id in sorted(self.touched) if id in again or self._lacks_hero(id)]
        if not lacking:
            return
        pinned = {self.clusters[id].pinned_hero for id in lacking} - {""}
        found = await self.tx.clusters.candidates(lacking, [*pinned.union(self._moves)])
        for id in lacking:
            cluster = self.clusters[id]
            hero = self._chosen(cluster, found, None if id in again else cluster.hero)
            if hero != cluster.hero:
                self._heroes[id] = cluster.hero
                self.save(replace(cluster, hero=hero))

    async def store(
        self, cause: str, kind: VersionKind = VersionKind.EDIT, decision: Decision | None = None
    ) -> dict[str, Cluster]:
        """Makes the next version; answers the clusters that it shows otherwise, by id."""
        decision = decision or Decision()
        for refusal in (*self._refused, *self._accepted):
            # What people think of its items is of the cluster, so its etag says that it changed.
            if refusal.cluster_id in self.clusters:
                self._changed.add(refusal.cluster_id)
        new = NewVersion(
            state=replace(self.scene.state, version=self.scene.state.version + 1),
            kind=kind,
            cause=cause,
            time=self.now,
            changes=[*self._moves.values()],
            clusters=[self.clusters[id] for id in sorted(self._changed)],
            deleted=self._deleted,
            diff=self._diff(),
            decision=replace(decision, refused=self._refused, accepted=self._accepted),
        )
        shown = await add_version(self.tx, new)
        self.clusters.update(shown)
        return shown

    async def record(self, kind: EditKind, before: Before) -> Edit:
        """Makes the next version, to be remembered as an edit that can be undone."""
        before = replace(before, heroes={**before.heroes, **self._heroes})
        ids = tuple(sorted(self.touched | {r.cluster_id for r in (*before.added, *before.removed)}))
        edit = Edit(uuid7(), self.scope, kind, ids, len(before.items), self.now)
        await self.store(edit_name(self.scope, edit.id), decision=Decision(edit, before))
        return edit

    def _diff(self) -> Diff:
        known = self.scene.clusters
        merged = {
            id: cluster.merged_into
            for id, cluster in self.clusters.items()
            if cluster.merge_pinned and id in known and not known[id].merge_pinned
        }
        born = tuple(sorted(id for id in self._changed if id not in known))
        return Diff(born=born, merged=merged, retired=tuple(self._deleted))

    def _lacks_hero(self, id: str) -> bool:
        cluster = self.clusters.get(id)
        if cluster is None or cluster.state is ClusterState.RETIRED:
            return False
        if cluster.hero is None:
            joined = any(move.cluster_id == id for move in self._moves.values())
            return joined or cluster.member_count > 0
        move = self._moves.get(cluster.hero.item)
        return move is not None and move.cluster_id != id

    def _chosen(
        self, cluster: Cluster, candidates: Sequence[Candidate], sitting: Hero | None
    ) -> Hero | None:
        here = [c for c in candidates if self._home(c) == cluster.id]
        return choose_hero(
            [
                replace(c.member, similarity=move.similarity)
                if (move := self._moves.get(c.item.name))
                else c.member
                for c in here
            ],
            {c.item.name: c.item for c in here},
            sitting,
            self.now,
            cluster.pinned_hero,
            self._vetoed(cluster, here),
        )

    def _home(self, candidate: Candidate) -> str | None:
        move = self._moves.get(candidate.item.name)
        return move.cluster_id if move else candidate.cluster_id

    def _vetoed(self, cluster: Cluster, candidates: Sequence[Candidate]) -> set[str]:
        vetoed = {c.item.name for c in candidates if cluster.id in c.vetoed}
        for refusal in self._refused:
            if refusal.kind is RefusalKind.HERO and refusal.cluster_id == cluster.id:
                vetoed.add(refusal.item)
        for refusal in self._accepted:
            if refusal.kind is RefusalKind.HERO and refusal.cluster_id == cluster.id:
                vetoed.discard(refusal.item)
        return vetoed


def back_to(place: Place) -> Change:
    """The change that puts an item where it was."""
    return Change(place.item, place.cluster_id, place.similarity, place.duplicate_of, place.locked)


async def answered(tx: Transaction, scope: str, request: RequestKey) -> Done | None:
    """What an equal request came to before; None if this one is to be served.

    Raises AlreadyExists if the id was used for another request, NotFound if the cluster is gone.
    """
    known = await tx.requests.claim(request.id, request.method, request.fingerprint)
    if known is None:
        return None
    result = json.loads(known)
    cluster = await existing_cluster(tx, cluster_name(scope, result["cluster"]))
    edit = await tx.edits.get(scope, result["edit"]) if result["edit"] else None
    return Done(cluster, edit, frozenset(result["missing"]))


async def finish(
    editing: Editing,
    cluster: Cluster,
    request: RequestKey,
    edit: Edit | None = None,
    missing: Iterable[str] = (),
) -> Done:
    """Commits, together with the result for whoever sends the request again."""
    result = {"cluster": cluster.id, "edit": edit.id if edit else "", "missing": [*missing]}
    await editing.tx.requests.record(request.id, json.dumps(result))
    await editing.tx.commit()
    return Done(editing.clusters[cluster.id], edit, frozenset(result["missing"]))
