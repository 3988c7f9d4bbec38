"""Towers with lit windows and house fronts: what the city's scenes are built of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.outlines import Outline, box, ellipse, polygon
from demo.pictures.paints import Colour, Place, Ramp, darker, lighter, mix, near, palette, rgb
from demo.pictures.scene import one_of
from demo.pictures.skies import Hour
from demo.pictures.textures import noise

LAMPS = palette("#ffd890 #ffc46b #fff1cf #f7e3b0")
WALLS = palette("#c96f55 #d9c8ae #8fa3a8 #e0b27a #b9574a #7f8f7a #e3d5bf #c99a8a")
_FRAME = rgb("#efe9dd")


@dataclass(frozen=True, slots=True)
class Tower:
    """The front of a high building, in canvas units."""

    left: float
    top: float
    right: float
    base: float

    def crown(self, rng: np.random.Generator) -> Sequence[Outline]:
        """What stands on the roof: a setback with a mast, a gable, a slope, or nothing."""
        width, kind = self.right - self.left, rng.random()
        middle = (self.left + self.right) / 2
        if kind < 0.25:
            inset = width * 0.2
            step = box(self.left + inset, self.top - width * 0.35, self.right - inset, self.top)
            return [step, box(middle - 0.002, self.top - width * 1.1, middle + 0.002, self.top)]
        left, right, top = (self.left, self.top), (self.right, self.top), self.top
        if kind < 0.4:
            return [polygon(left, (middle, top - width * 0.8), right)]
        if kind < 0.5:
            return [polygon(left, (self.right, top - width * 0.5), right)]
        return []

    def windows(self, pitch: float) -> list[Outline]:
        columns = np.arange(self.left + pitch * 0.5, self.right - pitch * 0.5, pitch)
        rows = np.arange(self.top + pitch * 0.6, self.base - pitch, pitch * 1.35)
        pane = box(0, 0, pitch * 0.55, pitch * 0.75)
        return [pane + np.array([x, y]) for x in columns for y in rows]


def towers(canvas: Canvas, rng: np.random.Generator, hour: Hour, shore: float, depth: int) -> None:
    """One row of buildings that stand on ``shore``; ``depth`` 0 is the farthest and haziest."""
    wall = mix(rgb("#46525f"), darker(hour.haze, 0.62), 0.5)
    wall = darker(mix(hour.haze, wall, 0.22 + depth * 0.25), hour.dark * 0.45)
    x = rng.uniform(-0.15, 0)
    while x < canvas.w:
        width = rng.uniform(0.05, 0.13) * (0.8 + depth * 0.12)
        middle = 1 - abs(x / canvas.w - 0.5)
        tall = rng.uniform(0.12, 0.34) * (1.25 - depth * 0.17) * (0.45 + middle)
        tall *= 1.5 if rng.random() < 0.1 else 1.0
        tower = Tower(x, shore - tall, x + width, shore)
        _paint_tower(canvas, rng, hour, tower, near(rng, wall, 0.02))
        if depth:
            light_windows(canvas, rng, hour, tower.windows(0.012 + 0.002 * depth))
        x += width * rng.uniform(0.85, 1.25)


def _paint_tower(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, tower: Tower, wall: Colour
) -> None:
    body = box(tower.left, tower.top, tower.right, tower.base + 0.01)
    down = (0.0, tower.top), (0.0, tower.base)
    canvas.fill([body, *tower.crown(rng)], Ramp(*down, [wall, mix(wall, hour.haze, 0.35)]))
    split = tower.left + (tower.right - tower.left) * rng.uniform(0.35, 0.7)
    sunlit = mix(wall, hour.sun, 0.3 * (1 - hour.dark))
    side = box(tower.left, tower.top, split, tower.base)
    canvas.fill(side, Ramp(*down, [sunlit, wall]), opacity=0.7)


def light_windows(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, panes: list[Outline]
) -> None:
    """Glass that mirrors the sky; in the dark some of it is lit."""
    lit = rng.random(len(panes)) < hour.dark * rng.uniform(0.25, 0.7)
    glass = mix(rgb("#1d2733"), hour.sky[2], 0.45 * (1 - hour.dark))
    canvas.fill([p for p, on in zip(panes, lit, strict=True) if not on], glass, opacity=0.5)
    bright = [p for p, on in zip(panes, lit, strict=True) if on]
    canvas.fill(bright, one_of(rng, LAMPS), opacity=0.9)


def wall_surface(canvas: Canvas, rng: np.random.Generator, wall: Colour) -> None:
    """Plaster or bricks over the whole canvas."""
    if canvas.take % 2:
        canvas.wash(wall)
        canvas.tint(np.float32(0.82) + np.float32(0.36) * noise(rng, canvas.size, (3, 4), 6, 0.6))
        return
    high = rng.uniform(0.016, 0.024)
    tones: list[list[Outline]] = [[], [], []]
    for row in range(int(canvas.h / high) + 1):
        for x in np.arange(-high * (row % 2), canvas.w, high * 2.4):
            brick = box(x, row * high, x + high * 2.25, row * high + high * 0.86)
            tones[int(rng.integers(3))].append(brick)
    canvas.wash(mix(wall, rgb("#d8cfc4"), 0.6))
    for shade, bricks in enumerate(tones):
        canvas.fill(bricks, darker(near(rng, wall, 0.03), shade * 0.12))


def windowpanes(
    canvas: Canvas, rng: np.random.Generator, places: list[Place], half: float, tall: float
) -> None:
    """Windows with white frames around ``places``; a few are lit from inside."""

    def around(share: float, drop: float = 0.0) -> list[Outline]:
        pane = box(-half * share, -tall * share, half * share, tall * share) + drop
        return [pane + np.array(place) for place in places]

    canvas.shade(around(1.05, 0.018), 0.55, soft=0.03)
    canvas.fill(around(1.1), _FRAME)
    sky, lamp = palette("#34414d #8fb0c4 #26303a"), palette("#ffd68c #f3b866 #a8662f")
    for (x, y), frame in zip(places, around(1.0), strict=True):
        glass = lamp if rng.random() < 0.15 else sky
        canvas.fill(frame, Ramp((x - half, y - tall), (x + half, y + tall), glass))
    bars = [
        box(-0.004, -tall, 0.004, tall),
        *(box(-half, tall * share, half, tall * share + 0.006) for share in (-0.4, 0.3)),
    ]
    canvas.fill([bar + np.array(place) for place in places for bar in bars], _FRAME)


def shutters(canvas: Canvas, places: list[Place], half: float, tall: float, paint: Colour) -> None:
    """Open shutters with slats on both sides of windows."""
    wide = half * 0.75
    panel = box(0, -tall, wide, tall)
    slats = [
        box(0.006, y, wide - 0.006, y + 0.004) for y in np.arange(-tall * 0.92, tall * 0.9, 0.015)
    ]
    corners = [
        np.array([x + start, y]) for x, y in places for start in (half * 1.15, -half * 1.15 - wide)
    ]
    canvas.shade([panel + corner + 0.012 for corner in corners], 0.4, soft=0.02)
    canvas.fill([panel + corner for corner in corners], paint)
    edge = box(0, -tall, wide * 0.3, tall)
    canvas.shine(
        [edge + corner for corner in corners], lighter(paint, 0.3), soft=0.02, strength=0.4
    )
    canvas.shade([slat + corner for corner in corners for slat in slats], 0.4)


def flower_boxes(
    canvas: Canvas, rng: np.random.Generator, places: list[Place], half: float
) -> None:
    """Boxes full of one kind of flowers, their upper edges centred on ``places``."""
    petals = one_of(rng, palette("#d9436a #f2c14e #f4f0f4 #e0653a"))
    dot = ellipse(0, -0.014, 0.0095)
    for colour, count in ((rgb("#4f7a45"), 40), (petals, 26)):
        spread = rng.normal(0, 1, (len(places), count, 2)).clip(-2, 2) * (half * 0.45, 0.016)
        tufts = [dot + spot for spot in (spread + np.array(places)[:, None]).reshape(-1, 2)]
        canvas.fill(tufts, colour)
    boxes = [box(x - half, y, x + half, y + 0.03) for x, y in places]
    canvas.shade([part + 0.01 for part in boxes], 0.4, soft=0.015)
    canvas.fill(boxes, rgb("#84593c"))
    canvas.shade([part + np.array([0, 0.02]) for part in boxes], 0.3, soft=0.015)
