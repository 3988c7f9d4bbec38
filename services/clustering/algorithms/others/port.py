"""What a way to find groups has to offer."""

from typing import ClassVar, Protocol

from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.prep import Matrix


class GroupingAlgorithm(Protocol):
    """A way to find groups, with its parameters.

    Deterministic: the same rows in the same order and the same seed give the same groups. ``most``
    is the number of distinct items that it can take in reasonable time and memory; smaller groups
    than ``least`` count as none.
    """

    most: ClassVar[int]

    @property
    def least(self) -> int:
        """The fewest items of a group."""

    def group(self, units: Matrix, seed: int) -> Indices:
        """(n,) the number of the group of each unit vector (n, d), -1 for none.

        Rows come in the order in which the items came in; n is at least 2.
        """
