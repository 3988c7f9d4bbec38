"""Skies at different hours, what the light of an hour does to things, and mirrors of water."""

from dataclasses import dataclass

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.outlines import box, ellipse
from demo.pictures.paints import Colour, Ramp, blend, lighter, mix, palette, planes, rgb
from demo.pictures.scene import distance
from demo.pictures.textures import noise, step


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour's light: the sky from top to horizon, the far haze, sunlight, and how dark it is."""

    sky: list[Colour]
    haze: Colour
    sun: Colour
    cloud: Colour
    dark: float


DAWN = Hour(
    palette("#5b6ea3 #a58bb0 #f0b3a0 #fbd9ae"), rgb("#e9b9a8"), rgb("#ffd9a0"), rgb("#f6b9a6"), 0.3
)
DAY = Hour(
    palette("#2f74b8 #5f9fd2 #a9cfe8 #dcebf2"), rgb("#bcd4e4"), rgb("#fff8e6"), rgb("#ffffff"), 0.0
)
GOLDEN = Hour(
    palette("#4f7ba5 #a7b3b4 #f3c98d #f9a95c"), rgb("#f0b87e"), rgb("#ffe0a0"), rgb("#ffcf94"), 0.15
)
SUNSET = Hour(
    palette("#2b2d5b #79437a #d9605b #fdb062"), rgb("#c9705f"), rgb("#ffcf7a"), rgb("#f27a5e"), 0.5
)
DUSK = Hour(
    palette("#141d3d #2e3f72 #7a6797 #e0a08c"), rgb("#6f6690"), rgb("#f5c6a0"), rgb("#a58aa8"), 0.75
)
NIGHT = Hour(
    palette("#050814 #0c1430 #182649 #2b3a5e"), rgb("#24324f"), rgb("#dfe6f5"), rgb("#2a3656"), 1.0
)
OVERCAST = Hour(
    palette("#8b99a5 #a9b4bc #c6cdd0 #dfe1df"), rgb("#c3cbd0"), rgb("#f4f2ec"), rgb("#eceeee"), 0.1
)


def paint_sky(canvas: Canvas, rng: np.random.Generator, hour: Hour, horizon: float) -> None:
    """Sky down to ``horizon``, mostly with clouds, and with stars when it is night."""
    canvas.fill(box(-1, -1, 3, horizon + 0.02), Ramp((0, 0), (0, horizon), hour.sky))
    if hour.dark > 0.9:
        _stars(canvas, rng, horizon)
    if rng.random() < 0.85:
        _clouds(canvas, rng, hour, horizon)


def paint_sun(canvas: Canvas, hour: Hour, x: float, y: float, radius: float) -> None:
    """The disc (or the moon at night) with its glow."""
    glow = np.exp(-distance(canvas.whole, x, y) / np.float32(radius * 5))
    glow *= np.float32(0.75 * (1 - hour.dark * 0.6))
    canvas.wash(mix(hour.sun, hour.sky[-1], 0.25), glow)
    canvas.shine(ellipse(x, y, radius * 2), hour.sun, soft=radius * 2, strength=0.5)
    canvas.fill(ellipse(x, y, radius), lighter(hour.sun, 0.6), soft=radius * 0.12)


def _clouds(canvas: Canvas, rng: np.random.Generator, hour: Hour, horizon: float) -> None:
    """Noise cut at a random level; its upper edges catch the light."""
    rows = max(8, min(canvas.size[0], round(horizon * canvas.scale)))
    wide = rng.uniform(1.5, 3.5)
    field = noise(rng, (rows, canvas.size[1]), (wide * rng.uniform(1.2, 3), wide), 5, 0.55)
    level = rng.uniform(0.42, 0.62)
    fade = 0.95 - np.linspace(0, 0.55, rows, dtype=np.float32)[:, None]
    thick = step(field, level, level + 0.28) * fade
    above = np.roll(field, max(2, rows // 30), axis=0)
    lit = np.clip((field - above) * 4 + np.float32(0.55), 0, 1)
    part = canvas.pixels[:, :rows]
    part += (blend(mix(hour.sky[1], hour.haze, 0.5), hour.cloud, lit) - part) * thick


def _stars(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    for size, count in ((0.0012, 260), (0.002, 60), (0.003, 14)):
        places = rng.uniform(0, 1, (count, 2)) * (canvas.w, horizon)
        stars = [ellipse(x, y, size) for x, y in places.tolist()]
        canvas.shine(stars, rgb("#f4f6ff"), strength=rng.uniform(0.6, 0.95))


def reflect(
    canvas: Canvas, rng: np.random.Generator, waterline: float, water: Colour, depth: float
) -> None:
    """Mirror what is above ``waterline`` into rippled water of colour ``water``.

    ``depth`` is how much of the water's own colour shows at the lower edge (0..1).
    """
    height, width = canvas.size
    line = round(waterline * canvas.scale)
    down = np.linspace(0, 1, height - line, dtype=np.float32)[:, None]
    ripple = noise(rng, (height - line, width), (26, 5), 2) - np.float32(0.5)
    ripple *= np.float32(0.06 * canvas.scale) * (np.float32(0.2) + down)
    source = line - 1 - down * np.float32(0.9 * (height - line)) + ripple
    index = np.clip(np.abs(source), 0, line - 1).astype(np.intp)
    mirror = canvas.pixels[:, index, np.arange(width)[None, :]]
    share = np.float32(0.18) + down * np.float32(depth)
    canvas.pixels[:, line:] = mirror + (planes(water) - mirror) * share
    _glints(canvas, rng, waterline)


def _glints(canvas: Canvas, rng: np.random.Generator, waterline: float) -> None:
    glints = []
    for _ in range(90):
        near = rng.random() ** 1.6
        y = waterline + (canvas.h - waterline) * near
        half = rng.uniform(0.008, 0.05) * (0.3 + near)
        glints.append(ellipse(rng.uniform(0, canvas.w), y, half, 0.0012 + 0.0018 * near))
    canvas.shine(glints[::2], rgb("#ffffff"), soft=0.003, strength=0.16)
    canvas.shade(glints[1::2], 0.16, soft=0.003)
