"""A descriptor without learned weights, for installations that lack the network's package.

Three kinds of blocks, each the square root of a histogram, brought to unit length, weighted, joined
and brought to unit length again (714 numbers in all):

- colour: how much of the picture is near each of 90 fixed colours in Oklab (Björn Ottosson, 2020);
- layout: how much edge of 6 directions lies in each cell of a 4 x 4 grid, at 64 and 32 pixels;
- texture: how often an edge of one of 6 signed directions meets another at a displacement of two
  pixels (right, down, both diagonals), at 128, 64 and 32 pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.embedding.graph import Graph

SIDE = 128
DIMENSION = 714

_DIRECTIONS = 6
_GRID = 4
_REACH = 2
_COLOUR_WEIGHT, _LAYOUT_WEIGHT, _TEXTURE_WEIGHT = 1.0, 0.7, 0.6
_TINY = 1e-8

# https://bottosson.github.io/posts/oklab/: linear sRGB to cone responses, their cube root to Lab.
_RGB_TO_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LMS_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_GREYS = np.linspace(0.05, 1.0, 6)
_RINGS = ((0.07, (0.3, 0.5, 0.7, 0.85)), (0.16, (0.45, 0.65, 0.8)))
_HUES = np.arange(12) * (np.pi / 6)
_SHARPNESS = np.array([60.0, 240.0, 240.0])


def build_descriptor() -> bytes:
    """The ONNX file: float32 [N, 3, 128, 128] in 0..1 to unit vectors [N, 714]."""
    return _Builder().build()


class _Builder:
    def __init__(self) -> None:
        self._graph = Graph("descriptor-714")
        self._channels = self._graph.constant(np.array([1], dtype=np.int64))

    def build(self) -> bytes:
        graph = self._graph
        lab = self._oklab(graph.INPUT)
        light = [self._lightness(lab)]
        light += [self._halved(light[0])]
        light += [self._halved(light[1])]
        gradients = [self._gradient(plane) for plane in light]
        blocks = [(self._colour(lab), _COLOUR_WEIGHT)]
        blocks += [
            (self._layout(*gradient, SIDE >> level), _LAYOUT_WEIGHT)
            for level, gradient in enumerate(gradients)
            if level > 0
        ]
        blocks += [
            (self._texture(*gradient, SIDE >> level), _TEXTURE_WEIGHT)
            for level, gradient in enumerate(gradients)
        ]
        joined = graph.add("Concat", *(self._weighted(*block) for block in blocks), axis=1)
        return graph.serialised(self._unit(joined), (SIDE, SIDE), DIMENSION)

    def _oklab(self, rgb: str) -> str:
        scalar, add = self._graph.scalar, self._graph.add
        clipped = add("Clip", rgb, scalar(0.0), scalar(1.0))
        # The curved part of the sRGB transfer function; its short straight part hardly matters.
        shifted = add("Mul", add("Add", clipped, scalar(0.055)), scalar(1 / 1.055))
        linear = add("Pow", shifted, scalar(2.4))
        cones = add("Add", self._mixed(linear, _RGB_TO_LMS), scalar(1e-6))
        return self._mixed(add("Pow", cones, scalar(1 / 3)), _LMS_TO_LAB)

    def _lightness(self, lab: str) -> str:
        return self._mixed(lab, [[1.0, 0.0, 0.0]])

    def _colour(self, lab: str) -> str:
        """Softmax over minus the squared distance to each colour of the palette, averaged."""
        palette = _palette()
        weights = 2.0 * palette * _SHARPNESS
        bias = -np.sum(palette**2 * _SHARPNESS, axis=1)
        scores = self._mixed(self._halved(lab), weights, bias)
        shares = self._graph.add("Softmax", scores, axis=1)
        return self._histogram(self._graph.add("GlobalAveragePool", shares))

    def _layout(self, gradient: str, strength: str, side: int) -> str:
        """Unsigned directions pooled in a grid, each cell relative to its own edges."""
        angles = np.arange(_DIRECTIONS) * (np.pi / _DIRECTIONS)
        maps = self._directions(gradient, strength, angles, "Abs")
        cell = side // _GRID
        cells = self._graph.add("AveragePool", maps, kernel_shape=[cell] * 2, strides=[cell] * 2)
        length = self._graph.add("Sqrt", self._sum_of_squares(cells))
        floor = self._graph.scalar(0.01)
        return self._histogram(self._graph.add("Div", cells, self._graph.add("Add", length, floor)))

    def _texture(self, gradient: str, strength: str, side: int) -> str:
        angles = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
        maps = self._directions(gradient, strength, angles, "Relu")
        near, far = (0, side - _REACH), (_REACH, side)
        whole = (0, side)
        pairs = (
            ((whole, near), (whole, far)),
            ((near, whole), (far, whole)),
            ((near, near), (far, far)),
            ((near, far), (far, near)),
        )
        products = [self._co_occurrence(maps, here, there) for here, there in pairs]
        return self._histogram(self._graph.add("Concat", *products, axis=1))

    def _co_occurrence(
        self, maps: str, here: tuple[tuple[int, int], ...], there: tuple[tuple[int, int], ...]
    ) -> str:
        """The mean product of each direction here with each direction there."""
        add = self._graph.add
        first, second = self._flat_window(maps, here), self._flat_window(maps, there)
        products = add("MatMul", first, add("Transpose", second, perm=[0, 2, 1]))
        (top, bottom), (left, right) = here
        share = 1.0 / ((bottom - top) * (right - left))
        return add("Flatten", add("Mul", products, self._graph.scalar(share)), axis=1)

    def _flat_window(self, maps: str, window: tuple[tuple[int, int], ...]) -> str:
        starts, ends = np.array(window, dtype=np.int64).T
        axes = np.array([2, 3], dtype=np.int64)
        constants = [self._graph.constant(np.ascontiguousarray(c)) for c in (starts, ends, axes)]
        cut = self._graph.add("Slice", maps, *constants)
        shape = self._graph.constant(np.array([0, 0, -1], dtype=np.int64))
        return self._graph.add("Reshape", cut, shape)

    def _gradient(self, plane: str) -> tuple[str, str]:
        """Sobel's horizontal and vertical differences, and their length."""
        across = np.outer([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0]) / 8
        kernel = np.stack([across, across.T])[:, None].astype(np.float32)
        pads = self._graph.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], dtype=np.int64))
        padded = self._graph.add("Pad", plane, pads, mode="edge")
        gradient = self._graph.add("Conv", padded, self._graph.constant(kernel))
        return gradient, self._graph.add("Sqrt", self._above_zero(self._sum_of_squares(gradient)))

    def _directions(
        self, gradient: str, strength: str, angles: NDArray[np.floating[Any]], fold: str
    ) -> str:
        """One map a direction: the strength, shared out by the fourth power of the cosine."""
        add = self._graph.add
        axes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cosines = add(fold, add("Div", self._mixed(gradient, axes), strength))
        squares = add("Mul", cosines, cosines)
        powers = add("Mul", squares, squares)
        total = self._above_zero(add("ReduceSum", powers, self._channels, keepdims=1))
        return add("Mul", add("Div", powers, total), strength)

    def _histogram(self, counts: str) -> str:
        """The square root makes the dot product of two histograms Bhattacharyya's coefficient."""
        flat = self._graph.add("Relu", self._graph.add("Flatten", counts, axis=1))
        return self._graph.add("Sqrt", self._graph.add("Add", flat, self._graph.scalar(1e-12)))

    def _weighted(self, block: str, weight: float) -> str:
        return self._graph.add("Mul", self._unit(block), self._graph.scalar(weight))

    def _unit(self, rows: str) -> str:
        length = self._graph.add("Sqrt", self._sum_of_squares(rows))
        return self._graph.add("Div", rows, self._above_zero(length))

    def _sum_of_squares(self, value: str) -> str:
        squares = self._graph.add("Mul", value, value)
        return self._graph.add("ReduceSum", squares, self._channels, keepdims=1)

    def _above_zero(self, value: str) -> str:
        return self._graph.add("Add", value, self._graph.scalar(_TINY))

    def _halved(self, planes: str) -> str:
        return self._graph.add("AveragePool", planes, kernel_shape=[2, 2], strides=[2, 2])

    def _mixed(
        self,
        planes: str,
        matrix: Sequence[Sequence[float]] | NDArray[np.float64],
        bias: NDArray[np.float64] | None = None,
    ) -> str:
        """``matrix`` [out, in] applied to the channels of every pixel."""
        constants = [np.asarray(matrix, dtype=np.float32)[:, :, None, None]]
        if bias is not None:
            constants.append(bias.astype(np.float32))
        return self._graph.add("Conv", planes, *(self._graph.constant(c) for c in constants))


def _palette() -> NDArray[np.float64]:
    """90 colours in Oklab: 6 greys, then rings of 12 hues at two chromas and some lightnesses."""
    greys = [(light, 0.0, 0.0) for light in _GREYS]
    rings = [
        (light, chroma * np.cos(hue), chroma * np.sin(hue))
        for chroma, lights in _RINGS
        for light in lights
        for hue in _HUES
    ]
    return np.array(greys + rings)
