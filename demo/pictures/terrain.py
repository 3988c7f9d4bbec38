"""Hills, snow peaks and pines: what the mountain scenes are built of."""

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.outlines import Outline, placed
from demo.pictures.paints import Colour, Ramp, Texture, darker, lighter, mix, planes, rgb, stops
from demo.pictures.skies import Hour
from demo.pictures.textures import noise, relief, step


def ridge(
    canvas: Canvas, rng: np.random.Generator, level: float, rise: float, rough: float = 0.55
) -> Outline:
    """A skyline of hills by midpoint displacement (Fournier, Fussell and Carpenter 1982).

    It is an open line around the height ``level``; ``rise`` is the spread of its summits.
    """
    heights = rng.uniform(-1, 1, 4)
    for turn in range(6):
        middles = (heights[:-1] + heights[1:]) / 2
        middles += rng.uniform(-1, 1, len(middles)) * rough ** (turn + 1)
        both = np.empty(len(heights) * 2 - 1)
        both[::2], both[1::2] = heights, middles
        heights = both
    x = np.linspace(-0.05, canvas.w + 0.05, len(heights))
    return np.stack([x, level - heights * rise], axis=1)


def below(canvas: Canvas, line: Outline, floor: float | None = None) -> Outline:
    """Everything from an open ``line`` down to ``floor``, by default out of the picture."""
    bottom = canvas.h + 0.1 if floor is None else floor
    return np.concatenate([line, [(line[-1, 0], bottom), (line[0, 0], bottom)]])


def snow_peaks(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, line: Outline, floor: float
) -> None:
    """High mountains under ``line``: lit and shaded rock with snow towards the top."""
    area = canvas.whole
    rows = min(area.height, int((floor + 0.02) * canvas.scale))
    top = np.interp(area.x[0], line[:, 0], line[:, 1]).astype(np.float32)[None, :]
    under = area.y[:rows] - top
    crags = noise(rng, (rows, area.width), (3 * floor, 5), 6, 0.62)
    lit = relief(crags - top * np.float32(0.8), 9.0, 0.3)
    rock = mix(rgb("#6d6a72"), hour.haze, 0.3)
    colours = stops(lit, [darker(rock, 0.5), rock, mix(rock, hour.sun, 0.5)])
    snow_lit, snow_dark = mix(rgb("#ffffff"), hour.sun, 0.4), mix(rgb("#8fa3c4"), hour.sky[1], 0.35)
    snow = stops(lit, [snow_dark, mix(snow_lit, snow_dark, 0.4), snow_lit])
    depth = np.float32(rng.uniform(0.06, 0.26))
    white = step(depth - under + (crags - np.float32(0.5)) * np.float32(0.3), -0.02, 0.03)
    colours += (snow - colours) * white
    colours *= np.float32(1 - hour.dark * 0.62)
    fog = np.clip(under / np.float32(floor - float(top.min())), 0, 1) ** 2 * np.float32(0.75)
    colours += (planes(hour.haze) - colours) * fog
    pixels = np.zeros_like(canvas.pixels)
    pixels[:, :rows] = colours
    canvas.fill(below(canvas, line, floor), Texture(pixels))


def pine(rng: np.random.Generator, x: float, base: float, tall: float) -> Outline:
    """A conifer as a zigzag of drooping tiers."""
    tiers = 9
    heights = np.repeat(np.linspace(0.06, 0.95, tiers), 2) - np.tile([0.035, -0.02], tiers)
    spread = np.linspace(0.26, 0.03, tiers)
    reach = np.stack([spread * rng.uniform(0.85, 1.15, tiers), spread * 0.5], axis=1).ravel()
    right = np.stack([reach, -heights], axis=1)
    left = (right * (-rng.uniform(0.9, 1.1), 1))[::-1]
    trunk = np.array([(-0.02, -0.06), (-0.02, 0.0), (0.02, 0.0), (0.02, -0.06)])
    return placed(np.concatenate([right, [(0.0, -1.0)], left, trunk]), x, base, size=tall)


def forest(
    canvas: Canvas, rng: np.random.Generator, line: Outline, tall: float, colour: Colour, count: int
) -> None:
    """Pines that stand along ``line``, and the ground below it."""
    places = rng.uniform(-0.05, canvas.w + 0.05, count)
    feet = np.interp(places, line[:, 0], line[:, 1]) + tall * 0.15
    sizes = rng.uniform(0.55, 1.15, count) * tall
    kinds = [pine(rng, 0, 0, 1.0) for _ in range(6)]
    trees = [
        kinds[k % 6] * size + np.array([x, y])
        for k, (x, y, size) in enumerate(zip(places, feet, sizes, strict=True))
    ]
    top = float(line[:, 1].min()) - tall
    light = Ramp((0, top), (0, top + tall * 3), [lighter(colour, 0.06), darker(colour, 0.3)])
    canvas.fill([*trees, below(canvas, line)], light)
