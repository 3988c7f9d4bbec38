"""Groups of near-duplicates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.clustering.domain.item import Neighbour, Pair, neighbours_of


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
    near = neighbours_of(pairs)
    taken: set[str] = set()
    groups = []
    for keeper in sorted(near, key=rank):
        if keeper in taken:
            continue
        free = [neighbour for neighbour in near[keeper] if neighbour.name not in taken]
        if free:
            taken.update([keeper], (neighbour.name for neighbour in free))
            ranked = sorted(free, key=lambda neighbour: (-neighbour.score, neighbour.name))
            groups.append(DuplicateGroup(keeper, tuple(ranked)))
    return sorted(groups, key=lambda group: (-len(group.duplicates), group.keeper))
