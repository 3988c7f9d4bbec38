"""A scene: a title that file names are made of, and the function that paints it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
from PIL import Image

from demo.pictures.canvas import Canvas, Look
from demo.pictures.paints import Area, Array, Place

T = TypeVar("T")
Painter: TypeAlias = Callable[[Canvas, np.random.Generator], None]

LANDSCAPE = (4, 3)
WIDE = (3, 2)
PORTRAIT = (3, 4)
SQUARE = (1, 1)


@dataclass(frozen=True, slots=True)
class Scene:
    """``formats`` are the aspect ratios that suit the composition; takes go through them."""

    title: str
    paint: Painter
    formats: Sequence[tuple[int, int]] = (LANDSCAPE, PORTRAIT, WIDE, SQUARE)
    look: Look = field(default_factory=Look)

    def draw(self, rng: np.random.Generator, size: int, take: int) -> Image.Image:
        """A picture of as many pixels as one of ``size`` by three quarters of ``size``."""
        across, down = self.formats[take % len(self.formats)]
        width, height = (round(size * (0.75 * r) ** 0.5) for r in (across / down, down / across))
        # Painting at two thirds of the size halves the time; a lens is not sharper either.
        canvas = Canvas(width * 2 // 3, height * 2 // 3, take)
        self.paint(canvas, rng)
        return canvas.finish(rng, self._varied(rng), (width, height))

    def _varied(self, rng: np.random.Generator) -> Look:
        return Look(
            exposure=self.look.exposure * rng.uniform(0.96, 1.06),
            warmth=self.look.warmth + rng.uniform(-0.025, 0.035),
            contrast=self.look.contrast * rng.uniform(0.7, 1.3),
            vignette=self.look.vignette * rng.uniform(0.6, 1.3),
            grain=self.look.grain * rng.uniform(0.8, 1.2),
        )


def one_of(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def sparsely(
    rng: np.random.Generator, count: int, area: tuple[float, float], apart: float
) -> list[Place]:
    """Up to ``count`` random places in a (width, height) box, none closer than ``apart``."""
    tries = rng.random((count * 8, 2)) * np.array(area)
    kept = np.full((count, 2), np.inf)
    found = 0
    for place in tries:
        if found < count and np.all(((kept[:found] - place) ** 2).sum(axis=1) > apart**2):
            kept[found] = place
            found += 1
    return [(x, y) for x, y in kept[:found].tolist()]


def strewn(rng: np.random.Generator, area: tuple[float, float], apart: float) -> list[Place]:
    """Places all over a (width, height) box: a honeycomb of pitch ``apart``, shaken."""
    rows, columns = int(area[1] / apart / 0.87) + 2, int(area[0] / apart) + 2
    row, column = np.mgrid[0:rows, 0:columns]
    x = (column + row % 2 * 0.5) * apart + rng.uniform(-0.3, 0.3, row.shape) * apart
    y = row * 0.87 * apart + rng.uniform(-0.3, 0.3, row.shape) * apart
    return list(zip(x.ravel().tolist(), y.ravel().tolist(), strict=True))


def distance(area: Area, x: float, y: float) -> Array:
    """How far every pixel of ``area`` is from a place, in units."""
    far: Array = np.sqrt((area.x - np.float32(x)) ** 2 + (area.y - np.float32(y)) ** 2)
    return far
