"""Ways through a table of allowed moves."""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)


def shortest(allowed: Mapping[S, frozenset[S]], start: S, to: S) -> tuple[S, ...] | None:
    """The fewest moves from ``start`` to ``to``, without the start; None if there is no way.

    Of equally short ways it is the one first in the alphabet, so that it is always the same.
    """
    waiting: deque[tuple[S, tuple[S, ...]]] = deque([(start, ())])
    seen = {start}
    while waiting:
        current, moves = waiting.popleft()
        if current is to:
            return moves
        for following in sorted(allowed[current] - seen):
            seen.add(following)
            waiting.append((following, (*moves, following)))
    return None
