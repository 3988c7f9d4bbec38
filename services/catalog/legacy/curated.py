"""Hands the clusters that people made to the clustering service, where they live on as curated."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from colonnade.clustering.v1 import clustering_service_pb2 as pb
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceStub

from libs.errors import AlreadyExists, ColonnadeError, DeadlineExceeded, NotFound, Unavailable
from services.catalog.domain.names import pillar_key
from services.catalog.legacy.account import Entry, EntryState, Outcome
from services.catalog.legacy.desk import (
    ASSIGNMENTS,
    CLUSTERS,
    PERSONAS,
    PHOTOS,
    PILLARS,
    Desk,
    Progress,
)
from services.catalog.legacy.library import LegacyCluster
from services.catalog.legacy.translation import MAX_TEXT, numbered

_MAX_TITLE = 100
_BATCH = 200
_ARCHIVED = ("archived", "inactive", "deleted")
_PHASE = "clusters handed over"


@dataclass(frozen=True, slots=True)
class _Here:
    """What personas and pillars are called here, and which photos were in each cluster."""

    personas: Mapping[str, str]
    pillars: Mapping[str, str]
    members: Mapping[str, Sequence[str]]


class CuratedClusters:
    """See ``delivery.Receiver``."""

    name = "clustering service"

    def __init__(self, clustering: ClusteringServiceStub) -> None:
        self._clustering = clustering

    async def tell(self, desk: Desk, progress: Progress) -> Sequence[str]:
        """See Receiver. A photo that the service has not heard of yet is added the next time."""
        entries = await desk.entries(CLUSTERS)
        here = await _here(desk)
        waiting: list[str] = []
        for done, entry in enumerate(entries.values(), 1):
            if entry.outcome.state is not EntryState.GIVEN_UP and not entry.delivered:
                try:
                    waiting += await self._one(desk, entry, here)
                except (Unavailable, DeadlineExceeded):
                    raise
                except ColonnadeError as error:
                    waiting.append(f"cluster {entry.id}: {error.message}")
            progress(_PHASE, done, len(entries))
        await self._settle_assignments(desk)
        return waiting

    async def take_back(self, desk: Desk, progress: Progress) -> Sequence[str]:
        """See Receiver. A cluster that still has members stays: deleted photos leave it soon."""
        left: list[str] = []
        for entry in (await desk.entries(CLUSTERS)).values():
            try:
                if entry.outcome.made:
                    request = pb.DeleteClusterRequest(name=entry.outcome.target)
                    await self._clustering.DeleteCluster(request)
            except NotFound:
                pass  # somebody else removed it
            except (Unavailable, DeadlineExceeded):
                raise
            except ColonnadeError as error:
                left.append(f"cluster {entry.id}: {error.message}")
                continue
            await desk.account.reset(desk.migration.id, CLUSTERS, [entry.id])
        there = await desk.targets(CLUSTERS)
        gone = [a.id for a in desk.library.assignments if a.cluster not in there]
        await desk.account.reset(desk.migration.id, ASSIGNMENTS, gone)
        return left

    async def _one(self, desk: Desk, entry: Entry, here: _Here) -> list[str]:
        cluster = desk.library.cluster_of[entry.id]
        persona = here.personas.get(_owner(cluster, desk), "")
        if not persona:
            lost = Outcome(EntryState.SKIPPED, reason="NO_PERSONA", message="it belongs to nobody")
            await desk.account.note(desk.migration.id, CLUSTERS, entry.id, lost)
            await desk.account.deliver(desk.migration.id, CLUSTERS, [entry.id])
            return []
        name = entry.outcome.target or await self._create(desk, cluster, persona)
        await self._assign(desk, cluster, name, here)
        if waiting := await self._fill(name, here.members.get(cluster.id, ())):
            return [f"cluster {entry.id}: {waiting} photos are not known to the service yet"]
        if cluster.status in _ARCHIVED:
            await self._clustering.ArchiveCluster(pb.ArchiveClusterRequest(name=name))
        await desk.account.deliver(desk.migration.id, CLUSTERS, [entry.id])
        return []

    async def _create(self, desk: Desk, cluster: LegacyCluster, persona: str) -> str:
        """The name of the new cluster. Asked for again, the service answers with the same one."""
        number = 1
        for attempt in count(1):
            id = uuid.uuid5(uuid.UUID(desk.migration.id), f"clusters/{cluster.id}/{attempt}")
            request = pb.CreateClusterRequest(
                parent=persona, cluster=_described(cluster, number), request_id=str(id)
            )
            try:
                created = await self._clustering.CreateCluster(request)
            except AlreadyExists:
                number += 1
            except NotFound:
                continue  # this request made one that was removed since
            else:
                break
        outcome = Outcome(EntryState.DONE, target=created.name, made=True)
        await desk.account.note(desk.migration.id, CLUSTERS, cluster.id, outcome)
        return str(created.name)

    async def _assign(self, desk: Desk, cluster: LegacyCluster, name: str, here: _Here) -> None:
        """Its pillars, as far as they are of the same persona; one of them is primary."""
        free = True
        for assignment in desk.library.assignments_of.get(cluster.id, []):
            pillar = here.pillars.get(assignment.pillar, "")
            if not _same_persona(pillar, name):
                continue
            request = pb.AssignClusterToPillarRequest(
                name=name, pillar=pillar, primary=assignment.primary and free
            )
            await self._clustering.AssignClusterToPillar(request)
            free = free and not assignment.primary
            done = Outcome(EntryState.DONE, target=f"{name} {pillar_key(pillar).id}", made=True)
            await desk.account.note(desk.migration.id, ASSIGNMENTS, assignment.id, done)

    async def _fill(self, name: str, photos: Sequence[str]) -> int:
        """Adds its photos; how many of them the service does not know."""
        items = sorted(photo for photo in photos if _same_persona(photo, name))
        unknown = 0
        for start in range(0, len(items), _BATCH):
            request = pb.AddClusterMembersRequest(name=name, items=items[start : start + _BATCH])
            answer = await self._clustering.AddClusterMembers(request)
            unknown += sum(result.status.code != 0 for result in answer.results)
        return unknown

    async def _settle_assignments(self, desk: Desk) -> None:
        """What says nothing that could be kept: it names something that is gone or foreign."""
        skipped = Outcome(EntryState.SKIPPED, reason="NOTHING_TO_LINK")
        clusters = await desk.entries(CLUSTERS)
        entries = await desk.entries(ASSIGNMENTS)
        for assignment in desk.library.assignments:
            entry, cluster = entries[assignment.id], clusters.get(assignment.cluster)
            if entry.open and (cluster is None or cluster.delivered or not cluster.open):
                await desk.account.note(desk.migration.id, ASSIGNMENTS, entry.id, skipped)


def _described(cluster: LegacyCluster, number: int) -> Cluster:
    """What the service is told of a cluster; a title that is taken gets a number."""
    title = cluster.name.strip() or f"Cluster {cluster.id}"
    return Cluster(
        title=numbered(title, number, _MAX_TITLE, " ({})"),
        prompt_hint=cluster.prompt[:MAX_TEXT],
        state=Cluster.STATE_DRAFT if cluster.status == "draft" else Cluster.STATE_ACTIVE,
    )


async def _here(desk: Desk) -> _Here:
    photos = await desk.targets(PHOTOS)
    # A photo that several rows became is where the oldest of them was.
    oldest = {photos[p.id]: p for p in reversed(desk.library.photos) if p.id in photos}
    members: dict[str, list[str]] = {}
    for name, photo in oldest.items():
        members.setdefault(photo.cluster, []).append(name)
    return _Here(await desk.targets(PERSONAS), await desk.targets(PILLARS), members)


def _same_persona(name: str, other: str) -> bool:
    """Whether both resources belong to the same persona."""
    return name.split("/")[:2] == other.split("/")[:2]


def _owner(cluster: LegacyCluster, desk: Desk) -> str:
    """The persona of a cluster; where it names none, that of its first pillar or photo."""
    library = desk.library
    pillars = [library.pillar_of.get(a.pillar) for a in library.assignments_of.get(cluster.id, [])]
    owners = [
        cluster.persona,
        *(pillar.persona for pillar in pillars if pillar is not None),
        *(photo.persona for photo in library.photos_of.get(cluster.id, [])),
    ]
    return next((owner for owner in owners if owner in library.persona_of), "")
