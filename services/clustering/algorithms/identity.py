"""Carrying the keys of groups over from one clustering to the next."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from services.clustering.algorithms.clustering import Diff, Previous

Groups = Mapping[str, Sequence[str]]
Flows = Mapping[str, Mapping[str, int]]
"""By old key and new one, how many items went from the one group to the other."""

_LEAST_OVERLAP = 2
_LEAST_SHARE = 0.5
_SPLIT_SHARE = 0.2


def carry_keys(groups: Sequence[Sequence[str]], previous: Previous) -> tuple[list[str], int]:
    """A key for each new group, and the number of the next key; see ``carry``."""
    owner = _owners(previous.groups)
    overlaps = [Counter(owner[item] for item in group if item in owner) for group in groups]
    sizes = {key: len(items) for key, items in previous.groups.items()}
    return carry([*map(len, groups)], overlaps, sizes, previous.next_key, previous.pinned)


def carry(
    sizes: Sequence[int],
    overlaps: Sequence[Mapping[str, int]],
    before: Mapping[str, int],
    next_key: int,
    pinned: Collection[str] = (),
) -> tuple[list[str], int]:
    """A key for each new group, and the number of the next key.

    ``sizes`` are those of the new groups, ``overlaps`` how many items each has in common with old
    ones, ``before`` the sizes of these, all by key. One to one, the largest overlap first, pinned
    groups before all others; an old key passes on when at least two items and half of the smaller
    group are common. The rest get keys never used before, in the order given.
    """
    given: dict[int, str] = {}
    taken: set[str] = set()
    for old, new in _candidates(sizes, overlaps, before, pinned):
        if new not in given and old not in taken:
            given[new] = old
            taken.add(old)
    keys, number = [], next_key
    for new in range(len(sizes)):
        if new not in given:
            given[new] = f"g{number}"
            number += 1
        keys.append(given[new])
    return keys, number


def _candidates(
    sizes: Sequence[int],
    overlaps: Sequence[Mapping[str, int]],
    before: Mapping[str, int],
    pinned: Collection[str],
) -> list[tuple[str, int]]:
    found = []
    for new, those in enumerate(overlaps):
        for old, common in those.items():
            smaller = min(sizes[new], before[old])
            if common >= _LEAST_OVERLAP and common >= _LEAST_SHARE * smaller:
                found.append((old not in pinned, -common, _age(old), new))
    return [(old[1], new) for _, _, old, new in sorted(found)]


def _age(key: str) -> tuple[int, str]:
    """Sorts keys with a running number oldest first."""
    return len(key), key


def _owners(groups: Groups) -> dict[str, str]:
    return {item: key for key, items in groups.items() for item in items}


def compare(before: Groups, after: Groups) -> Diff:
    """What happened to the groups, told by their keys and by where their members went."""
    owner = _owners(after)
    flows = {
        key: Counter(owner[item] for item in items if item in owner)
        for key, items in before.items()
    }
    return compare_flows({key: len(items) for key, items in before.items()}, [*after], flows)


def compare_flows(before: Mapping[str, int], after: Sequence[str], flows: Flows) -> Diff:
    """The same from the sizes of the old groups, by key, the keys of the new ones, and where the
    members went."""
    kept = set(after)
    went: Flows = {key: flows.get(key, {}) for key in before}
    ended = [key for key in before if key not in kept]
    merged = {key: target for key in ended if (target := _heir(before[key], went[key]))}
    split = {
        key: parts
        for key, size in before.items()
        if key not in merged and len(parts := _parts(size, went[key])) > 1
    }
    return Diff(
        born=tuple(key for key in after if key not in before),
        split=split,
        merged=merged,
        retired=tuple(key for key in ended if key not in merged and key not in split),
    )


def _heir(size: int, went: Mapping[str, int]) -> str | None:
    ranked = sorted(went.items(), key=lambda pair: (-pair[1], _age(pair[0])))
    return ranked[0][0] if ranked and ranked[0][1] >= _LEAST_SHARE * size else None


def _parts(size: int, went: Mapping[str, int]) -> tuple[str, ...]:
    least = max(_LEAST_OVERLAP, _SPLIT_SHARE * size)
    return tuple(sorted((key for key, count in went.items() if count >= least), key=_age))
