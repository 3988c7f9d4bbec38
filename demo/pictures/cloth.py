"""Cloth: woven, printed and knitted patterns, and the folds that light shows on them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.paints import (
    Area,
    Array,
    Colour,
    blend,
    darker,
    lighter,
    mix,
    near,
    palette,
    planes,
)
from demo.pictures.scene import one_of
from demo.pictures.textures import noise, relief, step

_SETS = [
    "#f4efe4 #a83232 #24405e #d9a441",
    "#e9e2d3 #3f5f4a #1f2f2a #c96f3f",
    "#f3ece6 #c76b7f #6b2f45 #e0b7b0",
    "#eef1f2 #3f6f9a #16304f #e3b64f",
    "#2d3340 #c9b28a #8a3b3b #e8e2d6",
    "#f2e7c9 #d98a3f #7a4a2a #5f7a5a",
    "#e6e1ea #7a5f9a #3a2a55 #d9a7c0",
]
# A pattern: colours at places (u, v) that are measured in repeats, planar.
Weave: TypeAlias = Callable[[Array, Array, list[Colour]], Array]


def colours_of(rng: np.random.Generator) -> list[Colour]:
    """Four colours that go together: a ground, two main colours, an accent."""
    return [near(rng, colour, 0.03) for colour in palette(one_of(rng, _SETS))]


def gingham(u: Array, v: Array, colours: list[Colour]) -> Array:
    bands = (np.mod(u, 1) < 0.5).astype(np.float32) + (np.mod(v, 1) < 0.5).astype(np.float32)
    return blend(colours[0], colours[1], bands * np.float32(0.5))


def tartan(u: Array, v: Array, colours: list[Colour]) -> Array:
    """Bands of the sett across and along, crossed in a twill."""
    along, across = _sett(v * np.float32(0.5), colours), _sett(u * np.float32(0.5), colours)
    twill = np.mod(u * 14 + v * 14, 1) < 0.5
    return np.where(twill, along, across)


def _sett(place: Array, colours: list[Colour]) -> Array:
    """The bands of a tartan that repeat with every whole ``place``."""
    ground, first, second, line = (np.asarray(colour, np.float32) for colour in colours)
    table = np.repeat(second[None], 100, axis=0)
    table[:42], table[18:24] = first, ground
    table[68:70] = table[74:76] = line
    return np.take(table.T, (np.mod(place, 1) * np.float32(99.99)).astype(np.intp), axis=1)


def stripes(u: Array, v: Array, colours: list[Colour]) -> Array:
    wide = step(np.abs(np.mod(u, 1) - np.float32(0.5)), 0.24, 0.26)
    return blend(colours[0], colours[1], wide)


def dots(u: Array, v: Array, colours: list[Colour]) -> Array:
    a, b, _ = _half_drop(u, v, 1.6)
    return blend(colours[1], colours[0], 1 - step(np.sqrt(a * a + b * b), 0.24, 0.28))


def herringbone(u: Array, v: Array, colours: list[Colour]) -> Array:
    zigzag = np.abs(np.mod(u * np.float32(1.2), 2) - 1) * np.float32(3.6)
    line = step(np.abs(np.mod(v * 4 + zigzag, 1) - np.float32(0.5)), 0.2, 0.3)
    return blend(mix(colours[0], colours[2], 0.25), mix(colours[2], colours[0], 0.2), line)


def knit(u: Array, v: Array, colours: list[Colour]) -> Array:
    """Columns of V-shaped stitches."""
    a = np.abs(np.mod(u * 4, 1) - np.float32(0.5))
    b = np.abs(np.mod(v * 5 - a * np.float32(1.3), 1) - np.float32(0.5))
    groove = ((a < 0.06) | (a > 0.44)) * np.float32(0.5)
    yarn = np.clip(np.float32(1.15) - b * np.float32(1.5) - groove, 0, 1)
    return blend(darker(colours[1], 0.6), lighter(colours[1], 0.2), yarn)


def florals(u: Array, v: Array, colours: list[Colour]) -> Array:
    """A print of small five-petalled flowers."""
    a, b, row = _half_drop(u, v, 1.3)
    reach = np.sqrt(a * a + b * b)
    petals = np.float32(0.24) + np.float32(0.1) * np.cos(5 * np.arctan2(b, a) + row)
    cloth = blend(colours[2], colours[0], (reach < petals).astype(np.float32))
    return np.where(reach < 0.09, planes(colours[3]), cloth)


def plain(u: Array, v: Array, colours: list[Colour]) -> Array:
    thread = (np.mod(u * 22, 1) + np.mod(v * 22, 1)) * np.float32(0.25)
    return blend(colours[1], darker(colours[1], 0.16), thread)


def _half_drop(u: Array, v: Array, repeats: float) -> tuple[Array, Array, Array]:
    """Places within the cells of a half-drop repeat, from -0.5 to 0.5, and the cell's row."""
    scale = np.float32(repeats)
    row = np.floor(v * scale)
    across = np.mod(u * scale + row * np.float32(0.5), 1) - np.float32(0.5)
    return across, np.mod(v * scale, 1) - np.float32(0.5), row


WEAVES: tuple[Weave, ...] = (tartan, knit, dots, gingham, florals, herringbone, stripes, plain)


@dataclass(frozen=True, slots=True)
class Cloth:
    """A paint of cloth whose pattern repeats every ``pitch`` units, turned by ``turn`` radians.

    ``folds`` is a height field of the canvas's shape that bends the pattern.
    """

    weave: Weave
    colours: list[Colour]
    pitch: float
    turn: float = 0.0
    folds: Array | None = None

    def over(self, area: Area) -> Array:
        x, y = area.x, area.y
        if self.folds is not None:
            fold = self.folds[area.window]
            x, y = x + fold * np.float32(0.12), y + fold * np.float32(0.08)
        cos, sin = (np.float32(f(self.turn) / self.pitch) for f in (np.cos, np.sin))
        return self.weave(x * cos + y * sin, y * cos - x * sin, self.colours)


def fold_field(canvas: Canvas, rng: np.random.Generator, depth: float) -> Array:
    """Long soft ridges in one main direction, shape of the canvas, within 0..``depth``."""
    area, turn = canvas.whole, rng.uniform(-0.9, 0.9)
    drift = noise(rng, canvas.size, (2, 2), 2)
    across = area.x * np.float32(np.cos(turn)) + area.y * np.float32(np.sin(turn))
    across = (across + drift * np.float32(0.45)) * np.float32(rng.uniform(7, 13))
    ridge = np.float32(0.5) + np.float32(0.5) * np.sin(across)
    height: Array = ridge**1.5 * (np.float32(0.35) + drift * np.float32(0.65)) * np.float32(depth)
    return height


def fold_light(folds: Array) -> Array:
    """How folds darken and brighten cloth: a factor around 1, of the folds' shape."""
    return np.float32(0.36) + relief(folds, 4.5, 0.5) * np.float32(1.15)
