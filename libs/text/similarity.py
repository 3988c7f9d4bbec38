"""How alike two texts are, by the words and pieces of words that they share.

A text becomes a vector: its words without stop words count once, each pair of neighbouring words
once, each run of four characters within a word (with a blank before and behind it) half. A feature
that occurs n times weighs (1 + ln n) of that. Each is hashed to one of 4096 places and added there
with a sign of its own, so that collisions cancel out on average (the hashing trick: Weinberger et
al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009; character n-grams for telling
texts apart: Cavnar and Trenkle, 1994). Two texts are as alike as the cosine of their vectors: 1 for
the same words in the same order, around 0 for texts without anything in common. No model is
needed, and the same texts give the same number everywhere.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from libs.text.words import stems

Vector = NDArray[np.float32]

DIMENSIONS = 4096
_PIECE = 4
_PIECE_WEIGHT = 0.5


def vector_of(text: str) -> Vector:
    """The vector of ``text``, of length 1; all zeros for a text without words."""
    vector = np.zeros(DIMENSIONS, np.float32)
    for (feature, weight), count in Counter(_features(text)).items():
        place, sign = _place(feature)
        vector[place] += sign * weight * (1 + math.log(count))
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


def similarity(one: str, other: str) -> float:
    """The cosine of two texts."""
    return float(vector_of(one) @ vector_of(other))


class Texts:
    """Texts that others are compared with. Grows; holds 16 kB for each text."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        vectors = [vector_of(text) for text in texts]
        self._vectors = np.stack(vectors) if vectors else np.zeros((0, DIMENSIONS), np.float32)

    def add(self, text: str) -> None:
        """One more."""
        self._vectors = np.vstack((self._vectors, vector_of(text)))

    def closest(self, text: str) -> float:
        """The highest cosine of ``text`` with one of them; 0 if there is none."""
        return float((self._vectors @ vector_of(text)).max(initial=0.0))


def _features(text: str) -> Iterator[tuple[str, float]]:
    found = stems(text)
    for word in found:
        yield f"w {word}", 1.0
        padded = f" {word} "
        for start in range(max(1, len(padded) - _PIECE + 1)):
            yield f"c {padded[start : start + _PIECE]}", _PIECE_WEIGHT
    for first, second in pairwise(found):
        yield f"p {first} {second}", 1.0


@lru_cache(maxsize=65536)
def _place(feature: str) -> tuple[int, int]:
    number = int.from_bytes(blake2b(feature.encode(), digest_size=4).digest())
    return number % DIMENSIONS, 1 if number >> 31 else -1
