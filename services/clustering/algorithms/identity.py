"""Carrying the keys of groups over from one clustering to the next."""

from collections import Counter
from collections.abc import Mapping, Sequence

from services.clustering.algorithms.clustering import Diff, Previous

Groups = Mapping[str, Sequence[str]]

_LEAST_OVERLAP = 2
_LEAST_SHARE = 0.5
_SPLIT_SHARE = 0.2


def carry_keys(groups: Sequence[Sequence[str]], previous: Previous) -> tuple[list[str], int]:
    """A key for each new group, and the number of the next key.

    One to one, the largest overlap first, pinned groups before all others; an old key passes on
    when at least two items and half of the smaller group are common. The rest get keys never used
    before, in the order given.
    """
    given: dict[int, str] = {}
    taken: set[str] = set()
    for old, new in _candidates(groups, previous):
        if new not in given and old not in taken:
            given[new] = old
            taken.add(old)
    keys, number = [], previous.next_key
    for new in range(len(groups)):
        if new not in given:
            given[new] = f"g{number}"
            number += 1
        keys.append(given[new])
    return keys, number


def _candidates(groups: Sequence[Sequence[str]], previous: Previous) -> list[tuple[str, int]]:
    owner = _owners(previous.groups)
    found = []
    for new, group in enumerate(groups):
        overlaps = Counter(owner[item] for item in group if item in owner)
        for old, common in overlaps.items():
            smaller = min(len(group), len(previous.groups[old]))
            if common >= _LEAST_OVERLAP and common >= _LEAST_SHARE * smaller:
                found.append((old not in previous.pinned, -common, _age(old), new))
    return [(old[1], new) for _, _, old, new in sorted(found)]


def _age(key: str) -> tuple[int, str]:
    """Sorts keys with a running number oldest first."""
    return len(key), key


def _owners(groups: Groups) -> dict[str, str]:
    return {item: key for key, items in groups.items() for item in items}


def compare(before: Groups, after: Groups) -> Diff:
    """What happened to the groups, told by their keys and by where their members went."""
    owner = _owners(after)
    went = {
        key: Counter(owner[item] for item in items if item in owner)
        for key, items in before.items()
    }
    ended = [key for key in before if key not in after]
    merged = {key: target for key in ended if (target := _heir(len(before[key]), went[key]))}
    split = {
        key: parts
        for key, items in before.items()
        if key not in merged and len(parts := _parts(len(items), went[key])) > 1
    }
    return Diff(
        born=tuple(key for key in after if key not in before),
        split=split,
        merged=merged,
        retired=tuple(key for key in ended if key not in merged and key not in split),
    )


def _heir(size: int, went: Counter[str]) -> str | None:
    ranked = sorted(went.items(), key=lambda pair: (-pair[1], _age(pair[0])))
    return ranked[0][0] if ranked and ranked[0][1] >= _LEAST_SHARE * size else None


def _parts(size: int, went: Counter[str]) -> tuple[str, ...]:
    least = max(_LEAST_OVERLAP, _SPLIT_SHARE * size)
    return tuple(sorted((key for key, count in went.items() if count >= least), key=_age))
