"""Which clusters the groups of a large fit are, from how many items they have in common."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.clustering.algorithms.clustering import Diff
from services.clustering.algorithms.identity import carry, compare_flows


@dataclass(frozen=True, slots=True)
class Standing:
    """A found cluster with members: its id, its key, and how many there are."""

    id: str
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """So many items of a group are members of the cluster with this id."""

    group: int
    cluster_id: str
    items: int


@dataclass(frozen=True, slots=True)
class Carried:
    """The key of each group, the number of the next key, what happened to the keys, and by how many
    members each group differs from the cluster of its key."""

    keys: tuple[str, ...]
    next_key: int
    diff: Diff
    changed: Mapping[str, int]


def carry_over(
    sizes: Sequence[int],
    overlaps: Iterable[Overlap],
    standing: Iterable[Standing],
    next_key: int,
    pinned: Collection[str],
) -> Carried:
    """``sizes`` are those of the groups, copies included; ``pinned`` keys are matched first."""
    clusters = {cluster.id: cluster for cluster in standing}
    before = {cluster.key: cluster.size for cluster in clusters.values()}
    common: list[Counter[str]] = [Counter() for _ in sizes]
    for overlap in overlaps:
        if overlap.cluster_id in clusters:
            common[overlap.group][clusters[overlap.cluster_id].key] += overlap.items
    keys, following = carry(sizes, common, before, next_key, pinned)
    flows: dict[str, Counter[str]] = {key: Counter() for key in before}
    for key, those in zip(keys, common, strict=True):
        for old, items in those.items():
            flows[old][key] += items
    changed = {
        key: size + before.get(key, 0) - 2 * those[key]
        for key, size, those in zip(keys, sizes, common, strict=True)
    }
    return Carried(tuple(keys), following, compare_flows(before, keys, flows), changed)
