"""Which new items are copies of others, by the pairs that are known."""

from collections.abc import Collection, Iterable, Sequence

from services.clustering.domain.item import Pair, neighbours_of


def find_copies(
    newcomers: Sequence[str], pairs: Iterable[Pair], threshold: float, barred: Collection[str]
) -> dict[str, str]:
    """The item that each copy among ``newcomers`` is a copy of.

    One after the other, a newcomer is a copy of the nearest earlier item at or above the threshold
    that is no copy itself, else others may be copies of it. All that are no newcomers are earlier;
    ``barred`` are those of which nobody may be a copy.
    """
    near = neighbours_of(pair for pair in pairs if pair.score >= threshold)
    unsuited = {*newcomers, *barred}
    copies: dict[str, str] = {}
    for name in newcomers:
        there = [neighbour for neighbour in near.get(name, ()) if neighbour.name not in unsuited]
        if there:
            copies[name] = min(there, key=lambda n: (-n.score, n.name)).name
        elif name not in barred:
            unsuited.discard(name)
    return copies
