"""Colours and what varies them over an area: ramps, radial light and textures.

A colour is three numbers in 0..1 (red, green, blue, as stored in a JPEG). Places and lengths are
in units of the picture's shorter side; x runs right, y runs down. Arrays of colour are planar,
shape (3, height, width): numpy works on long rows several times faster than on runs of three.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]
Colour: TypeAlias = tuple[float, float, float]
Place: TypeAlias = tuple[float, float]

WHITE: Colour = (1.0, 1.0, 1.0)
BLACK: Colour = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of pixels; ``scale`` is pixels per unit."""

    top: int
    left: int
    height: int
    width: int
    scale: float

    @property
    def x(self) -> Array:
        """Pixel centres in units, shape (1, width)."""
        return ((np.arange(self.width, dtype=np.float32) + self.left + 0.5) / self.scale)[None, :]

    @property
    def y(self) -> Array:
        """Pixel centres in units, shape (height, 1)."""
        return ((np.arange(self.height, dtype=np.float32) + self.top + 0.5) / self.scale)[:, None]

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of a whole picture that this is."""
        rows = slice(self.top, self.top + self.height)
        return rows, slice(self.left, self.left + self.width)

    def bands(self) -> Iterator["Area"]:
        """The same rectangle in slices of some ten thousand pixels, from top to bottom.

        Working arrays of that size stay in the cache and in memory that is already mapped, which
        makes painting several times faster than whole pictures at once.
        """
        rows = max(1, 30_000 // max(1, self.width))
        for top in range(0, self.height, rows):
            height = min(rows, self.height - top)
            yield Area(self.top + top, self.left, height, self.width, self.scale)


class Paint(Protocol):
    """Anything that has a colour at every place."""

    def over(self, area: Area) -> Array:
        """Colours that broadcast to (3, height, width)."""
        ...


@dataclass(frozen=True, slots=True)
class Ramp:
    """Colours in equal steps from one place to another, constant across that line."""

    start: Place
    end: Place
    colours: Sequence[Colour]

    def over(self, area: Area) -> Array:
        dx, dy = self.end[0] - self.start[0], self.end[1] - self.start[1]
        length = dx * dx + dy * dy
        down: Array = (area.y - np.float32(self.start[1])) * np.float32(dy / length)
        across: Array = (area.x - np.float32(self.start[0])) * np.float32(dx / length)
        if dx == 0 or dy == 0:
            return stops(down if dx == 0 else across, self.colours)
        return stops(across + down, self.colours)


@dataclass(frozen=True, slots=True)
class Radial:
    """Colours in equal steps from a centre outwards; ``squash`` flattens the rings vertically."""

    centre: Place
    radius: float
    colours: Sequence[Colour]
    squash: float = 1.0

    def over(self, area: Area) -> Array:
        dx = (area.x - np.float32(self.centre[0])) / np.float32(self.radius)
        dy = (area.y - np.float32(self.centre[1])) / np.float32(self.radius * self.squash)
        return stops(np.sqrt(dx * dx + dy * dy), self.colours)


@dataclass(frozen=True, slots=True)
class Texture:
    """The pixels of a whole canvas, shape (3, height, width)."""

    pixels: Array

    def over(self, area: Area) -> Array:
        rows, columns = area.window
        return self.pixels[:, rows, columns]


def planes(colour: Colour) -> Array:
    """A colour as an array that broadcasts with planar pixels, shape (3, 1, 1)."""
    return np.asarray(colour, dtype=np.float32)[:, None, None]


def blend(first: Colour, second: Colour, share: Array) -> Array:
    """``first`` where ``share`` is 0, ``second`` where it is 1, shape (3, *share.shape)."""
    start = planes(first)
    blended: Array = start + share * (planes(second) - start)
    return blended


def stops(along: Array, colours: Sequence[Colour]) -> Array:
    """Colours at ``along`` (0 = first, 1 = last, held beyond), shape (3, *along.shape)."""
    if len(colours) == 2:
        return blend(colours[0], colours[1], np.clip(along, 0, 1))
    table = np.asarray(colours, dtype=np.float32)
    fine = np.arange(1024) * ((len(table) - 1) / 1023)
    lookup = np.stack([np.interp(fine, np.arange(len(table)), table[:, k]) for k in range(3)])
    index = np.clip(along * 1023, 0, 1023).astype(np.intp)
    return np.take(lookup.astype(np.float32), index, axis=1)


def rgb(code: str) -> Colour:
    """The colour of a hexadecimal code like ``#f4e3c1``."""
    red, green, blue = bytes.fromhex(code.removeprefix("#"))
    return (red / 255, green / 255, blue / 255)


def palette(codes: str) -> list[Colour]:
    """The colours of hexadecimal codes divided by spaces."""
    return [rgb(code) for code in codes.split()]


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``first`` at share 0, ``second`` at share 1."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def lighter(colour: Colour, share: float) -> Colour:
    return mix(colour, WHITE, share)


def darker(colour: Colour, share: float) -> Colour:
    return mix(colour, BLACK, share)


def near(rng: np.random.Generator, colour: Colour, spread: float = 0.05) -> Colour:
    """A colour a little beside ``colour``, each channel at most ``spread`` away."""
    red, green, blue = (
        min(max(channel + rng.uniform(-spread, spread), 0.0), 1.0) for channel in colour
    )
    return (red, green, blue)
