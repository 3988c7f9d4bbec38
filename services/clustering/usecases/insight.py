"""Looking closely at one cluster: how good a group it is, and who stands for it together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from libs.aio import BlockingPool
from libs.clock import Clock
from libs.errors import FailedPrecondition
from services.clustering.algorithms import hero as heroes
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.quality import (
    ENOUGH_FACES,
    Group,
    Kinship,
    Scale,
    Verdict,
    unrelated_cosine,
    verdict_of,
)
from services.clustering.domain.cluster import Cluster, Hero
from services.clustering.domain.item import Modality, modality_of
from services.clustering.domain.version import hero_of
from services.clustering.ports import Snapshots, Store, Transaction, Vector, Vectors
from services.clustering.ports.insights import Face, Placed
from services.clustering.usecases.clusters import existing_cluster, split_cluster_name

_MEMBERS = 1000
_FACES = 1000
_SIMILAR = 5
_OF_SIMILAR = 200
_SAMPLE = 256
_OUTLIERS = 50


@dataclass(frozen=True, slots=True)
class Looker:
    """What looking at clusters needs of the world."""

    store: Store
    vectors: Vectors
    snapshots: Snapshots
    pool: BlockingPool
    clock: Clock
    params: Params


@dataclass(frozen=True, slots=True)
class SplitProposal:
    """The items of the smaller part, most central first, and what would be gained."""

    items: tuple[str, ...]
    cohesion: float
    rest_cohesion: float
    gain: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found about a cluster; see algorithms.quality. ``outliers`` are items with their
    likeness, ``similar`` other clusters, nearest first."""

    verdict: Verdict
    cohesion: float
    members: int
    examined: int
    outliers: tuple[tuple[str, float], ...]
    split: SplitProposal | None
    similar: tuple[tuple[Face, Kinship], ...]


async def analyze_cluster(looker: Looker, name: str) -> Analysis:
    """What is to be said about a cluster. Raises NotFound, FailedPrecondition (CLUSTER_EMPTY)."""
    scope, id = split_cluster_name(name)
    photos = modality_of(scope) is Modality.PHOTOS
    async with looker.store.read() as tx:
        placed = await tx.insights.spread(scope, [id], _MEMBERS)
        if not placed:
            await _refuse(tx, name)
        faces = await tx.insights.faces(scope, id, _FACES)
        few = photos and len(faces) < ENOUGH_FACES
        sample = await tx.insights.sample(scope, _SAMPLE) if few else []
    collection, scene = placed[0].collection, placed[0].scene
    own = await _vectors(looker, collection, [each.point_id for each in placed])
    seen = await _vectors(looker, collection, [face.point_id for face in faces])
    random = await _vectors(looker, collection, sample)
    scale = await looker.pool.run(_scale, seen, random, scene) if photos else Scale()
    nearest = _nearest([face for face in faces if face.point_id in seen], seen, own)
    async with looker.store.read() as tx:
        ids = [face.cluster_id for face in nearest]
        theirs = await tx.insights.spread(scope, ids, _OF_SIMILAR) if ids else []
    others = await _vectors(looker, collection, [each.point_id for each in theirs])
    return await looker.pool.run(_analysis, placed, own, scale, nearest, theirs, others)


async def find_heroes(
    looker: Looker, name: str, limit: int, max_cosine: float | None
) -> tuple[float, list[Hero]]:
    """The cosine that no two of them reach, and the members that together stand for a cluster.

    Raises NotFound, FailedPrecondition (CLUSTER_EMPTY).
    """
    scope, id = split_cluster_name(name)
    async with looker.store.read() as tx:
        cluster = await existing_cluster(tx, name)
        placed = await tx.insights.central(scope, id, heroes.SAMPLE, _special(cluster))
        if not placed:
            await _refuse(tx, name)
        vetoed = await tx.people.vetoed(id)
    own = await _vectors(looker, placed[0].collection, [each.point_id for each in placed])
    bound = placed[0].scene if max_cosine is None else max_cosine
    there = [each for each in placed if each.point_id in own]
    chosen = await looker.pool.run(
        _chosen, there, own, vetoed, cluster.pinned_hero, looker.clock.now(), limit, bound
    )
    return bound, chosen


async def _refuse(tx: Transaction, name: str) -> None:
    """Says why there is nothing to look at."""
    await existing_cluster(tx, name)
    raise FailedPrecondition(f"{name} has no members with vectors", reason="CLUSTER_EMPTY")


def _special(cluster: Cluster) -> list[str]:
    """Members that come into question however far from the centre they are."""
    hero = cluster.hero.item if cluster.hero else ""
    return [item for item in (hero, cluster.pinned_hero) if item]


async def _vectors(looker: Looker, collection: str, points: Sequence[str]) -> dict[str, Vector]:
    if not points:
        return {}
    found, rows = await looker.vectors.of_points(collection, points)
    vectors = dict(zip(found, rows, strict=True))
    # In the order that was asked for, whatever the index thinks of it.
    return {point: vectors[point] for point in points if point in vectors}


def _scale(faces: Mapping[str, Vector], sample: Mapping[str, Vector], scene: float) -> Scale:
    return Scale.of_photos(unrelated_cosine(_rows(faces), _rows(sample)), scene)


def _nearest(
    faces: Sequence[Face], seen: Mapping[str, Vector], own: Mapping[str, Vector]
) -> list[Face]:
    """The clusters whose heroes are closest to the centre of these vectors."""
    if not faces or not own:
        return []
    rows = np.stack([seen[face.point_id] for face in faces])
    order = np.argsort(-(rows @ _rows(own).sum(axis=0)), kind="stable")
    return [faces[index] for index in order[:_SIMILAR]]


def _rows(vectors: Mapping[str, Vector]) -> Vector:
    return np.stack([*vectors.values()]) if vectors else np.empty((0, 1), np.float32)


def _analysis(
    placed: Sequence[Placed],
    own: Mapping[str, Vector],
    scale: Scale,
    nearest: Sequence[Face],
    theirs: Sequence[Placed],
    others: Mapping[str, Vector],
) -> Analysis:
    looked_at = [each for each in placed if each.point_id in own]
    group = Group.of(np.stack([own[each.point_id] for each in looked_at]), scale)
    likeness = group.member_likeness()
    rows: dict[str, list[Vector]] = defaultdict(list)
    for each in theirs:
        if each.point_id in others:
            rows[each.cluster_id].append(others[each.point_id])
    kin = [
        (face, group.kinship(Group.of(np.stack(rows[face.cluster_id]), scale)))
        for face in nearest
        if face.cluster_id in rows
    ]
    return Analysis(
        verdict=verdict_of(group.cohesion),
        cohesion=group.cohesion,
        members=placed[0].members,
        examined=len(looked_at),
        outliers=tuple(
            (looked_at[row].item, float(likeness[row])) for row in group.outliers()[:_OUTLIERS]
        ),
        split=_proposal(group, looked_at),
        similar=tuple(sorted(kin, key=lambda pair: -pair[1].likeness)),
    )


def _proposal(group: Group, placed: Sequence[Placed]) -> SplitProposal | None:
    split = group.split()
    if split is None:
        return None
    items = tuple(each.item for each, inside in zip(placed, split.smaller, strict=True) if inside)
    return SplitProposal(items, split.cohesion, split.rest_cohesion, split.gain)


def _chosen(
    placed: Sequence[Placed],
    vectors: Mapping[str, Vector],
    vetoed: frozenset[str],
    pinned: str,
    now: datetime,
    limit: int,
    bound: float,
) -> list[Hero]:
    candidates = [
        heroes.Candidate(
            each.item,
            quality=each.quality,
            centrality=each.similarity,
            created_at=each.create_time,
            vetoed=each.item in vetoed,
            sharpness=each.sharpness,
            exposure=each.exposure,
            pixels=each.pixels,
        )
        for each in placed
    ]
    rows = {each.item: vectors[each.point_id] for each in placed}
    return [
        hero_of(hero) for hero in heroes.top_heroes(candidates, rows, now, limit, bound, pinned)
    ]
