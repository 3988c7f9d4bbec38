"""Made-up collections of vectors with known groups."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    ids: list[str]
    vectors: Matrix
    truth: list[int]

    def take(self, chosen: npt.NDArray[np.int64]) -> "Sample":
        return Sample(
            [self.ids[i] for i in chosen], self.vectors[chosen], [self.truth[i] for i in chosen]
        )

    def shuffled(self, seed: int) -> "Sample":
        return self.take(np.random.default_rng(seed).permutation(len(self.ids)))


def unit(rows: npt.NDArray[np.floating]) -> Matrix:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def themes(
    groups: int, each: int, *, dimensions: int = 64, within: float = 0.6, seed: int = 0
) -> Sample:
    """Equal groups around random centres; ``within`` is the cosine of two members."""
    generator = np.random.default_rng(seed)
    centres = unit(generator.normal(size=(groups, dimensions)))
    truth = np.repeat(np.arange(groups), each)
    noise = unit(generator.normal(size=(len(truth), dimensions)))
    vectors = unit(within**0.5 * centres[truth] + (1 - within) ** 0.5 * noise)
    return named(vectors, truth.tolist())


def library(items: int, *, dimensions: int = 128, noise: float = 0.15, seed: int = 0) -> Sample:
    """An uneven library: group sizes by a power law, related groups, and structured noise (-1)."""
    generator = np.random.default_rng(seed)
    groups, loose = int(2 * items**0.5), int(items * noise)
    themes_ = unit(generator.normal(size=(max(2, groups // 8), dimensions)))

    def around_theme(count: int) -> npt.NDArray[np.float64]:
        theme = themes_[generator.integers(0, len(themes_), count)]
        return 0.2**0.5 * theme + 0.8**0.5 * unit(generator.normal(size=(count, dimensions)))

    centres, within = unit(around_theme(groups)), generator.uniform(0.35, 0.8, groups)
    shares = (1.0 + np.arange(groups)) ** -0.8
    sizes = np.maximum(5, shares / shares.sum() * (items - loose)).astype(int)
    truth = np.repeat(np.arange(groups), sizes)
    own = unit(generator.normal(size=(len(truth), dimensions)))
    scale = within[truth, None]
    members = scale**0.5 * centres[truth] + (1 - scale) ** 0.5 * own
    everything = unit(np.vstack([members, around_theme(loose)]))
    return named(everything, [*truth.tolist(), *([-1] * loose)])


def noise(items: int, dimensions: int, seed: int = 0) -> Sample:
    generator = np.random.default_rng(seed)
    return named(unit(generator.normal(size=(items, dimensions))), [-1] * items)


def named(vectors: Matrix, truth: list[int]) -> Sample:
    """Ids in an order that has nothing to do with the groups."""
    order = np.random.default_rng(7).permutation(len(vectors))
    ids = [f"photo-{number:06d}" for number in range(len(vectors))]
    return Sample(ids, vectors[order], [truth[i] for i in order])
