"""What of a large fit is elsewhere in the version that is made of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.clustering.domain.curation import Curation
from services.clustering.domain.shard import Spot


@dataclass(frozen=True, slots=True)
class Move:
    """A point of a ``group`` (-1 for none), from the key that it counts for in the fit to the one
    that it counts for in the version; empty for none. One that is ``gone`` does not wait for one
    either."""

    point_id: str
    group: int
    before: str
    after: str
    gone: bool


def moves_of(
    spots: Iterable[Spot],
    groups: Sequence[str],
    homes: Mapping[int, str],
    keys: Mapping[str, str],
    curation: Curation,
    pool: Collection[str],
) -> list[Move]:
    """What follows for the memory from what is gone and from what people decided.

    ``groups`` are the keys of the groups' clusters, ``homes`` the ids of these by group, ``keys``
    those of clusters by id; a cluster of people's own has an empty one. ``pool`` are the points
    that wait. Locked items count where they are locked, if they are no copies there.
    """
    locked = {m.item: (id, m) for id, members in curation.locked.items() for m in members}
    waiting = frozenset(pool)
    moves = []
    for spot in spots:
        home = homes.get(spot.group)
        counts = not spot.copy or spot.freed
        if spot.item in locked:
            home, member = locked[spot.item]
            counts = not member.duplicate_of
        elif home is not None and spot.item in curation.refused.get(home, ()):
            home = None
        before = groups[spot.group] if spot.group >= 0 and not spot.copy else ""
        after = keys.get(home, "") if home is not None and counts and spot.item else ""
        gone = not spot.item or not counts or (home is not None and not after)
        if before != after or (gone and spot.point_id in waiting):
            moves.append(Move(spot.point_id, spot.group, before, after, gone))
    return moves
