"""Groups of near-duplicates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.clustering.domain.item import Neighbour, Pair


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Near-duplicates of one item, each with its cosine to it."""

    keeper: str
    duplicates: tuple[Neighbour, ...]


def duplicate_groups(
    pairs: Sequence[Pair], rank: Callable[[str], tuple[object, ...]]
) -> list[DuplicateGroup]:
    """The groups that ``pairs`` make, largest first.

    The best item by ``rank`` (smallest first) that is not yet in a group becomes a keeper and takes
    its direct neighbours. So nothing is grouped over a chain of small steps: each duplicate is one
    of its keeper.
    """
    near: dict[str, dict[str, float]] = {}
    for pair in pairs:
        near.setdefault(pair.first, {})[pair.second] = pair.score
        near.setdefault(pair.second, {})[pair.first] = pair.score
    taken: set[str] = set()
    groups = []
    for keeper in sorted(near, key=rank):
        if keeper in taken:
            continue
        free = {name: score for name, score in near[keeper].items() if name not in taken}
        if free:
            taken.update(free, [keeper])
            ranked = sorted(free.items(), key=lambda entry: (-entry[1], entry[0]))
            groups.append(DuplicateGroup(keeper, tuple(Neighbour(*entry) for entry in ranked)))
    return sorted(groups, key=lambda group: (-len(group.duplicates), group.keeper))
